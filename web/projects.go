package web

import (
	"context"
	"errors"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/limit"
)

// DefaultUserProjects, DefaultVisitorProjects and DefaultAddressProjects are the default limits
// on the projects that one user, one visitor and one address enter (ADR 26).
const (
	DefaultUserProjects    = 200
	DefaultVisitorProjects = 50
	DefaultAddressProjects = 10_000
)

var errTooManyProjects = errors.New("you, or your address, entered too many different projects lately; go on in one of those, or wait for the time in Retry-After")

// ProjectLimit makes a limit on different projects. A project counts for at least 12 minutes
// after its last update or leave, which is how long a store keeps a project that nobody is in
// any more. Zero means no limit.
func ProjectLimit(most int) *limit.Distinct {
	return limit.NewDistinct(most, presence.DefaultLease+presence.Finality)
}

// sessionSender is who sends an update or a leave, and from where.
type sessionSender struct {
	project presence.Project // as the store knows it
	user    presence.User
	address string // as limits tell addresses apart
	// above is the limit on requests that the sender is above; nil for none.
	above error
}

// aboveLimit returns the limit that the sender is above; nil for none. It counts the project
// to the user and the address.
func (s *Handler) aboveLimit(from sessionSender) error {
	if from.above != nil {
		return from.above // it gets nothing new, so no project counts
	}
	key, perUser, address := string(from.project), s.ProjectsPerUser, from.address
	if from.user.Visitor {
		// Visitors count apart, or those of one address could take all projects of its users.
		perUser, address = s.ProjectsPerVisitor, "visitors "+address
	}
	// The user first: who is above their own limit uses up nothing of the address.
	if err := perUser.Use(userKey(from.project, from.user.ID), key, errTooManyProjects); err != nil {
		return err
	}
	return s.ProjectsPerAddress.Use(address, key, errTooManyProjects)
}

// putUpdate gives an update to the Tracker. Above a limit only a renewal succeeds.
func (s *Handler) putUpdate(ctx context.Context, from sessionSender, u presence.Update) (presence.Reply, error) {
	above := s.aboveLimit(from)
	u.OnlyRenew = above != nil
	reply, err := s.Tracker.Update(ctx, from.project, from.user, u)
	if errors.Is(err, presence.ErrTooManyChanges) {
		err = errors.Join(err, above) // which says when to try again
	}
	return reply, err
}

// putLeave gives a leave to the Tracker. Above a limit only the leave of a session that is alive
// succeeds.
func (s *Handler) putLeave(ctx context.Context, from sessionSender, l presence.Leave) (presence.Reply, error) {
	above := s.aboveLimit(from)
	l.OnlyLiving = above != nil
	reply, err := s.Tracker.Leave(ctx, from.project, from.user, l)
	if err == nil && reply.Stale {
		err = above
	}
	return reply, err
}
