package live_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// stuck is a store in which one method hangs for one project until release is closed.
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

func TestHangingStoreDelaysOnlyItsRoom(t *testing.T) { // invariant 10
	for _, call := range []string{"Watch", "stop", "Snapshot", "Update", "Leave"} {
		t.Run(call, func(t *testing.T) {
			store := &stuck{project: "slow", call: call}
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				there := strings.Replace(servertest.LivePath, "/p/", "/slow/", 1)
				slow := w.ConnectTo(there, "Authorization", "Bearer "+w.As("slow", "1").Token)
				slow.Send("hello", `"session": "a", "seq": 1`)
				time.Sleep(time.Second)
				switch call {
				case "stop":
					slow.Conn.Close() // the room ends with its last connection
				case "Leave":
					slow.Send("leave", `"seq": 2`)
				}
				time.Sleep(time.Second)
				if store.hanging.Load() == 0 {
					t.Fatalf("no %s hangs, so this test shows nothing", call)
				}

				began := time.Now()
				alice, _, _ := w.Join(w.As("alice", "11"), `"session": "a", "seq": 1, "section": "s"`)
				bob, _, _ := w.Join(w.As("bob", "12"), `"session": "b", "seq": 1`)
				alice.Pending()
				bob.Send("update", `"seq": 2, "section": "t"`)
				bob.SkipTo("ack")
				alice.Next("delta")
				bob.Send("leave", `"seq": 3`)
				alice.ExpectLeft("bob", 12.0, time.Minute)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("joining, moving and leaving in another room took %v, want 2s at most", took)
				}

				close(store.release)
				w.ConnectTo(there, "Authorization", "Bearer "+w.As("late", "13").Token).Send("hello", `"session": "l", "seq": 1`)
				time.Sleep(time.Second)
				if users := *w.As("late", "13").ExpectSuccess(w.As("late", "13").Do("GET", strings.Replace(there, "live", "list", 1), "")).Users; !strings.Contains(servertest.Names(users), "late") {
					t.Errorf("listed after the store continues: got %q, want late among them", servertest.Names(users))
				}
			}, func(p *servertest.Config) {
				p.WrapStore = func(s presence.Store) presence.Store {
					store.Store, store.release = s, make(chan struct{}) // made in the synctest bubble
					return store
				}
			})
		})
	}
}
