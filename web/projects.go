package web

import (
	"context"
	"errors"

	presence "writer-presence"
	"writer-presence/limit"
)

// DefaultUserProjects, DefaultVisitorProjects and DefaultAddressProjects are the default limits of
// the different projects that one user, one visitor and one address enter (ADR 26).
const (
	DefaultUserProjects    = 200
	DefaultVisitorProjects = 50
	DefaultAddressProjects = 10_000
)

var errTooManyProjects = errors.New("you, or your address, entered too many different projects lately; go on in one of those, or wait for the time in Retry-After")

// ProjectLimit returns a limit of different projects; 0 means no limit. A project counts for at
// least 12 minutes after its last update or leave, since a store keeps an empty project that long.
func ProjectLimit(most int) *limit.Distinct {
	return limit.NewDistinct(most, presence.DefaultLease+presence.Finality)
}

// sessionSender is the sender of an update or a leave.
type sessionSender struct {
	project presence.Project // the key in the store, with the tenant
	user    presence.User
	address string // the key of address limits: an IPv4 address or an IPv6 /64
	// above is the error of the request limit that the sender has exceeded; nil if none.
	above error
}

// checkLimits returns the error of the request or project limit that the sender has exceeded, or
// nil. If the request limit is not exceeded, it counts the project to the user and the address.
func (s *Handler) checkLimits(from sessionSender) error {
	if from.above != nil {
		return from.above // the request can enter no project, so none is counted
	}
	key, perUser, address := string(from.project), s.ProjectsPerUser, from.address
	if from.user.Visitor {
		// Separate counters: visitors must not use up the projects of the users of their address.
		perUser, address = s.ProjectsPerVisitor, "visitors "+address
	}
	// The user first, so that a user who exceeds their own limit does not use up that of the address.
	if err := perUser.Use(userKey(from.project, from.user.ID), key, errTooManyProjects); err != nil {
		return err
	}
	return s.ProjectsPerAddress.Use(address, key, errTooManyProjects)
}

// putUpdate passes an update to the Tracker. If the sender has exceeded a limit, only an update
// that renews a living session succeeds; others fail with the error of that limit.
func (s *Handler) putUpdate(ctx context.Context, from sessionSender, u presence.Update) (presence.Reply, error) {
	above := s.checkLimits(from)
	u.OnlyRenew = above != nil
	reply, err := s.Tracker.Update(ctx, from.project, from.user, u)
	if errors.Is(err, presence.ErrTooManyChanges) {
		err = errors.Join(err, above) // above has the time for Retry-After
	}
	return reply, err
}

// putLeave passes a leave to the Tracker. If the sender has exceeded a limit, only the leave of a
// living session succeeds; others fail with the error of that limit.
func (s *Handler) putLeave(ctx context.Context, from sessionSender, l presence.Leave) (presence.Reply, error) {
	above := s.checkLimits(from)
	l.OnlyLiving = above != nil
	reply, err := s.Tracker.Leave(ctx, from.project, from.user, l)
	if err == nil && reply.Stale {
		err = above
	}
	return reply, err
}
