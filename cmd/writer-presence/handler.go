package main

import (
	"log/slog"

	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// unlimit lifts the limits that were not asked for.
func (s *settings) unlimit(flags *pflag.FlagSet) {
	for name, rate := range map[string]*float64{"user-rate": &s.userRate, "address-rate": &s.addressRate, "visitor-rate": &s.visitorRate} {
		if !flags.Changed(name) {
			*rate = 0
		}
	}
	if !flags.Changed("projects-per-address") {
		s.addressProjects = 0
	}
}

// limitConnections sets the limits of connections. With --dev there are those that were asked for.
func (s *settings) limitConnections(flags *pflag.FlagSet) {
	of := func(name string, value int) int {
		switch {
		case !flags.Changed(name) && s.dev, flags.Changed(name) && value == 0:
			return -1 // none
		case !flags.Changed(name):
			return 0 // the default
		}
		return value
	}
	s.limits = httpapi.Options{
		Connections:        of("connections", s.connections),
		UserConnections:    of("user-connections", s.userConnections),
		AddressConnections: of("address-connections", s.addressConnections),
	}
}

func (s *settings) handler(store presence.Store, log *slog.Logger) (*httpapi.Handler, error) {
	var keys *identity.Keys
	if s.signs() {
		var err error
		if keys, err = identity.ReadKeys(s.secretFile); err != nil {
			return nil, err
		}
		if warning := keys.Warning(); warning != "" {
			log.Warn(warning)
		}
	}
	o := httpapi.Options{
		Service: presence.NewService(store), Prefix: s.prefix, Origins: s.origins, Lease: s.lease, Heartbeat: s.heartbeat, Log: log,
		UserRate: rate(s.userRate, httpapi.DefaultUserRate), AddressRate: rate(s.addressRate, httpapi.DefaultAddressRate),
		AddressProjects: orNoLimit(s.addressProjects),
		TenantFromHost:  s.tenantFrom == "host", TokenHeader: s.gates.tokenHeader,
		Connections: s.limits.Connections, UserConnections: s.limits.UserConnections, AddressConnections: s.limits.AddressConnections,
	}
	gates, err := s.gates.open(log)
	if err != nil {
		return nil, err
	}
	if o.TrustedProxies, err = s.gates.trusted(); err != nil {
		return nil, err
	}
	if s.dev {
		o.Dev = &identity.Dev{Keys: keys}
		o.UserProjects, o.VisitorProjects = -1, -1
		gates = append(gates, o.Dev)
	}
	if !s.visitorRule.none() {
		gates = append(gates, &identity.Visitors{Keys: keys, Allowed: s.visitorRule.allowed(), Rate: rate(s.visitorRate, identity.DefaultVisitorRate)})
	}
	o.Authenticator = identity.FirstOf(gates...)
	return httpapi.New(o)
}

// rate returns the limit of a flag in requests per second. The burst grows with the rate, as the default's
// does; a rate of 0 is no limit.
func rate(perSecond float64, normal identity.Rate) identity.Rate {
	if perSecond == 0 {
		return identity.NoLimit
	}
	return identity.Rate{PerSecond: perSecond, Burst: int(perSecond * float64(normal.Burst) / normal.PerSecond)}
}

// orNoLimit returns a limit of a flag, where 0 is no limit, as an option, where less than zero is.
func orNoLimit(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}
