package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

var errDown = fmt.Errorf("%s: %w", cause, presence.ErrUnavailable)

func TestLiveRule13WhatTheStoreDoesNotTakeIsNotAcked(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b", "seq": 1`)
		alice.all()
		store.fails(errDown, nil)
		for _, kind := range []string{"update", "leave"} {
			alice.say(kind, `"seq": 2, "section": "t"`)
			alice.next("error").isUnavailable(t, 2)
		}
		if logged := w.logs.String(); strings.Count(logged, "10.1.2.3") != 1 {
			t.Errorf("the log is %q; due is one line for both failures, with the cause", logged)
		}
		carol := w.come(w.as("carol", "3"))
		carol.say("hello", `"session": "c", "seq": 1`)
		carol.next("error").isUnavailable(t, 1)
		carol.ends(1008)
		bob.quiet(10 * time.Second)
		store.fails(nil, nil)
		alice.say("update", `"seq": 2, "section": "t"`)
		if ack := alice.ack(); ack.Stale || ack.You.Section != "t" {
			t.Errorf("when the store was back, the same message was answered %s", ack.text)
		}
		bob.next("delta")
	}, store.behind)
}

func TestLiveAStoreThatFailsIsNoMistakeOfTheClient(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1`)
		store.fails(errDown, nil)
		for seq := range uint64(20) { // as often as it is told to try again
			alice.say("update", `"seq": `+number(seq+2))
			alice.next("error").isUnavailable(t, seq+2)
			time.Sleep(time.Second)
		}
	}, store.behind)
}

func TestLiveRule13WhoIsHereIsToldToBeUnknownOnceAndThenHowThingsAre(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b", "seq": 1`)
		alice.all()
		p := w.as("zoe", "3")
		for round := range 2 {
			store.fails(nil, errDown)
			p.update(fmt.Sprintf(`{"section": "s%d"}`, round))
			for _, s := range []*socket{alice, bob} {
				s.next("error").isUnavailable(t, 0)
			}
			if n := strings.Count(w.logs.String(), "level=ERROR"); n != 1 {
				t.Errorf("outage %d within a minute, with two who watch: the log has %d errors; due: 1", round+1, n)
			}
			p.update(fmt.Sprintf(`{"section": "t%d"}`, round))
			alice.quiet(19*time.Second + 500*time.Millisecond) // between two looks
			store.fails(nil, nil)
			now := p.update(fmt.Sprintf(`{"section": "u%d"}`, round)).Version
			for _, s := range []*socket{alice, bob} {
				began := time.Now()
				if m := s.next("snapshot"); names(m.Users) != "alice bob zoe" || m.Version != now || time.Since(began) > time.Second {
					t.Errorf("when the store was back there came %s, after %v; due is how things are, at version %d", m.text, time.Since(began), now)
				}
			}
			now = p.update(fmt.Sprintf(`{"section": "v%d"}`, round)).Version
			if m := alice.next("delta"); m.Version != now {
				t.Errorf("afterwards there came %s", m.text)
			}
			bob.next("delta")
		}
		alice.quiet(10 * time.Second)
	}, store.behind)
}

func TestLiveRule13WhoIsHereIsToldThoughNothingChangedMeanwhile(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, ack, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		store.fails(nil, errDown)
		alice.say("update", `"seq": 2, "section": "s", "known_version": `+number(ack.Version))
		alice.next("ack")
		alice.next("error").isUnavailable(t, 0)
		store.fails(nil, nil)
		if m := alice.next("snapshot"); m.Version != ack.Version {
			t.Errorf("there came %s; due is how things are, as before", m.text)
		}
	}, store.behind)
}

func TestLiveRule13WhoComesWhileItIsUnknownIsToldSo(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		store.fails(nil, errDown)
		w.as("zoe", "3").update(`{}`)
		alice.next("error")
		time.Sleep(5 * time.Second)
		bob := w.come(w.as("bob", "2"))
		bob.say("hello", `"session": "b"`)
		bob.next("ack")
		bob.next("error").isUnavailable(t, 0)
		store.fails(nil, nil)
		bob.next("snapshot")
		alice.next("snapshot")
	}, store.behind)
}

func TestLiveRule13TheLastWordIsThatItIsKnownAgain(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		slow, _, _ := w.enter(w.as("slow", "1"), `"session": "s"`)
		p := w.as("zoe", "3")
		p.update(`{"section": "a"}`)
		slow.all()
		slow.deaf()
		p.update(`{"section": "b"}`) // is on its way
		time.Sleep(time.Second)
		store.fails(nil, errDown)
		p.update(`{"section": "c"}`)
		time.Sleep(2 * time.Second)
		store.fails(nil, nil)
		time.Sleep(2 * time.Second)
		slow.hears()
		came := slow.all()
		if last := came[len(came)-1]; len(came) != 2 || last.Type != "snapshot" || last.Users[1].Section != "c" {
			t.Errorf("the store is back, and there came %v; due is what was on its way, and the newest state", came)
		}
	}, store.behind)
}

