package httpapi_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// stuck is a store of which one kind of call hangs for one project until release is closed.
type stuck struct {
	presence.Store
	project presence.Project
	call    string
	release chan struct{}
	hanging atomic.Int32
}

func (s *stuck) wait(project presence.Project, call string) {
	if project == s.project && call == s.call {
		s.hanging.Add(1)
		<-s.release
	}
}

func (s *stuck) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	s.wait(p, "Update")
	return s.Store.Update(ctx, p, u, m)
}

func (s *stuck) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	s.wait(p, "Leave")
	return s.Store.Leave(ctx, p, u, m)
}

func (s *stuck) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	s.wait(p, "Snapshot")
	return s.Store.Snapshot(ctx, p)
}

func (s *stuck) Watch(p presence.Project, wake func()) (stop func()) {
	s.wait(p, "Watch")
	end := s.Store.Watch(p, wake)
	return func() {
		s.wait(p, "stop")
		end()
	}
}

func TestARoomWhoseStoreHangsHoldsUpNoOtherRoom(t *testing.T) {
	for _, call := range []string{"Watch", "stop", "Snapshot", "Update", "Leave"} {
		t.Run(call, func(t *testing.T) {
			store := &stuck{project: "slow", call: call}
			inLive(t, func(t *testing.T, w *liveWorld) {
				there := strings.Replace(livePath, "/p/", "/slow/", 1)
				slow := w.connectTo(there, "Authorization", "Bearer "+w.as("slow", "1").token)
				slow.say("hello", `"session": "a", "seq": 1`)
				time.Sleep(time.Second)
				switch call {
				case "stop":
					slow.conn.Close() // the room ends with its last connection
				case "Leave":
					slow.say("leave", `"seq": 2`)
				}
				time.Sleep(time.Second)
				if store.hanging.Load() == 0 {
					t.Fatalf("no %s hangs: this test would prove nothing", call)
				}

				began := time.Now()
				alice, _, _ := w.enter(w.as("alice", "11"), `"session": "a", "seq": 1, "section": "s"`)
				bob, _, _ := w.enter(w.as("bob", "12"), `"session": "b", "seq": 1`)
				alice.all()
				bob.say("update", `"seq": 2, "section": "t"`)
				bob.skip("ack")
				alice.next("delta")
				bob.say("leave", `"seq": 3`)
				alice.leaves("bob", 12.0, time.Minute)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("joining, moving and leaving in another room took %v", took)
				}

				close(store.release)
				w.connectTo(there, "Authorization", "Bearer "+w.as("late", "13").token).say("hello", `"session": "l", "seq": 1`)
				time.Sleep(time.Second)
				if users := *w.as("late", "13").succeed(w.as("late", "13").do("GET", strings.Replace(there, "live", "list", 1), "")).Users; !strings.Contains(names(users), "late") {
					t.Errorf("when the store goes on, listed are %q; want late among them", names(users))
				}
			}, func(p *plan) {
				p.Store = func(s presence.Store) presence.Store {
					store.Store, store.release = s, make(chan struct{}) // in the bubble
					return store
				}
			})
		})
	}
}
