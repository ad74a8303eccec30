package servertest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// SpyStore is a store that records the messages it gets.
type SpyStore struct {
	presence.Store

	mu sync.Mutex
	// Creations counts the messages that may create a session or visitor: those with neither OnlyRenew nor OnlyLiving.
	Creations int
	// CreatedIn has the projects of those messages, Watched the projects that were watched.
	CreatedIn, Watched map[presence.Project]bool
	// Updates and Leaves are all messages, in the order of arrival.
	Updates []presence.Update
	Leaves  []presence.Leave
}

// Install puts the store in front of the server's.
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
	if p != presence.Everywhere { // a hub watches it all the time
		s.mu.Lock()
		s.Watched[p] = true
		s.mu.Unlock()
	}
	return s.Store.Watch(p, wake)
}

func (s *SpyStore) record(p presence.Project, creates bool) {
	if creates {
		s.Creations++
		s.CreatedIn[p] = true
	}
}

// Reset deletes the recorded messages.
func (s *SpyStore) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Updates, s.Leaves = nil, nil
}

// ProjectCount returns in how many projects the store lists somebody. It waits, since the store counts them every five
// seconds.
func (s *SpyStore) ProjectCount() int {
	time.Sleep(10 * time.Second)
	return s.Store.(presence.Health).Figures().Projects
}

// ExpectChecked checks that all recorded messages are valid by docs/reference/api.md.
func (s *SpyStore) ExpectChecked(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.Updates {
		text := func(s string) JSONValue { return JSONValue{Kind: 's', Text: s} }
		badSave := u.Saved != (presence.Saved{}) &&
			(ValueError("saved.section", text(string(u.Saved.Section))) != "" || ValueError("saved.revision", text(u.Saved.Revision)) != "")
		if badSave || ValueError("waiting_for", text(string(u.WaitingFor))) != "" {
			t.Errorf("the store got the invalid save or wait %+.200v", u)
		}
		for _, section := range []presence.Section{u.Section, u.WaitingFor, u.Saved.Section} {
			if section != "" && slices.Contains(strings.Split(string(section), "/"), "") {
				t.Errorf("the store got a section that is not in its normal form: %+.200v", u)
			}
		}
		if !sessionGrammar.MatchString(u.Session) || u.Seq > presence.MaxSafe || u.Known > presence.MaxSafe || ValueError("section", text(string(u.Section))) != "" || ValueError("activity", text(string(u.Activity))) != "" {
			t.Errorf("the store got the invalid update %+.200v", u)
		}
	}
	for _, l := range s.Leaves {
		if !sessionGrammar.MatchString(l.Session) || l.Seq > presence.MaxSafe {
			t.Errorf("the store got the invalid leave %+.200v", l)
		}
	}
}
