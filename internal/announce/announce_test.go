package announce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice, bob = presence.User{ID: "1", Name: "Alice"}, presence.User{ID: "2", Name: "Bob"}

// server is a store with an announcer.
type server struct {
	*testing.T
	*sqlitestore.Store
	dir string
	end func() // ends both
	// accept answers a batch; nil accepts it.
	accept func(ctx context.Context, events []presence.Event) error

	mu   sync.Mutex
	sent []presence.Event
}

// start starts a server on a directory.
func start(t *testing.T, dir string, change func(*server, *Options)) *server {
	t.Helper()
	store, err := sqlitestore.Open(dir, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{T: t, Store: store, dir: dir}
	o := Options{Store: store, Send: s.send}
	if change != nil {
		change(s, &o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { New(o).Run(ctx) })
	stored, endStore := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(stored) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		endStore()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *server) send(ctx context.Context, events []presence.Event) error {
	s.mu.Lock()
	accept := s.accept
	s.sent = append(s.sent, events...)
	s.mu.Unlock()
	if accept != nil {
		return accept(ctx, events)
	}
	return nil
}

func (s *server) update(user presence.User, u presence.Update) {
	s.Helper()
	if _, err := s.Update(s.Context(), "p", user, u); err != nil {
		s.Fatal(err)
	}
}

func (s *server) leave(user presence.User, session string) {
	s.Helper()
	if _, err := s.Leave(s.Context(), "p", user, presence.Leave{Session: session}); err != nil {
		s.Fatal(err)
	}
}

// take returns what was sent since it was last called.
func (s *server) take() (events []presence.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.sent = s.sent, nil
	return events
}

func (s *server) want(what string, want ...string) []presence.Event {
	s.Helper()
	synctest.Wait()
	events := s.take()
	var texts []string
	for _, e := range events {
		text := fmt.Sprint(e.Type, " ", e.Section)
		for _, u := range e.Users {
			text += u.Name
		}
		texts = append(texts, text)
	}
	if !slices.Equal(texts, want) {
		s.Errorf("%s: the events are %q; want %q", what, texts, want)
	}
	return events
}

// killed copies the directory of a server as a kill at this moment leaves it.
func killed(s *server) string {
	s.Helper()
	left := s.TempDir()
	files, err := filepath.Glob(filepath.Join(s.dir, "presence.db*"))
	for _, path := range files {
		data, err2 := os.ReadFile(path)
		err = errors.Join(err, err2, os.WriteFile(filepath.Join(left, filepath.Base(path)), data, 0o600))
	}
	if err != nil {
		s.Fatal(err)
	}
	return left
}

func TestEventsFollowAChangeAfterThreeSeconds(t *testing.T) { // invariant 13
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), nil)
		time.Sleep(time.Minute)
		s.update(alice, presence.Update{Session: "a", Section: "s"})
		time.Sleep(2900 * time.Millisecond)
		s.want("before three seconds")
		time.Sleep(200 * time.Millisecond)
		s.want("after three seconds", "user.joined Alice", "section.occupied sAlice")
		s.leave(alice, "a")
		time.Sleep(time.Second)
		s.update(alice, presence.Update{Session: "b", Section: "s"})
		time.Sleep(time.Minute)
		s.want("after a reload")
		s.update(alice, presence.Update{Session: "b", Section: "t"})
		time.Sleep(time.Second)
		s.update(presence.User{ID: "3", Name: "Carol"}, presence.Update{Session: "c"}) // between two views
		time.Sleep(time.Minute)
		s.want("after two changes", "section.occupied tAlice", "section.vacated s", "user.joined Carol")
		for i := range 20 { // changes that follow each other all the time delay no others
			s.update(bob, presence.Update{Session: "b", Section: presence.Section(fmt.Sprint("s", i%2))})
			time.Sleep(time.Second)
		}
		if events := s.take(); len(events) == 0 || events[0].Users[0] != bob {
			t.Errorf("while a user moves all the time the events are %v; want that he joined", events)
		}
		time.Sleep(4 * time.Minute)
		s.take()
		if snapshot, err := s.Snapshot(t.Context(), "p"); err != nil || snapshot.Count != 0 {
			t.Fatalf("after the lease %d users are listed, %v", snapshot.Count, err)
		}
	})
}

func TestShortPauseOfAnEditorIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), nil)
		s.update(alice, presence.Update{Session: "a", Section: "s"})
		time.Sleep(time.Second) // the first view has Alice alone
		s.update(bob, presence.Update{Session: "b", Section: "s"})
		time.Sleep(10 * time.Second)
		s.want("at first", "user.joined Alice", "section.occupied sAliceBob", "user.joined Bob", "section.contested sAliceBob")
		edits := func(activity presence.Activity, then time.Duration) {
			s.update(bob, presence.Update{Session: "b", Section: "s", Activity: activity})
			time.Sleep(then)
		}
		edits(presence.Idle, 2*time.Second)
		edits(presence.Editing, 10*time.Second)
		s.want("after a pause of two seconds")
		edits(presence.Idle, 10*time.Second)
		edits(presence.Editing, 10*time.Second)
		s.want("after a pause of ten seconds", "section.contested sAliceBob")
	})
}

func TestExpiredSessionIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), nil)
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(10 * time.Second)
		s.want("after the begin", "user.joined Alice")
		time.Sleep(presence.DefaultLease)
		s.want("after the end", "user.left Alice")
	})
}

func TestKilledServerSendsTheSameEventsAgain(t *testing.T) { // invariant 13
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), func(s *server, _ *Options) {
			s.accept = func(ctx context.Context, _ []presence.Event) error { <-ctx.Done(); return ctx.Err() }
		})
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(4 * time.Second)
		first := s.want("before the kill", "user.joined Alice")
		s.leave(alice, "a") // what the receiver may have got is no longer true
		left := killed(s)
		s.end()
		again := start(t, left, nil)
		time.Sleep(20 * time.Second)
		events := again.want("after the kill", "user.joined Alice", "user.left Alice")
		if events[0].ID != first[0].ID || !events[0].At.Equal(first[0].At) || events[1].ID == first[0].ID {
			t.Errorf("the events are %v after %v; want the first one again with its id", events, first)
		}
		again.end()
		again = start(t, left, nil)
		time.Sleep(20 * time.Second)
		again.want("after an orderly restart")
	})
}

func TestSlowReceiverGetsTheNewestDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), func(s *server, _ *Options) {
			s.accept = func(context.Context, []presence.Event) error { time.Sleep(time.Minute); return nil }
		})
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(5 * time.Second)
		s.want("at first", "user.joined Alice")
		for i := range 5 {
			s.update(bob, presence.Update{Session: fmt.Sprint(i)})
			time.Sleep(5 * time.Second)
			s.leave(bob, fmt.Sprint(i))
			time.Sleep(5 * time.Second)
		}
		s.update(bob, presence.Update{Session: "last"})
		s.want("while the receiver is slow")
		time.Sleep(14500 * time.Millisecond) // 6.5 s after the receiver accepted
		s.want("then", "user.joined Bob")
		time.Sleep(time.Minute)
	})
}

func TestReceiverThatIsDownDelaysNoListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), func(s *server, o *Options) {
			o.LogEvents = true
			s.accept = func(context.Context, []presence.Event) error { time.Sleep(time.Minute); return nil }
		})
		_, at, _, err := s.Events(t.Context(), "", 1)
		logged := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			var page []presence.LoggedEvent
			page, at, _, err = s.Events(t.Context(), at, 10)
			if err != nil || len(page) != len(want) {
				t.Fatalf("%s: the log has %d more events, %v; want %d", what, len(page), err, len(want))
			}
			for i, l := range page {
				if text := string(l.Data); !strings.Contains(text, want[i]) {
					t.Errorf("%s: the log has %s; want %s", what, text, want[i])
				}
			}
		}
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(4 * time.Second)
		s.want("at first", "user.joined Alice")
		logged("at first", "user.joined")
		for i := range 2 {
			s.update(bob, presence.Update{Session: fmt.Sprint(i)})
			time.Sleep(10 * time.Second)
			logged("while the receiver is down", "user.joined")
			s.leave(bob, fmt.Sprint(i))
			time.Sleep(10 * time.Second)
			logged("while the receiver is down", "user.left")
		}
		s.update(bob, presence.Update{Session: "last"})
		time.Sleep(10 * time.Second)
		logged("at last", "user.joined")
		s.want("while the receiver is down")
		time.Sleep(12 * time.Second)
		s.want("once it is back", "user.joined Bob")
		time.Sleep(10 * time.Second)
		logged("afterwards")
		s.want("afterwards")
	})
}

func TestProcessWithoutReceiverLeavesTheEventsToAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := start(t, dir, nil)
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(10 * time.Second)
		s.want("with a receiver", "user.joined Alice")
		s.end()
		s = start(t, dir, func(_ *server, o *Options) { o.Send, o.LogEvents = nil, true })
		s.update(bob, presence.Update{Session: "b"})
		s.leave(alice, "a")
		time.Sleep(10 * time.Second)
		s.end()
		s = start(t, dir, nil)
		s.update(bob, presence.Update{Session: "b", Activity: presence.Viewing})
		time.Sleep(10 * time.Second)
		s.want("with a receiver again", "user.joined Bob", "user.left Alice")
	})
}

// unreachable is a store whose calls of some kinds fail.
type unreachable struct {
	Store
	mu     sync.Mutex
	fails  bool
	claims map[presence.Project]int
}

func (u *unreachable) Claim(ctx context.Context, p presence.Project, holder string, ttl time.Duration) (presence.Announcement, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.claims[p]++; u.fails {
		return presence.Announcement{}, false, presence.ErrUnavailable
	}
	return u.Store.Claim(ctx, p, holder, ttl)
}

func (u *unreachable) Renew(ctx context.Context, p presence.Project, holder string, ttl time.Duration) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fails && ttl > 0 {
		return false, presence.ErrUnavailable
	}
	return u.Store.Renew(ctx, p, holder, ttl)
}

func TestLostClaimEndsTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unreachable{claims: map[presence.Project]int{}}
		var ended time.Duration
		began := time.Now()
		s := start(t, t.TempDir(), func(s *server, o *Options) {
			u.Store, o.Store = o.Store, u
			s.accept = func(ctx context.Context, _ []presence.Event) error {
				<-ctx.Done()
				ended = time.Since(began)
				return ctx.Err()
			}
		})
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(5 * time.Second)
		first := s.want("at first", "user.joined Alice")
		u.mu.Lock()
		u.fails = true
		u.mu.Unlock()
		s.mu.Lock()
		s.accept = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		s.want("while the store is unavailable")
		if ended == 0 || ended > 5*time.Second+claimTime {
			t.Errorf("the sending ended after %v; want the end of the claim", ended)
		}
		u.mu.Lock()
		u.fails = false
		u.mu.Unlock()
		time.Sleep(10 * time.Second)
		if again := s.want("then", "user.joined Alice"); again[0].ID != first[0].ID {
			t.Errorf("the event has another id than before: %v, %v", again, first)
		}
	})
}

func TestProjectsBeyondTheLimitWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = maxRunning + 100
		var sending, most atomic.Int64
		s := start(t, t.TempDir(), func(s *server, _ *Options) {
			s.accept = func(context.Context, []presence.Event) error {
				most.Store(max(most.Load(), sending.Add(1)))
				defer sending.Add(-1)
				time.Sleep(10 * time.Second)
				return nil
			}
		})
		for i := range n {
			go func() { // together, because each waits for a commit
				if _, err := s.Update(t.Context(), presence.Project(fmt.Sprint(i)), alice, presence.Update{}); err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(time.Minute)
		projects := map[presence.Project]int{}
		for _, e := range s.take() {
			projects[e.Project]++
		}
		if most.Load() > maxRunning {
			t.Errorf("the events of %d projects were sent at a time; the limit is %d", most.Load(), maxRunning)
		}
		if len(projects) != n || slices.Max(slices.Collect(maps.Values(projects))) != 1 {
			t.Errorf("there are events of %d projects; want one event of each of %d", len(projects), n)
		}
	})
}

func TestLogHasTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, t.TempDir(), func(_ *server, o *Options) { o.Send, o.LogEvents = nil, true })
		_, end, _, err := s.Events(t.Context(), "", 1)
		if err != nil {
			t.Fatal(err)
		}
		s.update(presence.User{ID: "x", Name: "A<b", Visitor: false, Agent: true}, presence.Update{Session: "a", Section: "s", Saved: presence.Saved{Section: "s", Revision: "r"}})
		if _, err := s.Update(t.Context(), "a.example/p", alice, presence.Update{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		page, _, _, err := s.Events(t.Context(), end, 10)
		var texts []string
		for _, l := range page {
			var e map[string]any
			if err := json.Unmarshal(l.Data, &e); err != nil {
				t.Fatalf("%v: %s", err, l.Data)
			}
			e["data"].(map[string]any)["version"] = 0
			delete(e, "id")
			delete(e, "timestamp")
			text, _ := json.Marshal(e)
			texts = append(texts, string(text))
		}
		slices.Sort(texts)
		want := []string{
			`{"data":{"project":"p","revision":"r","section":"s","user":{"user_id":"x","username":"A\u003cb"},"version":0},"type":"section.saved"}`,
			`{"data":{"project":"p","section":"s","users":[{"agent":true,"user_id":"x","username":"A\u003cb"}],"version":0},"type":"section.occupied"}`,
			`{"data":{"project":"p","tenant":"a.example","user":{"user_id":1,"username":"Alice"},"version":0},"type":"user.joined"}`,
			`{"data":{"project":"p","user":{"agent":true,"user_id":"x","username":"A\u003cb"},"version":0},"type":"user.joined"}`,
		}
		if err != nil || !slices.Equal(texts, want) {
			t.Errorf("the log has, %v,\n%s\nwant\n%s", err, strings.Join(texts, "\n"), strings.Join(want, "\n"))
		}
	})
}

// sessionsFail is a store that cannot read sessions at times.
type sessionsFail struct {
	Store
	fails atomic.Bool
}

func (s *sessionsFail) Sessions(ctx context.Context, p presence.Project) (*presence.Snapshot, []presence.Record, error) {
	if s.fails.Load() {
		return nil, nil, presence.ErrUnavailable
	}
	return s.Store.Sessions(ctx, p)
}

func (s *sessionsFail) AppendEvents(ctx context.Context, events [][]byte) error {
	if s.fails.Load() {
		return presence.ErrUnavailable
	}
	return s.Store.AppendEvents(ctx, events)
}

func TestFailingStoreRepeatsNoDeliveryThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store sessionsFail
		s := start(t, t.TempDir(), func(s *server, o *Options) {
			store.Store, o.Store, o.LogEvents = o.Store, &store, true
			s.accept = func(context.Context, []presence.Event) error { time.Sleep(30 * time.Second); return nil }
		})
		s.update(alice, presence.Update{Session: "a"})
		time.Sleep(2 * time.Second)
		s.update(bob, presence.Update{Session: "b"})
		time.Sleep(2 * time.Second)
		s.want("at first", "user.joined Alice")
		store.fails.Store(true)
		time.Sleep(20 * time.Second)
		s.want("while the store fails")
		store.fails.Store(false)
		time.Sleep(20 * time.Second)
		s.want("then", "user.joined Bob")
		time.Sleep(40 * time.Second)
	})
}
