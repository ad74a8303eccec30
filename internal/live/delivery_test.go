package live_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestChangeReachesOtherConnectionsAtOnce(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, ack, snapshot := w.Join(w.As("Alice", "1"), `{"session": "a", "seq": 1, "section": "abstract"}`)
		if ack.Seq != 1 || ack.Activity != "editing" || ack.You == nil || ack.You.Username != "Alice" || ack.Conflicts == nil {
			t.Errorf("hello: got %s, want seq 1, editing, user Alice and conflicts", ack.Text)
		}
		if servertest.Names(snapshot.Users) != "Alice" || snapshot.Version != ack.Version {
			t.Errorf("snapshot: got %s, want Alice at version %d", snapshot.Text, ack.Version)
		}
		began := time.Now()
		_, ack, snapshot = w.Join(w.As("Bob", "2"), `{"session": "b", "seq": 1, "section": "abstract"}`)
		if servertest.Names(ack.Conflicts) != "Alice" || servertest.Names(snapshot.Users) != "Alice Bob" {
			t.Errorf("Bob's hello: got %s and %s, want a conflict with Alice, and both listed", ack.Text, snapshot.Text)
		}
		delta := alice.Next("delta")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("delta for Alice: got it after %v, want 100ms at most", took)
		}
		if servertest.Names(delta.Changed) != "Bob" || len(delta.At) != 1 || delta.At[0] != 1 || delta.Version != snapshot.Version {
			t.Errorf("delta for Alice: got %s, want Bob at place 1 and version %d", delta.Text, snapshot.Version)
		}
	})
}

// slowReads is a store that takes some time to read a snapshot.
type slowReads struct {
	presence.Store
	took time.Duration
}

func (s *slowReads) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	defer time.Sleep(s.took)
	return s.Store.Snapshot(ctx, p)
}

// pausesOf50Milliseconds makes broadcasts expensive, so that rooms pause as long as they may.
func pausesOf50Milliseconds(p *servertest.Config) {
	p.WrapStore = func(store presence.Store) presence.Store { return &slowReads{store, 15 * time.Millisecond} }
}

func TestChangesDuringThePauseOfARoomShareOneDelta(t *testing.T) { // case 32
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a"`)
		alice.Pending()
		var people []*servertest.Client
		for i := range 10 {
			people = append(people, w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+10))))
		}
		began := time.Now()
		for _, p := range people {
			go p.Update(`{"section": "s"}`) // Update waits for a commit
			synctest.Wait()
		}
		if took := time.Since(began); took >= 15*time.Millisecond {
			t.Fatalf("ten updates took %v, want less than 15 ms", took)
		}
		first := alice.Next("delta")
		began = time.Now()
		second := alice.Next("delta")
		if took := time.Since(began); took != 65*time.Millisecond {
			t.Errorf("second delta: got it %v after the first, want the pause of 50 ms and 15 ms to read", took)
		}
		if len(first.Changed) != 1 || len(second.Changed) != 9 || first.Base != snapshot.Version || second.Base != first.Version || len(first.Left)+len(second.Left) != 0 {
			t.Errorf("after version %d: got %s and %s, want one change and then nine", snapshot.Version, first.Text, second.Text)
		}
		alice.ExpectNothing(time.Minute)
	}, pausesOf50Milliseconds)
}

func TestChangesInASmallRoomDoNotWait(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice.Pending()
		for i, want := range []time.Duration{1, 5, 5} { // ms to read it, and after a change before it 4 ms of pause
			began := time.Now()
			bob.Send("update", fmt.Sprintf(`"seq": %d, "section": "s%[1]d"`, i+2))
			if alice.Next("delta"); time.Since(began) != want*time.Millisecond {
				t.Errorf("change %d: got it after %v, want %d ms", i, time.Since(began), want)
			}
		}
	}, func(p *servertest.Config) {
		p.WrapStore = func(store presence.Store) presence.Store { return &slowReads{store, time.Millisecond} }
	})
}

// slowUpdates is a store that takes a second to answer an update, which is visible at once.
type slowUpdates struct{ presence.Store }

func (s *slowUpdates) Update(ctx context.Context, p presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	defer time.Sleep(time.Second)
	return s.Store.Update(ctx, p, user, u)
}

func TestOwnChangeArrivesWithItsAck(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice.Pending()
		time.Sleep(time.Second) // bob's snapshot is sent
		began := time.Now()
		bob.Send("update", `"seq": 2, "section": "s"`)
		if alice.Next("delta"); time.Since(began) != 0 {
			t.Errorf("alice got the change after %v, want at once", time.Since(began))
		}
		bob.Next("ack")
		if delta := bob.Next("delta"); time.Since(began) < time.Second || delta.Changed[0].Section != "s" {
			t.Errorf("bob got %s after %v, want his change with the ack", delta.Text, time.Since(began))
		}
		began = time.Now()
		bob.Send("update", `"seq": 3, "section": "t"`)
		alice.Next("delta")
		alice.Send("update", `"seq": 2, "section": "s"`)
		if first, second := bob.Next("delta"), bob.Next("delta"); servertest.Names(first.Changed) != "bob" || servertest.Names(second.Changed) != "alice" {
			t.Errorf("bob got %s and %s, want his change and then alice's", first.Text, second.Text)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("while his update was being stored, bob got the change of another user after %v, want at once", took)
		}
		bob.Next("ack")
	}, func(p *servertest.Config) {
		p.WrapStore = func(store presence.Store) presence.Store { return &slowUpdates{store} }
	})
}

