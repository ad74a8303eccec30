package presence

import (
	"fmt"
	"testing"
	"time"
)

func TestRule8OlderUpdateDoesNotUndoLeave(t *testing.T) { // cases 2, 3
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 3})
	for _, seq := range []uint64{1, 2, 3} {
		if reply := r.update(alice, Update{Session: "x", Seq: seq, Section: "a"}); !reply.Stale || reply.Activity != "" || reply.You.Section != "" {
			t.Errorf("update %d is answered stale=%v, activity %q, section %q; want true, none, none", seq, reply.Stale, reply.Activity, reply.You.Section)
		}
		r.wantList()
	}
	r.update(alice, Update{Session: "x", Seq: 4, Section: "b"})
	r.wantList(`Alice editing "b" of ["b"]`)
}

func TestRule8LeaveBeforeTheFirstUpdateIsFinal(t *testing.T) { // rule 8
	r := newTestRoster(t)
	r.leave(alice, Leave{Session: "x", Seq: 2})
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.wantList()
}

func TestRule8UnnumberedUpdateDoesNotMakeOlderOnesCount(t *testing.T) { // rule 8
	r := newTestRoster(t)
	r.leave(alice, Leave{Session: "x", Seq: 5})
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "x", Section: "b", Seq: 4})
	r.wantList(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "x"})
	r.update(alice, Update{Session: "x", Section: "b", Seq: 5})
	r.wantList()
}

func TestRule8EndIsKeptForTenMinutes(t *testing.T) { // rule 8
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1})
	r.leave(alice, Leave{Session: "x", Seq: 2})
	r.advance(Finality)
	if r.Forget(r.now) {
		t.Fatal("the end of the session is forgotten at ten minutes; want later")
	}
	r.update(alice, Update{Session: "x", Seq: 1})
	r.wantList()
	r.advance(1)
	if !r.Forget(r.now) {
		t.Fatal("the end of the session is kept for longer than ten minutes")
	}
}

func TestRule8ExpiryIsUndoneByNewerUpdatesOnly(t *testing.T) { // case 1
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a"})
	r.advance(DefaultLease + 1)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a"})
	r.wantList()
	version := r.Snapshot(r.now).Version
	if reply := r.update(alice, Update{Session: "x", Seq: 8, Section: "a"}); reply.Version <= version {
		t.Errorf("the heartbeat of an expired session lists it again, but the version stays %d", reply.Version)
	}
	r.wantList(`Alice editing "a" of ["a"]`)
}

// endSessions ends n sessions of Alice, every other one by a leave that overtakes its update.
func endSessions(r *testRoster, n int) {
	for i := range n {
		if i%2 == 0 {
			r.Update(r.now, alice, Update{Session: fmt.Sprint("s", i), Seq: 2, Section: "a"}) // rejected above MaxEnded
		}
		r.leave(alice, Leave{Session: fmt.Sprint("s", i), Seq: 4})
	}
}

func TestRule8OlderUpdateDoesNotUndoLeaveHoweverManyEnded(t *testing.T) { // rule 8, invariant 4
	for _, ends := range []int{MaxSessions + 1, MaxEnded, MaxEnded + 1, 2 * MaxEnded} {
		r := newTestRoster(t)
		endSessions(r, ends)
		r.advance(Finality - time.Minute)
		for i := range ends {
			for seq := range uint64(3) {
				r.Update(r.now, alice, Update{Session: fmt.Sprint("s", i), Seq: seq + 1, Section: "a"})
			}
		}
		r.wantList()
		if n := len(r.members[alice.ID].ended); n > MaxEnded {
			t.Errorf("of %d ended sessions %d are kept; the limit is %d", ends, n, MaxEnded)
		}
	}
}

func TestRule8NewTabIsAcceptedUntilAnEndIsDropped(t *testing.T) { // rule 8
	r := newTestRoster(t)
	endSessions(r, MaxEnded)
	r.update(alice, Update{Session: "new", Seq: 1, Section: "a"})
	r.wantList(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "new", Seq: 2})

	// One end was dropped, and an unknown session may be the one that it was of.
	tab := Update{Session: "newer", Seq: 1, Section: "b"}
	if _, _, err := r.Update(r.now, alice, tab); err != ErrTooManyChanges {
		t.Fatalf("an unknown session after %d ends: %v; want %v", MaxEnded+1, err, ErrTooManyChanges)
	}
	r.update(alice, Update{Section: "c"}) // a client that sends no seq
	r.update(bob, Update{Session: "newer", Seq: 1, Section: "b"})
	r.wantList(`Alice editing "c" of ["c"]`, `Bob editing "b" of ["b"]`)
	if reply := r.update(alice, Update{Session: "new", Seq: 3, Section: "a"}); reply.Stale {
		t.Error("a newer update of a session whose end is kept is stale")
	}
	r.advance(Finality + 1)
	r.update(alice, tab)
	r.wantList(`Alice editing "b" of ["b"]`)
}

func TestRule8LeaveIsFinalForASessionWhoseEndMayBeDropped(t *testing.T) { // rule 8
	r := newTestRoster(t)
	r.leave(alice, Leave{Session: "x", Seq: 7})
	endSessions(r, MaxEnded)
	r.advance(Finality) // the end of x was dropped
	r.leave(alice, Leave{Session: "x", Seq: 3})
	r.advance(1) // the dropped end does not count any more
	r.update(alice, Update{Session: "x", Seq: 5, Section: "a"})
	r.wantList()
	endSessions(r, MaxEnded)
	r.update(alice, Update{Session: "y", Section: "a"}) // unnumbered, while the end of y may have been dropped
	r.update(alice, Update{Session: "y", Seq: 5, Section: "b"})
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule8DroppedEndsStayFinalAfterARestart(t *testing.T) { // rule 8
	r := newTestRoster(t)
	for i := range MaxEnded + 50 { // a store keeps the rows of all that ended within Finality
		r.Restore(r.now, Record{User: alice, Session: fmt.Sprint("s", i), Seq: 4, LastSeen: r.now.Add(time.Duration(i))})
	}
	r.Update(r.now, alice, Update{Session: "s0", Seq: 3, Section: "a"})
	r.wantList()
}

func TestRule8LeaveWithOnlyLivingCountsForAnEndedSession(t *testing.T) { // rule 8
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.advance(DefaultLease + 1)
	r.leave(alice, Leave{Session: "x", Seq: 5, OnlyLiving: true})
	r.update(alice, Update{Session: "x", Seq: 4, Section: "a"})
	r.wantList()
}
