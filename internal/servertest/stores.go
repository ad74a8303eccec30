package servertest

import (
	"context"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// ExpectChecked fails if the store got anything that is not as the documents have it.
func (s *SpyStore) ExpectChecked(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.Updates {
		section := JSONValue{Kind: 's', Text: string(u.Section)}
		if !sessionGrammar.MatchString(u.Session) || u.Seq > presence.MaxSafe || u.Known > presence.MaxSafe || ValueError("section", section) != "" || ValueError("activity", JSONValue{Kind: 's', Text: string(u.Activity)}) != "" {
			t.Errorf("the store got the update %+.200v", u)
		}
	}
	for _, l := range s.Leaves {
		if !sessionGrammar.MatchString(l.Session) || l.Seq > presence.MaxSafe {
			t.Errorf("the store got the leave %+.200v", l)
		}
	}
}

// FlakyStore is a store that can be made to fail at any time: at changes, at looking, or at both.
type FlakyStore struct {
	presence.Store
	mu                sync.Mutex
	writeErr, readErr error
	// NotDurable makes the replies say that changes are not durable. It is set before the first use.
	NotDurable bool
	watches    int
}

func (s *FlakyStore) Install(p *Config) {
	p.WrapStore = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *FlakyStore) Fail(changing, looking error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeErr, s.readErr = changing, looking
}

func (s *FlakyStore) failures() (changing, looking error, volatile bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr, s.readErr, s.NotDurable
}

func (s *FlakyStore) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	err, _, volatile := s.failures()
	if err != nil {
		return presence.Reply{}, err
	}
	r, err := s.Store.Update(ctx, p, u, m)
	r.Durable = r.Durable && !volatile
	return r, err
}

func (s *FlakyStore) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	if err, _, _ := s.failures(); err != nil {
		return presence.Reply{}, err
	}
	return s.Store.Leave(ctx, p, u, m)
}

func (s *FlakyStore) Watch(p presence.Project, wake func()) (stop func()) {
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

// Watchers returns how many watches are active.
func (s *FlakyStore) Watchers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches
}

// SpyStore is a store that counts the messages it gets.
type SpyStore struct {
	presence.Store

	mu sync.Mutex
	// created counts the messages that may create something: neither OnlyRenew nor OnlyLiving.
	Creations int
	// projects are those that such messages named, watched those that somebody watched.
	CreatedIn, Watched map[presence.Project]bool
	// updates and leaves are all that came.
	Updates []presence.Update
	Leaves  []presence.Leave
}

func (s *SpyStore) Install(p *Config) {
	s.CreatedIn, s.Watched = map[presence.Project]bool{}, map[presence.Project]bool{}
	p.WrapStore = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *SpyStore) Update(ctx context.Context, p presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	s.mu.Lock()
	s.Updates = append(s.Updates, u)
	s.record(p, !u.OnlyRenew)
	s.mu.Unlock()
	return s.Store.Update(ctx, p, user, u)
}

func (s *SpyStore) Leave(ctx context.Context, p presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	s.mu.Lock()
	s.Leaves = append(s.Leaves, l)
	s.record(p, !l.OnlyLiving && l.Connection == 0)
	s.mu.Unlock()
	return s.Store.Leave(ctx, p, user, l)
}

func (s *SpyStore) Watch(p presence.Project, wake func()) (stop func()) {
	s.mu.Lock()
	s.Watched[p] = true
	s.mu.Unlock()
	return s.Store.Watch(p, wake)
}

// Reset forgets the messages that came.
func (s *SpyStore) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Updates, s.Leaves = nil, nil
}

func (s *SpyStore) record(p presence.Project, creates bool) {
	if creates {
		s.Creations++
		s.CreatedIn[p] = true
	}
}

// Held is how many projects the store holds in which somebody is. It waits until the store has
// counted them, which takes up to five seconds.
func (s *SpyStore) ProjectCount() int {
	time.Sleep(10 * time.Second)
	return s.Store.(presence.Health).Figures().Projects
}
