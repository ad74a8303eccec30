package presence

import (
	"slices"
	"testing"
	"time"
)

// longName is a session name that nobody could guess.
const longName = "0123456789abcdef"

func TestUnguessableSessionMovesToItsPagesNewIdentity(t *testing.T) { // rule 7, case 46
	r := newTestRoster(t)
	r.update(alice, Update{Session: longName, Seq: 1, Section: "a"})
	reply := r.update(bob, Update{Session: longName, Seq: 2, Section: "a", UnlessOccupied: true})
	if len(reply.Conflicts) > 0 || reply.Activity != Editing {
		t.Errorf("the page is %s under its new identity, conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
	r.wantList(`Bob editing "a" of ["a"]`)
	if reply := r.update(alice, Update{Session: longName, Seq: 2, Section: "b"}); !reply.Stale {
		t.Error("an older message under the former identity took the session back")
	}
	r.leave(bob, Leave{Session: longName, Seq: 3})
	if reply := r.update(alice, Update{Session: longName, Seq: 2, Section: "b"}); !reply.Stale {
		t.Error("an older message under the former identity came after the leave and is not stale")
	}
	r.wantList()
	r.update(alice, Update{Session: longName, Seq: 4, Section: "a"})
	r.wantList(`Alice editing "a" of ["a"]`)
	if len(r.claims) != 1 || len(r.owners) != 1 {
		t.Errorf("claims %v and owners %v; want one each", r.claims, r.owners)
	}
}

func TestGuessableSessionNeverMoves(t *testing.T) { // rule 7, case 39
	for _, name := range []string{"", "tab", longName[1:]} {
		r := newTestRoster(t)
		r.update(alice, Update{Session: name, Section: "a"})
		if reply := r.update(bob, Update{Session: name, Section: "a"}); names(reply.Conflicts) != "Alice" {
			t.Errorf("session %q: conflicts %q; want Alice", name, names(reply.Conflicts))
		}
		r.leave(bob, Leave{Session: name})
		r.wantList(`Alice editing "a" of ["a"]`)
	}
}

func TestLeaveUnderAnotherIdentityEndsTheSession(t *testing.T) { // rules 7 and 8
	r := newTestRoster(t)
	r.update(alice, Update{Session: longName, Seq: 1, Section: "a"})
	r.leave(bob, Leave{Session: longName, Seq: 1}) // not newer than Alice's update: ends nothing
	r.wantList(`Alice editing "a" of ["a"]`)
	r.update(alice, Update{Session: longName, Seq: 2, Section: "a"})
	r.leave(bob, Leave{Session: longName, Seq: 4})
	r.wantList()
	for _, user := range []User{alice, bob} {
		if reply := r.update(user, Update{Session: longName, Seq: 3, Section: "a"}); !reply.Stale {
			t.Errorf("an older update by %s is not stale after the leave", user.Name)
		}
	}
}

// An end under an identity is final for it also while the page has another one.
func TestMoveDoesNotUndoANewerLeave(t *testing.T) { // rules 7 and 8, invariant 4
	for seq, isLate := range map[uint64]bool{10: true, 11: false} {
		r := newTestRoster(t)
		r.leave(bob, Leave{Session: longName, Seq: 10})
		r.update(alice, Update{Session: longName, Seq: 3, Section: "a"})
		if reply := r.leave(bob, Leave{Session: longName, Seq: 9}); !reply.Stale {
			t.Error("an older leave is not stale")
		}
		if reply := r.update(bob, Update{Session: longName, Seq: seq, Section: "a"}); reply.Stale != isLate {
			t.Errorf("update %d after leave 10: stale %v; want %v", seq, reply.Stale, isLate)
		}
		r.update(bob, Update{Session: longName, Section: "a"}) // a client that sends no seq
		if reply := r.update(bob, Update{Session: longName, Seq: 10, Section: "a"}); !reply.Stale {
			t.Error("update 10 after leave 10 is not stale once the page has moved")
		}
	}
}

func TestMoveIsRejectedWhileItsEndMayBeDropped(t *testing.T) { // rules 7 and 8
	r := newTestRoster(t)
	r.leave(alice, Leave{Session: longName, Seq: 10})
	endSessions(r, MaxEnded) // drops the end of the page
	r.update(bob, Update{Session: longName, Seq: 3, Section: "a"})
	if _, _, err := r.Update(r.now, alice, Update{Session: longName, Seq: 4, Section: "a"}); err != ErrTooManyChanges {
		t.Errorf("an update that may be older than a dropped end is answered %v; want %v", err, ErrTooManyChanges)
	}
	r.wantList(`Bob editing "a" of ["a"]`)
}

// The connection of a former identity breaks or loses its access after the session moved.
func TestEndOfFormerConnectionLeavesMovedSessionAlone(t *testing.T) { // rules 7, 9 and 14
	r := newTestRoster(t)
	r.update(alice, Update{Session: longName, Seq: 1, Section: "a", Connection: 1})
	r.update(bob, Update{Session: longName, Seq: 2, Section: "a", Connection: 2})
	for _, l := range []Leave{{Broken: true}, {}} {
		l.Session, l.Connection = longName, 1
		r.leave(alice, l)
	}
	r.advance(BrokenGrace + 1)
	r.wantList(`Bob editing "a" of ["a"]`)
}

func TestMovedSessionCountsForItsNewUsersLimit(t *testing.T) { // rules 7 and 16, case 40
	r := newTestRoster(t)
	for i := range MaxSessions {
		r.update(bob, Update{Session: string(rune('a' + i))})
	}
	r.update(alice, Update{Session: longName, Section: "a"})
	if _, _, err := r.Update(r.now, bob, Update{Session: longName, Section: "a"}); err != ErrTooManySessions {
		t.Errorf("error %v; want ErrTooManySessions", err)
	}
	if _, _, err := r.Update(r.now, carol, Update{Session: longName, Section: "a", OnlyRenew: true}); err != ErrTooManyChanges {
		t.Errorf("error %v; want ErrTooManyChanges", err)
	}
	r.wantList(`Alice editing "a" of ["a"]`, `Bob viewing "" of []`)
}

func TestRecordsOfAMoveAreReturnedTogether(t *testing.T) { // rule 7, invariant 6
	for what, act := range map[string]func(r *testRoster){
		"update": func(r *testRoster) { r.update(bob, Update{Session: longName, Seq: 2, Section: "a"}) },
		"leave":  func(r *testRoster) { r.leave(bob, Leave{Session: longName, Seq: 2}) },
	} {
		r := newTestRoster(t)
		r.update(alice, Update{Session: longName, Seq: 1, Section: "a"})
		r.RecordsOf(alice.ID)
		act(r)
		records := r.RecordsOf(bob.ID)
		slices.SortFunc(records, Record.Compare)
		again := NewRoster(DefaultLease, 0)
		for _, record := range records {
			again.Restore(r.now, record)
		}
		if got, want := shownTo(again.Snapshot(r.now)), shownTo(r.Snapshot(r.now)); len(records) != 2 || !slices.Equal(got, want) {
			t.Errorf("%s: the %d records restore %q; want two, and %q", what, len(records), got, want)
		}
	}
}

func TestMovedSessionsFreeTheirMemory(t *testing.T) { // rule 7, invariant 11
	r := newTestRoster(t)
	for i := range 100 {
		user := User{ID: UserID(rune('a' + i)), Name: "x"}
		r.update(user, Update{Session: longName, Seq: uint64(i + 1), Section: "a"})
		r.advance(time.Second)
		if r.Records(); len(r.alsoChanged) > 0 {
			t.Fatalf("Records left %d changed members to RecordsOf; want none", len(r.alsoChanged))
		}
	}
	r.advance(Finality + DefaultLease + 1)
	if !r.Forget(r.now) || len(r.owners)+len(r.claims)+len(r.alsoChanged)+len(r.members) > 0 {
		t.Errorf("%d owners, %d claims, %d changed and %d members are left", len(r.owners), len(r.claims), len(r.alsoChanged), len(r.members))
	}
}

func TestOldRecordsOfOnePageUnderTwoUsersAreOneSession(t *testing.T) { // rule 7, case 46
	r := newTestRoster(t)
	for i, user := range []User{alice, bob} { // as a version without rule 7 recorded a page that signed in
		n := uint64(i + 1)
		r.Restore(r.now, Record{User: user, Session: longName, Seq: n, Section: "a", Activity: Editing, LastSeen: r.now, Touched: n, Active: true})
	}
	r.wantList(`Bob editing "a" of ["a"]`)
	if reply := r.update(alice, Update{Session: longName, Seq: 2, Section: "a"}); !reply.Stale {
		t.Error("an update that Bob's session has seen took it back")
	}
	ended := Record{User: alice, Session: longName, Seq: 2, LastSeen: r.now}
	if got := r.Records(); !slices.Equal(got, []Record{ended}) {
		t.Errorf("records to write: %+v; want the end of Alice's session", got)
	}
	r.advance(DefaultLease / 2)
	r.update(bob, Update{Session: longName, Seq: 3, Section: "a"})
	r.advance(DefaultLease/2 + time.Second) // Alice's session would have expired here
	if reply := r.update(carol, Update{Session: longName, Seq: 4, Section: "a"}); len(reply.Conflicts) > 0 {
		t.Errorf("conflicts %q with the page's own session", shownTo(&Snapshot{Occupants: reply.Conflicts}))
	}
	r.wantList(`Carol editing "a" of ["a"]`)
}
