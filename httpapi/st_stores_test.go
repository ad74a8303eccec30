package httpapi_test

import (
	"context"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// isChecked fails if the store got anything that is not as the documents have it.
func (s *spy) isChecked(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.updates {
		section := jsonValue{kind: 's', text: string(u.Section)}
		if !sessionGrammar.MatchString(u.Session) || u.Seq > presence.MaxSafe || u.Known > presence.MaxSafe || valueError("section", section) != "" || valueError("activity", jsonValue{kind: 's', text: string(u.Activity)}) != "" {
			t.Errorf("the store got the update %+.200v", u)
		}
	}
	for _, l := range s.leaves {
		if !sessionGrammar.MatchString(l.Session) || l.Seq > presence.MaxSafe {
			t.Errorf("the store got the leave %+.200v", l)
		}
	}
}

// frail is a store that can be made to fail at any time: at changes, at looking, or at both.
type frail struct {
	presence.Store
	mu                sync.Mutex
	changing, looking error
	volatile          bool
	watches           int
}

func (s *frail) behind(p *plan) {
	p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *frail) fails(changing, looking error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changing, s.looking = changing, looking
}

func (s *frail) state() (changing, looking error, volatile bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changing, s.looking, s.volatile
}

func (s *frail) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	err, _, volatile := s.state()
	if err != nil {
		return presence.Reply{}, err
	}
	r, err := s.Store.Update(ctx, p, u, m)
	r.Durable = r.Durable && !volatile
	return r, err
}

func (s *frail) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	if err, _, _ := s.state(); err != nil {
		return presence.Reply{}, err
	}
	return s.Store.Leave(ctx, p, u, m)
}

func (s *frail) Watch(p presence.Project, wake func()) (stop func()) {
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

func (s *frail) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if _, err, _ := s.state(); err != nil {
		return nil, err
	}
	return s.Store.Snapshot(ctx, p)
}

// spy is a store that counts the messages it gets.
type spy struct {
	presence.Store

	mu sync.Mutex
	// created counts the messages that may create something: neither OnlyRenew nor OnlyLiving.
	created int
	// projects are those that such messages named, watched those that somebody watched.
	projects, watched map[presence.Project]bool
	// updates and leaves are all that came.
	updates []presence.Update
	leaves  []presence.Leave
}

func (s *spy) behind(p *plan) {
	s.projects, s.watched = map[presence.Project]bool{}, map[presence.Project]bool{}
	p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *spy) Update(ctx context.Context, p presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	s.mu.Lock()
	s.updates = append(s.updates, u)
	s.note(p, !u.OnlyRenew)
	s.mu.Unlock()
	return s.Store.Update(ctx, p, user, u)
}

func (s *spy) Leave(ctx context.Context, p presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	s.mu.Lock()
	s.leaves = append(s.leaves, l)
	s.note(p, !l.OnlyLiving && l.Connection == 0)
	s.mu.Unlock()
	return s.Store.Leave(ctx, p, user, l)
}

func (s *spy) Watch(p presence.Project, wake func()) (stop func()) {
	s.mu.Lock()
	s.watched[p] = true
	s.mu.Unlock()
	return s.Store.Watch(p, wake)
}

func (s *spy) note(p presence.Project, creates bool) {
	if creates {
		s.created++
		s.projects[p] = true
	}
}

// held is how many projects the store holds in which somebody is. It waits until the store has
// counted them, which takes up to five seconds.
func (s *spy) held() int {
	time.Sleep(10 * time.Second)
	return s.Store.(presence.Health).Figures().Projects
}
