package storetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/storetest"
)

// memoryStore is a store of one's own: rosters in memory, which end with the process. A store for long use would
// also call Roster.Forget once a minute and drop empty rosters, but keep their newest Clock as the floor of new ones.
type memoryStore struct {
	mu       sync.Mutex
	projects map[presence.Project]*memoryProject
}

type memoryProject struct {
	roster  *presence.Roster
	watches map[*func()]bool
	woken   uint64 // the version that watches were last woken for
}

func newMemoryStore() *memoryStore {
	return &memoryStore{projects: map[presence.Project]*memoryProject{}}
}

// do runs f on the roster of a project and wakes the watches if it changed.
func (s *memoryStore) do(name presence.Project, f func(*memoryProject, time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[name]
	if p == nil {
		p = &memoryProject{roster: presence.NewRoster(presence.DefaultLease, 0), watches: map[*func()]bool{}}
		s.projects[name] = p
	}
	f(p, time.Now())
	if version := p.roster.Version(); version != p.woken {
		p.woken = version
		for wake := range p.watches {
			(*wake)()
		}
	}
}

func (s *memoryStore) Update(_ context.Context, name presence.Project, user presence.User, u presence.Update) (reply presence.Reply, err error) {
	s.do(name, func(p *memoryProject, now time.Time) { reply, _, err = p.roster.Update(now, user, u) })
	return reply, err
}

func (s *memoryStore) Leave(_ context.Context, name presence.Project, user presence.User, l presence.Leave) (reply presence.Reply, err error) {
	s.do(name, func(p *memoryProject, now time.Time) { reply, _ = p.roster.Leave(now, user, l) })
	return reply, nil
}

func (s *memoryStore) Remove(_ context.Context, name presence.Project, removal presence.Removal) (reply presence.Reply, err error) {
	s.do(name, func(p *memoryProject, now time.Time) { reply, err = p.roster.Remove(now, removal) })
	return reply, err
}

func (s *memoryStore) Sessions(_ context.Context, name presence.Project) (snapshot *presence.Snapshot, sessions []presence.Record, err error) {
	s.do(name, func(p *memoryProject, now time.Time) {
		snapshot, sessions = p.roster.Snapshot(now), p.roster.Sessions(now)
	})
	return snapshot, sessions, nil
}

// Projects returns all projects in one page, so no cursor continues it.
func (s *memoryStore) Projects(_ context.Context, f presence.ProjectFilter, cursor string, _ int) (page []presence.ActiveProject, _ string, _ error) {
	if cursor != "" {
		return nil, "", presence.ErrCursorInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.projects {
		active := presence.ActiveProject{Project: name, Snapshot: p.roster.Snapshot(time.Now())}
		if f.User != "" {
			active.User = p.roster.Occupant(time.Now(), f.User)
		}
		if strings.HasPrefix(string(name), f.Prefix) && active.Snapshot.Count > 0 && (f.User == "" || active.User != nil) {
			page = append(page, active)
		}
	}
	return page, "", nil
}

func (s *memoryStore) Move(_ context.Context, name presence.Project, from, to presence.Section) (reply presence.Reply, err error) {
	s.do(name, func(p *memoryProject, now time.Time) {
		_, err = p.roster.Move(now, from, to)
		reply.Version = p.roster.Version()
	})
	return reply, err
}

func (s *memoryStore) Save(_ context.Context, name presence.Project, user presence.User, saved presence.Saved) (reply presence.Reply, err error) {
	s.do(name, func(p *memoryProject, now time.Time) {
		p.roster.Save(now, user, saved)
		reply.Version = p.roster.Version()
	})
	return reply, nil
}

func (s *memoryStore) Snapshot(_ context.Context, name presence.Project) (snapshot *presence.Snapshot, err error) {
	s.do(name, func(p *memoryProject, now time.Time) { snapshot = p.roster.Snapshot(now) })
	return snapshot, nil
}

// FreshSnapshot is Snapshot, since no other process has the data.
func (s *memoryStore) FreshSnapshot(ctx context.Context, name presence.Project) (*presence.Snapshot, error) {
	return s.Snapshot(ctx, name)
}

func (s *memoryStore) Watch(name presence.Project, wake func()) (stop func()) {
	s.do(name, func(p *memoryProject, _ time.Time) { p.watches[&wake] = true })
	return func() { s.do(name, func(p *memoryProject, _ time.Time) { delete(p.watches, &wake) }) }
}

// Run wakes watches when sessions expire, until ctx ends.
func (s *memoryStore) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		names := make([]presence.Project, 0, len(s.projects))
		for name := range s.projects {
			names = append(names, name)
		}
		s.mu.Unlock()
		for _, name := range names {
			s.do(name, func(p *memoryProject, now time.Time) { p.roster.Expire(now) })
		}
	}
}

// testMemoryStore runs the suite, each test in a bubble of its own, in which waiting takes no time. In your package
// it is a test: func TestMemoryStore(t *testing.T).
func testMemoryStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemoryStore()
			go store.Run(t.Context())
			test(t, &storetest.Subject{
				Store: store, Lease: presence.DefaultLease, Now: time.Now, Grain: time.Second,
				Pass:     func(d time.Duration) { time.Sleep(d); synctest.Wait() },
				Volatile: true,                                   // no reply is Durable
				Restart:  func() presence.Store { return store }, // the data lives as long as the process
			})
		})
	})
}

// A store of one's own, and its test against the contract.
func ExampleRun() {
	service := presence.NewService(newMemoryStore())
	alice, _ := presence.NewUser("1", "Alice", false)
	bob, _ := presence.NewUser("2", "Bob", false)
	for _, user := range []presence.User{alice, bob} {
		reply, err := service.Update(context.Background(), "thesis", user, presence.Update{Section: "abstract"})
		fmt.Println(user.Name, "meets", len(reply.Conflicts), "others:", err)
	}
	// Output:
	// Alice meets 0 others: <nil>
	// Bob meets 1 others: <nil>
}
