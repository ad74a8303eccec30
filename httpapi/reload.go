package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
)

// current are the options of a handler that Reload replaces and that no other part of it has.
type current struct {
	origins []origin.Pattern
	proxies []netip.Prefix
	dev     *identity.Dev // nil if Options.Dev is
}

// Reload replaces the authenticator, Dev, the origins, the trusted proxies and all limits but Connections by those of the
// options, while the handler serves. It ignores the other fields; Dev must be set if it was for [New], and only then. If it
// returns an error, nothing has changed.
//
// Live connections stay open. The new authenticator checks each of them within 30 s, and those whose user it rejects are
// closed; a lower limit closes none. A limit that is the same as before goes on counting.
//
// Calls of Reload must not overlap; other methods may be called at the same time.
func (h *Handler) Reload(o Options) error {
	switch {
	case h.hub == nil:
		return errNotMade
	case o.Authenticator == nil:
		return errors.New("httpapi: Options.Authenticator is needed")
	case (o.Dev == nil) != (h.o.Dev == nil):
		return errors.New("httpapi: Options.Dev cannot be added or removed by Reload; make a new Handler")
	}
	o.Connections = h.o.Connections
	return h.use(o)
}

// use applies the options that Reload can replace.
func (h *Handler) use(o Options) error {
	if o.Dev != nil && o.Dev.Keys == nil {
		return errors.New("httpapi: Options.Dev has no Keys; set Keys, or leave Dev out")
	}
	next := &current{proxies: slices.Clone(o.TrustedProxies), dev: o.Dev} // the caller may change its slice
	for _, text := range o.Origins {
		pattern, err := origin.ParsePattern(text)
		if err != nil {
			return fmt.Errorf("httpapi: Options.Origins %q: %w", text, err)
		}
		next.origins = append(next.origins, pattern)
	}
	h.current.Store(next)
	h.limits.Configure(connlimit.Options{Connections: o.Connections, PerUser: o.UserConnections, PerAddress: o.AddressConnections})
	before := h.access.Rules()
	h.access.Use(access.Rules{
		Authenticator:      o.Authenticator,
		PerUser:            limiter(before.PerUser, o.UserRate, DefaultUserRate),
		PerAddress:         limiter(before.PerAddress, o.AddressRate, DefaultAddressRate),
		ProjectsPerUser:    projectLimiter(before.ProjectsPerUser, o.UserProjects, DefaultUserProjects),
		ProjectsPerVisitor: projectLimiter(before.ProjectsPerVisitor, o.VisitorProjects, DefaultVisitorProjects),
		ProjectsPerAddress: projectLimiter(before.ProjectsPerAddress, o.AddressProjects, DefaultAddressProjects),
	})
	return nil
}

func limiter(before *ratelimit.Limiter, rate, normal identity.Rate) *ratelimit.Limiter {
	rate = cmp.Or(rate, normal)
	return before.With(rate.PerSecond, rate.Burst)
}

// projectLimiter bounds the different projects. A project counts for at least 12 minutes after its last
// update or leave, which is how long a store keeps a project that everybody has left.
func projectLimiter(before *ratelimit.Distinct, limit, normal int) *ratelimit.Distinct {
	return before.With(cmp.Or(limit, normal), presence.DefaultLease+presence.Finality)
}
