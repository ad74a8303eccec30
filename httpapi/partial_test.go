package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// partialStore is a store whose snapshots are partial while loss is above 0.
type partialStore struct {
	presence.Store
	loss atomic.Uint64
}

func (s *partialStore) install(p *servertest.Config) {
	p.WrapStore = func(store presence.Store) presence.Store { s.Store = store; return s }
}

func (s *partialStore) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	r, err := s.Store.Update(ctx, p, u, m)
	r.Partial = s.loss.Load() > 0
	return r, err
}

func (s *partialStore) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	whole, err := s.Store.Snapshot(ctx, p)
	if loss := s.loss.Load(); err == nil && loss > 0 {
		partial := &presence.Snapshot{Version: whole.Version + loss, Occupants: whole.Occupants, Count: whole.Count}
		partial.Partial, partial.Loss = true, loss
		return partial, nil
	}
	return whole, err
}

func TestListsAndRepliesSayIfTheyArePartial(t *testing.T) { // rule 13
	s := &partialStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		for _, loss := range []uint64{0, 1} {
			s.loss.Store(loss)
			alice := w.As("alice", "1")
			for _, r := range []servertest.Reply{alice.Update(`{"section": "a"}`), alice.List()} {
				if got := r.Partial != nil && *r.Partial; got != (loss > 0) || r.Partial != nil && !got {
					t.Errorf("after %d losses got partial %v", loss, r.Partial)
				}
			}
		}
	}, s.install)
}

func TestLiveClientsAreAskedOnceForEachLossToSendTheirState(t *testing.T) { // rule 13
	s := &partialStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "section": "manuscript/abstract"`)
		bob := w.As("bob", "2")
		wake := func(section string) { bob.Update(`{"session": "b", "section": "` + section + `"}`) }
		for loss := uint64(1); loss <= 2; loss++ {
			s.loss.Store(loss * 1000)
			wake("x")
			snapshot := alice.SkipTo("snapshot")
			if !strings.Contains(snapshot.Text, `"partial":true`) {
				t.Errorf("after loss %d there comes %s, want a partial snapshot", loss, snapshot.Text)
			}
			alice.Next("restate").ExpectGolden(t, "restate")
			wake("y")
			if delta := alice.Next("delta"); strings.Contains(delta.Text, "partial") {
				t.Errorf("got the delta %s", delta.Text)
			}
			s.loss.Store(0)
			wake("z")
			if whole := alice.Next("snapshot"); strings.Contains(whole.Text, "partial") {
				t.Errorf("when it is complete again there comes %s", whole.Text)
			}
		}
	}, s.install)
}

func TestPartialSnapshotOfANewConnectionIsTheGoldenMessage(t *testing.T) {
	s := &partialStore{}
	s.loss.Store(1000)
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a", "section": "manuscript/abstract"`)
		snapshot.ExpectGolden(t, "snapshot-partial")
		alice.Next("restate").ExpectGolden(t, "restate")
	}, s.install)
}

// laggingStore is the store of a node that returns an old snapshot, if it has one, instead of the shared data.
type laggingStore struct {
	presence.Store
	old atomic.Pointer[presence.Snapshot]
	// held makes reads of the old snapshot wait if it is not nil.
	held atomic.Pointer[chan struct{}]
}

func (s *laggingStore) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if old := s.old.Load(); old != nil {
		if held := s.held.Load(); held != nil {
			<-*held
		}
		return old, nil
	}
	return s.Store.Snapshot(ctx, p)
}

func (s *laggingStore) FreshSnapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	return s.Store.Snapshot(ctx, p)
}

// The clients have a newer version from another node, and poll or connect to a node that is behind.
func TestNoClientIsSentAnOlderVersionThanItHas(t *testing.T) {
	s := &laggingStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, bob := w.As("alice", "1"), w.As("bob", "2")
		alice.Update(`{"session": "a", "section": "old"}`)
		old, err := s.Store.Snapshot(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		there, _, _ := w.Join(bob, `"session": "b"`)
		there.Pending()
		seen := alice.Update(`{"session": "a", "section": "new"}`).Version
		there.Pending()
		s.old.Store(old)
		if r := bob.List(); r.Version >= seen {
			t.Fatalf("a list has version %d though the node is behind", r.Version)
		}
		for _, tag := range []string{fmt.Sprintf(`W/"%d"`, seen), fmt.Sprintf(`W/"%d-gzip"`, seen), fmt.Sprintf(`"x", W/"%d"`, seen)} {
			if r := bob.GetList("If-None-Match", tag); r.Status == 200 && strings.Contains(r.Body, fmt.Sprintf(`"version":%d`, old.Version)) {
				t.Errorf("If-None-Match %s got an older list", tag)
			}
		}
		there.Send("update", fmt.Sprintf(`"seq": 2, "known_version": %d`, seen))
		for _, m := range there.Pending() {
			if (m.Type == "snapshot" || m.Type == "delta") && m.Version < seen {
				t.Errorf("who has version %d is sent %s", seen, m.Text)
			}
		}
		// A read that began before the hello ends after it.
		late := w.ConnectAs(w.As("carol", "3"))
		held := make(chan struct{})
		s.held.Store(&held)
		s.old.Store(&presence.Snapshot{Version: old.Version - 1, Occupants: old.Occupants, Count: old.Count})
		alice.Update(`{"session": "a", "section": "newer"}`)
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		time.AfterFunc(50*time.Millisecond, func() { s.held.Store(nil); close(held) })
		late.Send("hello", fmt.Sprintf(`"session": "c", "known_version": %d`, seen))
		for _, m := range late.Pending() {
			if (m.Type == "snapshot" || m.Type == "delta") && m.Version < seen {
				t.Errorf("a hello with version %d is sent %s", seen, m.Text)
			}
		}
	}, func(p *servertest.Config) {
		p.WrapStore = func(store presence.Store) presence.Store { s.Store = store; return s }
	})
}
