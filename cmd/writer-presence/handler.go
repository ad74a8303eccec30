package main

import (
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// handler returns the handler of the API for a store.
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
		TenantFromHost:  s.tenantFrom == "host", TokenHeader: s.auth.tokenHeader,
		Connections: s.limits.Connections, UserConnections: s.limits.UserConnections, AddressConnections: s.limits.AddressConnections,
	}
	authenticators, err := s.auth.authenticators(log)
	if err != nil {
		return nil, err
	}
	if o.TrustedProxies, err = parseNetworks(s.trustedProxies); err != nil {
		return nil, err
	}
	if s.dev {
		o.Dev = &identity.Dev{Keys: keys}
		o.UserProjects, o.VisitorProjects = -1, -1
		authenticators = append(authenticators, o.Dev)
	}
	if !s.visitorRule.none() {
		authenticators = append(authenticators, &identity.Visitors{
			Keys: keys, Allowed: s.visitorRule.allowed(), Rate: rate(s.visitorRate, identity.DefaultVisitorRate),
		})
	}
	o.Authenticator = identity.FirstOf(authenticators...)
	return httpapi.New(o)
}

// rate returns the value of a flag, in requests per second, as a rate whose burst is in the same proportion as that of
// the default. 0 is no limit.
func rate(perSecond float64, standard identity.Rate) identity.Rate {
	if perSecond == 0 {
		return identity.NoLimit
	}
	return identity.Rate{PerSecond: perSecond, Burst: int(perSecond * float64(standard.Burst) / standard.PerSecond)}
}

// orNoLimit returns the value of a flag, where 0 is no limit, as an option of httpapi, where -1 is no limit.
func orNoLimit(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}

// liftLimits removes the limits of requests whose flags were not given.
func (s *settings) liftLimits(flags *pflag.FlagSet) {
	for name, rate := range map[string]*float64{"user-rate": &s.userRate, "address-rate": &s.addressRate, "visitor-rate": &s.visitorRate} {
		if !flags.Changed(name) {
			*rate = 0
		}
	}
	if !flags.Changed("projects-per-address") {
		s.addressProjects = 0
	}
}

// limitConnections sets the limits of connections. With --dev there is no limit unless the flag was given.
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

// parseNetworks reads the networks and addresses of --trusted-proxies.
func parseNetworks(texts []string) (networks []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if a, err2 := netip.ParseAddr(text); err2 == nil {
			network, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies %q: give networks such as 10.0.0.0/8, or addresses", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
