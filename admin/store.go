package admin

import (
	"context"
	"errors"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/tally"
)

// Store is a [presence.Store] that counts how long another one takes, and how it fails. Of
// its health it is told.
type Store struct {
	presence.Store
	health                  presence.Health
	update, leave, snapshot operation
}

// operation counts one of a store's.
type operation struct {
	took   tally.Durations
	errors [kinds]tally.Count
}

// The kinds of errors of a store.
const (
	timedOut    = iota // it took too long
	unavailable        // it did not know
	limited            // it refused what is above a limit
	otherwise
	kinds
)

var kindNames = [kinds]string{"timeout", "unavailable", "limit", "other"}

// Measure counts what a store is asked.
func Measure(s interface {
	presence.Store
	presence.Health
}) *Store {
	return &Store{Store: s, health: s}
}

// Update implements [presence.Store].
func (s *Store) Update(ctx context.Context, project presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	began := tally.Now()
	reply, err := s.Store.Update(ctx, project, user, u)
	s.update.add(tally.Now()-began, err)
	return reply, err
}

// Leave implements [presence.Store].
func (s *Store) Leave(ctx context.Context, project presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	began := tally.Now()
	reply, err := s.Store.Leave(ctx, project, user, l)
	s.leave.add(tally.Now()-began, err)
	return reply, err
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	began := tally.Now()
	snapshot, err := s.Store.Snapshot(ctx, project)
	s.snapshot.add(tally.Now()-began, err)
	return snapshot, err
}

func (o *operation) add(took time.Duration, err error) {
	o.took.Add(took)
	if err != nil {
		o.errors[kindOf(err)].Add(1)
	}
}

func kindOf(err error) int {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut
	case errors.Is(err, presence.ErrUnavailable):
		return unavailable
	case errors.Is(err, presence.ErrTooManyChanges), errors.Is(err, presence.ErrTooManySessions):
		return limited
	}
	return otherwise
}
