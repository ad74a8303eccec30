package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

var errDown = fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable)

func TestFailedUpdateGetsErrorInsteadOfAck(t *testing.T) { // rule 13
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b", "seq": 1`)
		alice.Pending()
		store.Fail(errDown, nil)
		for _, kind := range []string{"update", "leave"} {
			alice.Send(kind, `"seq": 2, "section": "t"`)
			alice.Next("error").ExpectUnavailable(t, 2)
		}
		if logged := w.Logs.String(); strings.Count(logged, "10.1.2.3") != 1 {
			t.Errorf("log: got %q, want one line with the cause for both failures", logged)
		}
		carol := w.ConnectAs(w.As("carol", "3"))
		carol.Send("hello", `"session": "c", "seq": 1`)
		carol.Next("error").ExpectUnavailable(t, 1)
		carol.ExpectClose(1008)
		bob.ExpectNothing(10 * time.Second)
		store.Fail(nil, nil)
		alice.Send("update", `"seq": 2, "section": "t"`)
		if ack := alice.SkipTo("ack"); ack.Stale || ack.You.Section != "t" {
			t.Errorf("the same message after the outage: got %s, want section t", ack.Text)
		}
		bob.Next("delta")
	}, store.Install)
}

func TestStoreFailuresAreNotCountedAsMistakes(t *testing.T) {
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
		store.Fail(errDown, nil)
		for seq := range uint64(20) { // one each retry_after
			alice.Send("update", `"seq": `+fmt.Sprint(seq+2))
			alice.Next("error").ExpectUnavailable(t, seq+2)
			time.Sleep(time.Second)
		}
	}, store.Install)
}

func TestOutageSendsOneErrorAndThenSnapshot(t *testing.T) { // rule 13
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b", "seq": 1`)
		alice.Pending()
		p := w.As("zoe", "3")
		for round := range 2 {
			store.Fail(nil, errDown)
			p.Update(fmt.Sprintf(`{"section": "s%d"}`, round))
			for _, s := range []*servertest.Socket{alice, bob} {
				s.Next("error").ExpectUnavailable(t, 0)
			}
			if n := strings.Count(w.Logs.String(), "level=ERROR"); n != 1 {
				t.Errorf("log after outage %d within a minute: got %d errors, want 1", round+1, n)
			}
			p.Update(fmt.Sprintf(`{"section": "t%d"}`, round))
			alice.ExpectNothing(19*time.Second + 500*time.Millisecond) // between two retries
			store.Fail(nil, nil)
			now := p.Update(fmt.Sprintf(`{"section": "u%d"}`, round)).Version
			for _, s := range []*servertest.Socket{alice, bob} {
				began := time.Now()
				if m := s.Next("snapshot"); servertest.Names(m.Users) != "alice bob zoe" || m.Version != now || time.Since(began) > time.Second {
					t.Errorf("after the outage: got %s after %v, want a snapshot at version %d", m.Text, time.Since(began), now)
				}
			}
			now = p.Update(fmt.Sprintf(`{"section": "v%d"}`, round)).Version
			if m := alice.Next("delta"); m.Version != now {
				t.Errorf("after that: got %s", m.Text)
			}
			bob.Next("delta")
		}
		alice.ExpectNothing(10 * time.Second)
	}, store.Install)
}

func TestSnapshotFollowsOutageWithoutChanges(t *testing.T) { // rule 13
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, ack, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		store.Fail(nil, errDown)
		alice.Send("update", `"seq": 2, "section": "s", "known_version": `+fmt.Sprint(ack.Version))
		alice.Next("ack")
		alice.Next("error").ExpectUnavailable(t, 0)
		store.Fail(nil, nil)
		if m := alice.Next("snapshot"); m.Version != ack.Version {
			t.Errorf("got %s, want a snapshot at the version before", m.Text)
		}
	}, store.Install)
}

func TestNewConnectionDuringOutageGetsError(t *testing.T) { // rule 13
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		store.Fail(nil, errDown)
		w.As("zoe", "3").Update(`{}`)
		alice.Next("error")
		time.Sleep(5 * time.Second)
		bob := w.ConnectAs(w.As("bob", "2"))
		bob.Send("hello", `"session": "b"`)
		bob.Next("ack")
		bob.Next("error").ExpectUnavailable(t, 0)
		store.Fail(nil, nil)
		bob.Next("snapshot")
		alice.Next("snapshot")
	}, store.Install)
}

