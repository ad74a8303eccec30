package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// lossy is a store of which people may be missing while loss is above 0.
type lossy struct {
	presence.Store
	loss atomic.Uint64
}

func (s *lossy) behind(p *plan) {
	p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *lossy) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	r, err := s.Store.Update(ctx, p, u, m)
	r.Partial = s.loss.Load() > 0
	return r, err
}

func (s *lossy) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	whole, err := s.Store.Snapshot(ctx, p)
	if loss := s.loss.Load(); err == nil && loss > 0 {
		partial := presence.NewSnapshot(whole.Version+loss, whole.Occupants, whole.Count)
		partial.Partial, partial.Loss = true, loss
		return partial, nil
	}
	return whole, err
}

func TestListsAndAnswersSayThatTheyArePartial(t *testing.T) { // rule 13
	s := &lossy{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		for _, loss := range []uint64{0, 1} {
			s.loss.Store(loss)
			alice := w.as("alice", "1")
			for _, r := range []reply{alice.update(`{"section": "a"}`), alice.list()} {
				if got := r.Partial != nil && *r.Partial; got != (loss > 0) || r.Partial != nil && !got {
					t.Errorf("after %d losses an answer says partial: %v", loss, r.Partial)
				}
			}
		}
	}, s.behind)
}

func TestLiveConnectionsAreAskedOnceForEachLossToRestate(t *testing.T) { // rule 13
	s := &lossy{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "section": "manuscript/abstract"`)
		bob := w.as("bob", "2")
		wake := func(section string) { bob.update(`{"session": "b", "section": "` + section + `"}`) }
		for loss := uint64(1); loss <= 2; loss++ {
			s.loss.Store(loss * 1000)
			wake("x")
			snapshot := alice.skip("snapshot")
			if !strings.Contains(snapshot.text, `"partial":true`) {
				t.Errorf("after loss %d there comes %s; due: a partial snapshot", loss, snapshot.text)
			}
			alice.next("restate").isGolden(t, "restate")
			wake("y")
			if delta := alice.next("delta"); strings.Contains(delta.text, "partial") {
				t.Errorf("a delta says %s", delta.text)
			}
			s.loss.Store(0)
			wake("z")
			if whole := alice.next("snapshot"); strings.Contains(whole.text, "partial") {
				t.Errorf("when it is complete again there comes %s", whole.text)
			}
		}
	}, s.behind)
}

func TestThePartialSnapshotOfANewConnectionIsTheGoldenOne(t *testing.T) {
	s := &lossy{}
	s.loss.Store(1000)
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, snapshot := w.enter(w.as("alice", "1"), `"session": "a", "section": "manuscript/abstract"`)
		snapshot.isGolden(t, "snapshot-partial")
		alice.next("restate").isGolden(t, "restate")
	}, s.behind)
}

// lagging is a store of a node that is behind the data that all nodes share, while it has an old
// snapshot.
type lagging struct {
	presence.Store
	old atomic.Pointer[presence.Snapshot]
	// held has reads of the old snapshot wait, if it is not nil.
	held atomic.Pointer[chan struct{}]
}

func (s *lagging) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if old := s.old.Load(); old != nil {
		if held := s.held.Load(); held != nil {
			<-*held
		}
		return old, nil
	}
	return s.Store.Snapshot(ctx, p)
}

func (s *lagging) FreshSnapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	return s.Store.Snapshot(ctx, p)
}

// TestNobodyIsSentLessThanTheyHave has clients that have seen a newer version elsewhere poll, and come
// live, at a node that is behind.
func TestNobodyIsSentLessThanTheyHave(t *testing.T) {
	s := &lagging{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, bob := w.as("alice", "1"), w.as("bob", "2")
		alice.update(`{"session": "a", "section": "old"}`)
		old, err := s.Store.Snapshot(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		there, _, _ := w.enter(bob, `"session": "b"`)
		there.all()
		seen := alice.update(`{"session": "a", "section": "new"}`).Version
		there.all()
		s.old.Store(old)
		if r := bob.list(); r.Version >= seen {
			t.Fatalf("a list has version %d though the node is behind", r.Version)
		}
		for _, tag := range []string{fmt.Sprintf(`W/"%d"`, seen), fmt.Sprintf(`W/"%d-gzip"`, seen), fmt.Sprintf(`"x", W/"%d"`, seen)} {
			if r := bob.get("If-None-Match", tag); r.status == 200 && strings.Contains(r.body, fmt.Sprintf(`"version":%d`, old.Version)) {
				t.Errorf("If-None-Match %s is answered with an older list", tag)
			}
		}
		there.say("update", fmt.Sprintf(`"seq": 2, "known_version": %d`, seen))
		for _, m := range there.all() {
			if (m.Type == "snapshot" || m.Type == "delta") && m.Version < seen {
				t.Errorf("who has version %d is sent %s", seen, m.text)
			}
		}
		// A read that began before the client came ends after it has said what it knows.
		late := w.come(w.as("carol", "3"))
		held := make(chan struct{})
		s.held.Store(&held)
		s.old.Store(presence.NewSnapshot(old.Version-1, old.Occupants, old.Count))
		alice.update(`{"session": "a", "section": "newer"}`)
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		time.AfterFunc(50*time.Millisecond, func() { s.held.Store(nil); close(held) })
		late.say("hello", fmt.Sprintf(`"session": "c", "known_version": %d`, seen))
		for _, m := range late.all() {
			if (m.Type == "snapshot" || m.Type == "delta") && m.Version < seen {
				t.Errorf("a hello with version %d is sent %s", seen, m.text)
			}
		}
	}, func(p *plan) {
		p.Store = func(store presence.Store) presence.Store { s.Store = store; return s }
	})
}
