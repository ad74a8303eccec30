package main

import (
	"fmt"
	"log/slog"
	"net/netip"

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
	o := s.options()
	o.Service, o.Log, o.AccessLog = presence.NewService(store), log, s.accessLogger(log)
	authenticators, err := s.auth.authenticators(log)
	if err != nil {
		return nil, err
	}
	if o.TrustedProxies, err = parseNetworks(s.trustedProxies); err != nil {
		return nil, err
	}
	if s.dev {
		o.Dev = &identity.Dev{Keys: keys}
		authenticators = append(authenticators, o.Dev)
	}
	if !s.visitorRule.none() {
		authenticators = append(authenticators, &identity.Visitors{
			Keys: keys, Allowed: s.visitorRule.allowed(), Rate: s.rate("visitor-rate", s.visitorRate, identity.DefaultVisitorRate),
			Embedding: s.embedding == "on",
		})
	}
	o.Authenticator = identity.FirstOf(authenticators...)
	return httpapi.New(o)
}

// options returns the options of the handler that follow from flags alone.
func (s *settings) options() httpapi.Options {
	o := httpapi.Options{
		Prefix: s.prefix, Origins: s.origins, Lease: s.lease, Heartbeat: s.heartbeat,
		TenantFromHost: s.tenantFrom == "host", TokenHeader: s.tokenHeader, Embedding: s.embedding == "on",
		UserRate:        s.rate("user-rate", s.userRate, httpapi.DefaultUserRate),
		AddressRate:     s.rate("address-rate", s.addressRate, httpapi.DefaultAddressRate),
		AddressProjects: s.limit("projects-per-address", s.addressProjects),
		Connections:     s.limit("connections", s.connections),
		UserConnections: s.limit("user-connections", s.userConnections),
	}
	if s.dev {
		o.UserProjects, o.VisitorProjects = -1, -1
	}
	if s.dev || s.changed("address-connections") { // else the default, which depends on Connections
		o.AddressConnections = s.limit("address-connections", s.addressConnections)
	}
	return o
}

// limit returns the value of a flag, where 0 is no limit, as an option of httpapi, where -1 is no limit. With --dev there
// is no limit unless the flag was given.
func (s *settings) limit(flag string, value int) int {
	if value == 0 || s.dev && !s.changed(flag) {
		return -1
	}
	return value
}

// rate returns the value of a flag, in requests per second, as a rate whose burst is in the same proportion as that of
// the default. As for limit, 0 is no limit, and so is a flag that was not given with --dev.
func (s *settings) rate(flag string, perSecond float64, standard identity.Rate) identity.Rate {
	if perSecond == 0 || s.dev && !s.changed(flag) {
		return identity.NoLimit
	}
	return identity.Rate{PerSecond: perSecond, Burst: int(perSecond * (float64(standard.Burst) / standard.PerSecond))}
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