func TestSlowReaderGetsSnapshotAfterOutage(t *testing.T) { // rule 13
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		slow, _, _ := w.Join(w.As("slow", "1"), `"session": "s"`)
		p := w.As("zoe", "3")
		p.Update(`{"section": "a"}`)
		slow.Pending()
		slow.StopReading()
		p.Update(`{"section": "b"}`) // is in flight
		time.Sleep(time.Second)
		store.Fail(nil, errDown)
		p.Update(`{"section": "c"}`)
		time.Sleep(2 * time.Second)
		store.Fail(nil, nil)
		time.Sleep(2 * time.Second)
		slow.ResumeReading()
		got := slow.Pending()
		if last := got[len(got)-1]; len(got) != 2 || last.Type != "snapshot" || last.Users[1].Section != "c" {
			t.Errorf("after the outage: got %v, want the delta in flight and the newest snapshot", got)
		}
	}, store.Install)
}

func TestRoomWatchesStoreOnceWhileConnected(t *testing.T) {
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		watched := func(want int) {
			t.Helper()
			time.Sleep(time.Second)
			if got := store.Watchers(); got != want {
				t.Errorf("got %d watches of the store, want %d", got, want)
			}
		}
		for range 2 {
			watched(0)
			alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
			bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
			watched(1)
			alice.Send("leave", "")
			watched(1)
			bob.Conn.Close()
		}
		watched(0)
	}, store.Install)
}

func TestCauseOfInternalErrorIsOnlyInTheLog(t *testing.T) {
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
		store.Fail(errors.New(servertest.SecretCause), nil)
		alice.Send("update", `"seq": 2`)
		if m := alice.Next("error"); m.Code != "broken" || strings.Contains(m.Text, "canary") || !strings.Contains(w.Logs.String(), "10.1.2.3") {
			t.Errorf("got %s and the log %q, want the cause only in the log", m.Text, w.Logs.String())
		}
	}, store.Install)
}

func TestAckHasHeartbeatAndDurableWhenNotDefault(t *testing.T) {
	store := &servertest.FlakyStore{NotDurable: true}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, ack, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
		alice.Send("update", `"seq": 2`)
		for _, m := range []servertest.Message{ack, alice.Next("ack")} {
			if m.Heartbeat != 45 || m.Durable == nil || *m.Durable {
				t.Errorf("got %s, want heartbeat 45 and durable false", m.Text)
			}
		}
	}, store.Install, func(p *servertest.Config) { p.Heartbeat = 45 * time.Second })
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		if _, ack, _ := w.Join(w.As("alice", "1"), `"session": "a"`); strings.Contains(ack.Text, "heartbeat") || ack.Durable != nil {
			t.Errorf("ack with default values: got %s, want neither heartbeat nor durable", ack.Text)
		}
	})
}

// brokenStore is a store that panics in Snapshot and Leave.
type brokenStore struct{ presence.Store }

func (brokenStore) Snapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	panic("Snapshot panics")
}

func (brokenStore) Leave(context.Context, presence.Project, presence.User, presence.Leave) (presence.Reply, error) {
	panic("Leave panics")
}

// breaksOnce is a store that panics in one Snapshot.
type breaksOnce struct {
	presence.Store
	breaks *atomic.Bool
}

func (s breaksOnce) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if s.breaks.Swap(false) {
		panic("Snapshot panics")
	}
	return s.Store.Snapshot(ctx, p)
}

func TestSnapshotIsReadAgainAfterPanic(t *testing.T) {
	var breaks atomic.Bool
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
		breaks.Store(true)
		w.As("bob", "2").Update(`{"section": "s"}`)
		if delta := alice.Next("delta"); servertest.Names(delta.Changed) != "bob" {
			t.Errorf("got %s, want bob in changed", delta.Text)
		}
	}, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { return breaksOnce{s, &breaks} }
	})
}

func TestPanicInStoreEndsOnlyItsCall(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := w.ConnectAs(w.As("alice", "1"))
		alice.Send("hello", `"session": "a", "seq": 1`)
		alice.Next("ack")
		time.Sleep(time.Second)
		alice.Send("update", `"seq": 2, "section": "s"`)
		if ack := alice.Next("ack"); ack.Activity != "editing" {
			t.Errorf("update after the panic: got %s, want editing", ack.Text)
		}
		if !strings.Contains(w.Logs.String(), "Snapshot panics") {
			t.Error("log: want the panic's value")
		}
		alice.Conn.Close()
		bob := w.ConnectAs(w.As("bob", "2"))
		bob.Send("hello", `"session": "b"`)
		bob.Next("ack")
		bob.Send("leave", `"seq": 1`) // panics while the message is handled
		bob.ExpectClose(1011)
		time.Sleep(time.Second)
		if n := strings.Count(w.Logs.String(), "Leave panics"); n != 2 {
			t.Errorf("log: got %d panics of Leave, want 2, of alice's connection and of bob's leave", n)
		}
		time.Sleep(time.Minute)
		if n := strings.Count(w.Logs.String(), "Leave panics"); n != 3 {
			t.Errorf("log a minute later: got %d panics of Leave, want 3, with that of bob's connection", n)
		}
	}, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { return brokenStore{s} }
	})
}
