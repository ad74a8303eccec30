package main

import (
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// handlerOptions returns the options of the handler, all but the service. It reads the keys and secrets, and takes over the
// authenticators whose settings and files are unchanged.
func (s *settings) handlerOptions(made *reused, log *slog.Logger) (o httpapi.Options, err error) {
	var keys *identity.Keys
	if s.signs() {
		if keys, err = identity.ReadKeys(s.secretFile); err != nil {
			return o, err
		}
		if warning := keys.Warning(); warning != "" {
			log.Warn(warning)
		}
	}
	o = s.options()
	o.Log, o.AccessLog = log, s.accessLogger(log)
	if o.TrustedProxies, err = parseNetworks(s.trustedProxies); err != nil {
		return o, err
	}
	values := s.values()
	var all []identity.Authenticator
	if s.auth.tokens() {
		tokens, err := reuse(made, values.of("jwt-secret-file", "jwks-url", "jwt-issuer", "jwt-audience", "jwt-name-claim", "jwt-projects-claim"),
			func() (*identity.JWT, error) { return s.auth.tokenAuthenticator(log) })
		if err != nil {
			return o, err
		}
		all = append(all, tokens)
	}
	if s.auth.authURL != "" {
		host, err := reuse(made, values.of("auth-url", "auth-url-projects"), func() (*identity.Host, error) { return s.auth.hostAuthenticator(log) })
		if err != nil {
			return o, err
		}
		all = append(all, host)
	}
	if s.dev {
		o.Dev, _ = reuse(made, values.of("dev", "secret-file"), func() (*identity.Dev, error) { return &identity.Dev{Keys: keys}, nil })
		all = append(all, o.Dev)
	}
	if !s.visitorRule.none() {
		visitors, _ := reuse(made, values.of("visitors", "visitor-rate", "embedding", "secret-file"), func() (*identity.Visitors, error) {
			return &identity.Visitors{
				Keys: keys, Allowed: s.visitorRule.allowed(), Rate: s.rate("visitor-rate", s.visitorRate, identity.DefaultVisitorRate),
				Embedding: s.embedding == "on",
			}, nil
		})
		all = append(all, visitors)
	}
	o.Authenticator = identity.FirstOf(all...)
	return o, nil
}

// options returns the options of the handler that follow from flags alone.
func (s *settings) options() httpapi.Options {
	o := httpapi.Options{
		Prefix: s.prefix, Origins: s.origins, Lease: s.lease, Heartbeat: s.heartbeat,
		TenantFromHost: s.tenantFrom == "host", TokenHeader: s.tokenHeader, Embedding: s.embedding == "on",
		UserRate:           s.rate("user-rate", s.userRate, httpapi.DefaultUserRate),
		AddressRate:        s.rate("address-rate", s.addressRate, httpapi.DefaultAddressRate),
		AddressProjects:    s.limit("projects-per-address", s.addressProjects),
		Connections:        s.limit("connections", s.connections),
		UserConnections:    s.limit("user-connections", s.userConnections),
		AddressConnections: s.limit("address-connections", s.addressConnections),
	}
	if s.dev {
		o.UserProjects, o.VisitorProjects = -1, -1
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
