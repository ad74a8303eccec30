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
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for _, u := range s.Updates {
		section := JsonValue{Kind: 's', Text: string(u.Section)}
		if !sessionGrammar.MatchString(u.Session) || u.Seq > presence.MaxSafe || u.Known > presence.MaxSafe || ValueError("section", section) != "" || ValueError("activity", JsonValue{Kind: 's', Text: string(u.Activity)}) != "" {
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
	Mu                sync.Mutex
	changing, looking error
	Volatile          bool
	Watches           int
}

func (s *FlakyStore) Install(p *Config) {
	p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *FlakyStore) Fail(changing, looking error) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.changing, s.looking = changing, looking
}

func (s *FlakyStore) state() (changing, looking error, volatile bool) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.changing, s.looking, s.Volatile
}

func (s *FlakyStore) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	err, _, volatile := s.state()
	if err != nil {
		return presence.Reply{}, err
	}
	r, err := s.Store.Update(ctx, p, u, m)
	r.Durable = r.Durable && !volatile
	return r, err
}

func (s *FlakyStore) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	if err, _, _ := s.state(); err != nil {
		return presence.Reply{}, err
	}
	return s.Store.Leave(ctx, p, u, m)
}

func (s *FlakyStore) Watch(p presence.Project, wake func()) (stop func()) {
	count := func(n int) {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		s.Watches += n
	}
	count(1)
	end := s.Store.Watch(p, wake)
	return func() {
		end()
		count(-1)
	}
}

func (s *FlakyStore) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if _, err, _ := s.state(); err != nil {
		return nil, err
	}
	return s.Store.Snapshot(ctx, p)
}

// SpyStore is a store that counts the messages it gets.
type SpyStore struct {
	presence.Store

	Mu sync.Mutex
	// created counts the messages that may create something: neither OnlyRenew nor OnlyLiving.
	Created int
	// projects are those that such messages named, watched those that somebody watched.
	Projects, Watched map[presence.Project]bool
	// updates and leaves are all that came.
	Updates []presence.Update
	Leaves  []presence.Leave
}

func (s *SpyStore) Install(p *Config) {
	s.Projects, s.Watched = map[presence.Project]bool{}, map[presence.Project]bool{}
	p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *SpyStore) Update(ctx context.Context, p presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	s.Mu.Lock()
	s.Updates = append(s.Updates, u)
	s.record(p, !u.OnlyRenew)
	s.Mu.Unlock()
	return s.Store.Update(ctx, p, user, u)
}

func (s *SpyStore) Leave(ctx context.Context, p presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	s.Mu.Lock()
	s.Leaves = append(s.Leaves, l)
	s.record(p, !l.OnlyLiving && l.Connection == 0)
	s.Mu.Unlock()
	return s.Store.Leave(ctx, p, user, l)
}

func (s *SpyStore) Watch(p presence.Project, wake func()) (stop func()) {
	s.Mu.Lock()
	s.Watched[p] = true
	s.Mu.Unlock()
	return s.Store.Watch(p, wake)
}

func (s *SpyStore) record(p presence.Project, creates bool) {
	if creates {
		s.Created++
		s.Projects[p] = true
	}
}

// Held is how many projects the store holds in which somebody is. It waits until the store has
// counted them, which takes up to five seconds.
func (s *SpyStore) Held() int {
	time.Sleep(10 * time.Second)
	return s.Store.(presence.Health).Figures().Projects
}