func TestMoveIsOneChangeAndRenewalSendsNothing(t *testing.T) { // cases 30, 34
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob.Pending()
		alice.Send("update", `"seq": 2, "section": "t"`)
		if delta := bob.Next("delta"); servertest.Names(delta.Changed) != "alice" || len(delta.Left) != 0 || delta.Changed[0].Section != "t" || delta.At[0] != 0 {
			t.Errorf("alice's move: got %s, want her in changed, in section t", delta.Text)
		}
		alice.Pending()
		for seq := range 3 {
			alice.Send("update", fmt.Sprintf(`"seq": %d, "section": "t"`, seq+3))
			alice.Next("ack")
			bob.ExpectNothing(30 * time.Second)
		}
		alice.ExpectNothing(0)
	})
}

func TestDeltaHasCountWhenNotAllAreListed(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		for i := range presence.MaxListed - 1 {
			w.As(fmt.Sprintf("writer %04d", i), "").Update(`{}`)
		}
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a"`)
		if len(snapshot.Users) != presence.MaxListed || snapshot.Count != 0 {
			t.Errorf("1000 users: got %d listed and count %d, want all and no count", len(snapshot.Users), snapshot.Count)
		}
		w.As("zoe", "2").Update(`{}`)
		if delta := alice.Next("delta"); len(delta.Changed)+len(delta.Left) != 0 || delta.Count != presence.MaxListed+1 {
			t.Errorf("user 1001: got %s, want only the count", delta.Text)
		}
		w.As("bob", "3").Update(`{}`)
		if delta := alice.Next("delta"); servertest.Names(delta.Changed) != "bob" || delta.At[0] != 1 || len(delta.Left) != 1 || delta.Count != presence.MaxListed+2 {
			t.Errorf("user 1002, early in the order: got %s, want bob at place 1, one in left and the count", delta.Text)
		}
	})
}

func TestSlowReaderGetsNewestSnapshotAndDelaysNobody(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		slow, _, _ := w.Join(w.As("slow", "1"), `"session": "s"`)
		quick, _, _ := w.Join(w.As("quick", "2"), `"session": "q"`)
		p := w.As("zoe", "3")
		p.Update(`{"session": "z"}`)
		slow.Pending()
		quick.Pending()
		slow.StopReading()
		goroutines := runtime.NumGoroutine()
		var newest uint64
		for i := range 50 {
			newest = p.Update(fmt.Sprintf(`{"session": "z", "section": "s%d"}`, i)).Version
			began := time.Now()
			if delta := quick.Next("delta"); delta.Version != newest || time.Since(began) > 10*time.Millisecond {
				t.Errorf("after %v: got %s, want version %d at once", time.Since(began), delta.Text, newest)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if grown := runtime.NumGoroutine() - goroutines; grown > 5 { // a few are short-lived
			t.Errorf("got %d more goroutines for a blocked reader, want 5 at most", grown)
		}
		slow.ResumeReading()
		got := slow.Pending()
		if len(got) != 2 || got[0].Type != "delta" || got[1].Type != "snapshot" || got[1].Version != newest || got[1].Users[2].Section != "s49" {
			t.Errorf("after fifty changes: got %v, want the delta in flight and the newest snapshot", got)
		}
		slow.Send("update", "")
		if ack := slow.Next("ack"); ack.Version != newest {
			t.Errorf("update after that: got %s, want version %d", ack.Text, newest)
		}
		p.Update(`{"session": "z", "section": "t"}`)
		if delta := slow.Next("delta"); delta.Base != newest {
			t.Errorf("change after that: got %s, want a delta from %d", delta.Text, newest)
		}
	})
}

func TestConnectionThatNeverReadsIsClosed(t *testing.T) {
	for name, what := range map[string]func(*servertest.Socket){
		"sends nothing": func(*servertest.Socket) {},
		"sends updates": func(s *servertest.Socket) { s.Send("update", `"section": "s"`) },
		"sends pongs":   func(s *servertest.Socket) { s.SendFrame(0x8a, nil) },
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				deaf, _, _ := w.Join(w.As("deaf", "1"), `"session": "s", "section": "s"`)
				watcher := w.As("watcher", "9")
				p := w.As("zoe", "3")
				deaf.StopReading()
				var cut atomic.Bool
				go func() {
					for !cut.Load() {
						what(deaf)
						time.Sleep(5 * time.Second)
					}
				}()
				before := runtime.NumGoroutine()
				for i := range 55 {
					p.Update(fmt.Sprintf(`{"session": "z", "section": "s%d"}`, i))
					time.Sleep(time.Second)
					if grown := runtime.NumGoroutine() - before; grown > 5 {
						t.Fatalf("after %d s: got %d more goroutines, want 5 at most", i, grown)
					}
				}
				cut.Store(true)
				time.Sleep(16 * time.Second)
				if got := servertest.Names(*watcher.List().Users); got != "zoe" {
					t.Errorf("listed after a minute: got %q, want zoe, since the blocked reader was closed and its session ended", got)
				}
				deaf.ResumeReading()
				deaf.ExpectClose(0)
			})
		})
	}
}
