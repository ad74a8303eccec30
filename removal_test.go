package presence

import (
	"errors"
	"testing"
	"time"
)

func (r *testRoster) remove(id UserID, until time.Time) {
	r.Helper()
	if _, err := r.Remove(r.now, Removal{User: id, Until: until}); err != nil {
		r.Fatal(err)
	}
}

func TestRemovalHoldsUntilItsTimeAndNoLonger(t *testing.T) { // rule 24
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1})
	until := r.now.Add(time.Hour)
	r.remove(alice.ID, until)
	for _, c := range []struct {
		at      time.Time
		removed bool
	}{{r.now, true}, {until.Add(-1), true}, {until, false}} {
		if err := r.Snapshot(c.at).Removed(c.at, alice.ID); errors.Is(err, ErrRemoved) != c.removed {
			t.Errorf("%v before its end a removal says %v; want one: %v", until.Sub(c.at), err, c.removed)
		}
	}
	if err := r.Snapshot(r.now).Removed(r.now, bob.ID); err != nil {
		t.Errorf("the removal of Alice says %v of Bob", err)
	}
}

func TestRosterIsEmptyOnceItsRemovalsAreOver(t *testing.T) { // rule 24, invariant 11
	r := newTestRoster(t)
	r.remove("7", time.Time{})
	r.remove("8", r.now.Add(time.Hour))
	for _, c := range []struct {
		after time.Duration
		empty bool
		kept  int
	}{{time.Minute, false, 2}, {time.Minute + 1, false, 1}, {time.Hour, false, 1}, {time.Hour + 1, true, 0}} {
		at := r.now.Add(c.after)
		if empty := r.Forget(at); empty != c.empty || len(r.Snapshot(at).Removals) != c.kept {
			t.Errorf("after %v the roster is empty: %v, with %d removals; want %v, with %d", c.after, empty, len(r.Snapshot(at).Removals), c.empty, c.kept)
		}
	}
}

func TestRestoredRemovalsHoldAndAreNotWrittenAgain(t *testing.T) { // rule 24, invariant 6
	r := newTestRoster(t)
	r.remove(alice.ID, r.now.Add(time.Hour))
	written := r.UnwrittenRemovals()
	if len(written) != 1 || len(r.UnwrittenRemovals()) != 0 {
		t.Fatalf("a removal is returned as %+v to be written; want it once", written)
	}
	other := newTestRoster(t)
	other.RestoreRemoval(written[0])
	if _, _, err := other.Update(r.now, alice, Update{}); !errors.Is(err, ErrRemoved) || len(other.UnwrittenRemovals()) != 0 || other.Clock() < written[0].Version {
		t.Errorf("after a restored removal at %d an update is answered %v at %d; want ErrRemoved, not below", written[0].Version, err, other.Clock())
	}
	other.Forget(r.now.Add(2 * time.Hour))
	if dropped := other.UnwrittenRemovals(); len(dropped) != 1 || dropped[0].Version != 0 {
		t.Errorf("a dropped removal is returned as %+v; want Version 0", dropped)
	}
}
