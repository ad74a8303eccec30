package presence

import (
	"fmt"
	"testing"
)

func TestRule16AtTheSessionLimitRenewalsSucceed(t *testing.T) { // case 40
	r := newTestRoster(t)
	for i := range MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i)})
	}
	if _, _, err := r.Update(r.now, alice, Update{Session: "one more"}); err != ErrTooManySessions {
		t.Errorf("update of session %d: %v; want %v", MaxSessions+1, err, ErrTooManySessions)
	}
	r.update(alice, Update{Session: "7", Section: "a"})
	r.advance(DefaultLease)
	r.update(alice, Update{Session: "7", Section: "a"})
	r.advance(1)
	r.update(alice, Update{Session: "one more"}) // expired sessions do not count
}

func TestRule16ReloadAtTheSessionLimitSucceeds(t *testing.T) { // rule 16
	r := newTestRoster(t)
	for i := range MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i), Seq: 1, Section: "a"})
	}
	r.leave(alice, Leave{Session: "7", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "reloaded", Seq: 1, Section: "a"})
}

func TestRule16ReloadsWithoutSectionDoNotReachTheSessionLimit(t *testing.T) { // rule 16
	r := newTestRoster(t)
	for i := range 3 * MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i), Seq: 1})
		r.leave(alice, Leave{Session: fmt.Sprint(i), Seq: 2, Hidden: true})
		if n := len(r.members[alice.ID].sessions); n > 2*MaxSessions {
			t.Fatalf("the roster holds %d sessions of one user; the limit is %d", n, 2*MaxSessions)
		}
	}
	r.update(alice, Update{Session: "last", Seq: 1})
	r.wantList(`Alice viewing "" of []`)
}

func TestRule16LeaveWithOnlyLivingKeepsNoUnknownSession(t *testing.T) { // rule 16
	r := newTestRoster(t)
	r.leave(alice, Leave{Session: "x", Seq: 1, OnlyLiving: true})
	if !r.Forget(r.now) {
		t.Error("the leave of an unknown session with OnlyLiving is kept")
	}
	r.update(alice, Update{Session: "x", Seq: 1})
	r.leave(alice, Leave{Session: "x", Seq: 2, OnlyLiving: true})
	r.wantList()
}

func TestRule16OnlyRenewRejectsChanges(t *testing.T) { // rule 16
	r := newTestRoster(t)
	try := func(u Update) error {
		u.OnlyRenew = true
		_, _, err := r.Update(r.now, alice, u)
		return err
	}
	if err := try(Update{Section: "a"}); err != ErrTooManyChanges {
		t.Errorf("a new session: %v; want %v", err, ErrTooManyChanges)
	}
	r.wantList()
	r.update(alice, Update{Section: "a"})
	r.advance(DefaultLease)
	if err := try(Update{Section: "a"}); err != nil {
		t.Errorf("a renewal: %v", err)
	}
	if err := try(Update{Section: "b"}); err != ErrTooManyChanges {
		t.Errorf("a move: %v; want %v", err, ErrTooManyChanges)
	}
	r.advance(1)
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule16ThousandAreListedAndAllCounted(t *testing.T) { // rule 16
	r := newTestRoster(t)
	for i := range MaxListed + 1 {
		r.update(User{ID: UserID(fmt.Sprint(i)), Name: fmt.Sprintf("n%04d", i)}, Update{})
	}
	s := r.Snapshot(r.now)
	if len(s.Occupants) != MaxListed || s.Count != MaxListed+1 {
		t.Errorf("%d users are listed and %d counted; want %d and %d", len(s.Occupants), s.Count, MaxListed, MaxListed+1)
	}
}

func TestRule16EndedSessionsOfAUserAreBounded(t *testing.T) { // rule 16
	r := newTestRoster(t)
	for i := range 2 * MaxEnded {
		r.leave(alice, Leave{Session: fmt.Sprint(i), Seq: 1})
	}
	if n := len(r.AllRecords()); n > MaxEnded {
		t.Errorf("%d ended sessions are kept; want at most %d", n, MaxEnded)
	}
}
