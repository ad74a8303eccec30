package servertest

import (
	"context"
	"sync"

	presence "github.com/writer-presence/writer-presence"
)

// FlakyStore is a store that fails when the test says so.
type FlakyStore struct {
	presence.Store
	mu                sync.Mutex
	writeErr, readErr error
	// NotDurable makes the replies say that changes are not durable. It must not change during a request.
	NotDurable bool
	watches    int
}

// Install puts the store in front of the server's.
func (s *FlakyStore) Install(p *Config) {
	p.WrapStore = func(store presence.Store) presence.Store { s.Store = store; return s }
}

// Fail sets the errors of all later writes and reads; nil ends the failure.
func (s *FlakyStore) Fail(writeErr, readErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeErr, s.readErr = writeErr, readErr
}

func (s *FlakyStore) failures() (writeErr, readErr error, notDurable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr, s.readErr, s.NotDurable
}

// Watchers returns how many watches are active.
func (s *FlakyStore) Watchers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches
}

func (s *FlakyStore) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	err, _, notDurable := s.failures()
	if err != nil {
		return presence.Reply{}, err
	}
	r, err := s.Store.Update(ctx, p, u, m)
	r.Durable = r.Durable && !notDurable
	return r, err
}

func (s *FlakyStore) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	err, _, notDurable := s.failures()
	if err != nil {
		return presence.Reply{}, err
	}
	r, err := s.Store.Leave(ctx, p, u, m)
	r.Durable = r.Durable && !notDurable
	return r, err
}

func (s *FlakyStore) Watch(p presence.Project, wake func()) (stop func()) {
	if p == presence.Everywhere { // a hub watches it all the time
		return s.Store.Watch(p, wake)
	}
	count := func(n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watches += n
	}
	count(1)
	end := s.Store.Watch(p, wake)
	return func() {
		end()
		count(-1)
	}
}

func (s *FlakyStore) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if _, err, _ := s.failures(); err != nil {
		return nil, err
	}
	return s.Store.Snapshot(ctx, p)
}