func TestLiveAProjectIsWatchedOnceForAsLongAsSomebodyIsConnected(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		watched := func(due int) {
			t.Helper()
			time.Sleep(time.Second)
			store.mu.Lock()
			defer store.mu.Unlock()
			if store.watches != due {
				t.Errorf("the store is watched %d times; due is %d", store.watches, due)
			}
		}
		for range 2 {
			watched(0)
			alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a"`)
			bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b"`)
			watched(1)
			alice.say("leave", "")
			watched(1)
			bob.conn.Close()
		}
		watched(0)
	}, store.behind)
}

func TestLiveAFaultOfOursIsToldAndItsCauseIsNot(t *testing.T) {
	store := &frail{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1`)
		store.fails(errors.New(cause), nil)
		alice.say("update", `"seq": 2`)
		if m := alice.next("error"); m.Code != "broken" || strings.Contains(m.text, "canary") || !strings.Contains(w.logs.String(), "10.1.2.3") {
			t.Errorf("there came %s, and the log is %q; due is the cause in the log alone", m.text, w.logs.String())
		}
	}, store.behind)
}

func TestLiveWhatIsNotAsUsualIsInTheAck(t *testing.T) {
	store := &frail{volatile: true}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, ack, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1`)
		alice.say("update", `"seq": 2`)
		for _, m := range []message{ack, alice.next("ack")} {
			if m.Heartbeat != 45 || m.Durable == nil || *m.Durable {
				t.Errorf("there came %s; due is the heartbeat of 45 s, and that the disk fails", m.text)
			}
		}
	}, store.behind, func(p *plan) { p.Heartbeat = 45 * time.Second })
	inLive(t, func(t *testing.T, w *liveWorld) {
		if _, ack, _ := w.enter(w.as("alice", "1"), `"session": "a"`); strings.Contains(ack.text, "heartbeat") || ack.Durable != nil {
			t.Errorf("as usual, there came %s", ack.text)
		}
	})
}

// brokenStore is a store that breaks when it is asked who is here, or told who leaves.
type brokenStore struct{ presence.Store }

func (brokenStore) Snapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	panic("a fault of ours")
}

func (brokenStore) Leave(context.Context, presence.Project, presence.User, presence.Leave) (presence.Reply, error) {
	panic("a fault at the end")
}

// breaksOnce is a store that does so once.
type breaksOnce struct {
	presence.Store
	breaks *atomic.Bool
}

func (s breaksOnce) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if s.breaks.Swap(false) {
		panic("a fault of ours")
	}
	return s.Store.Snapshot(ctx, p)
}

func TestLiveALookThatBreaksIsTakenAgain(t *testing.T) {
	var breaks atomic.Bool
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1`)
		breaks.Store(true)
		w.as("bob", "2").update(`{"section": "s"}`)
		if delta := alice.next("delta"); names(delta.Changed) != "bob" {
			t.Errorf("there came %s; due is that bob is there", delta.text)
		}
	}, func(p *plan) {
		p.Store = func(s presence.Store) presence.Store { return breaksOnce{s, &breaks} }
	})
}

func TestLiveWhatBreaksBesideTheConnectionsEndsNothingElse(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice := w.come(w.as("alice", "1"))
		alice.say("hello", `"session": "a", "seq": 1`)
		alice.next("ack")
		time.Sleep(time.Second)
		alice.say("update", `"seq": 2, "section": "s"`)
		if ack := alice.next("ack"); ack.Activity != "editing" {
			t.Errorf("afterwards alice was answered %s", ack.text)
		}
		if !strings.Contains(w.logs.String(), "a fault of ours") {
			t.Error("the log does not say what broke")
		}
		alice.conn.Close()
		bob := w.come(w.as("bob", "2"))
		bob.say("hello", `"session": "b"`)
		bob.next("ack")
		bob.say("leave", `"seq": 1`) // which breaks while a message is taken in
		bob.ends(1011)
		time.Sleep(time.Second)
		if n := strings.Count(w.logs.String(), "a fault at the end"); n != 2 {
			t.Errorf("the log tells %d times what broke at the end; due is of alice's end, and of bob's leave", n)
		}
		time.Sleep(time.Minute)
		if n := strings.Count(w.logs.String(), "a fault at the end"); n != 3 {
			t.Errorf("a minute later the log tells %d times what broke at the end; due is of bob's end, too", n)
		}
	}, func(p *plan) {
		p.Store = func(s presence.Store) presence.Store { return brokenStore{s} }
	})
}
