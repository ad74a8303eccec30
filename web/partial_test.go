package web_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	presence "writer-presence"
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
