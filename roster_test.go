package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	start = time.Date(2025, 11, 3, 17, 0, 0, 0, time.UTC)
	alice = User{ID: "1", Name: "Alice"}
	bob   = User{ID: "2", Name: "Bob"}
	carol = User{ID: "3", Name: "Carol"}
)

// room is a roster with a clock that a test moves.
type room struct {
	*testing.T
	*Roster
	now time.Time
}

func newRoom(t *testing.T) *room {
	return &room{T: t, Roster: NewRoster(DefaultLease, 0), now: start}
}

func (r *room) pass(d time.Duration) { r.now = r.now.Add(d) }

func (r *room) update(u User, message Update) Reply {
	r.Helper()
	reply, _, err := r.Update(r.now, u, message)
	if err != nil {
		r.Fatalf("update of %s: %v", u.Name, err)
	}
	return reply
}

func (r *room) leave(u User, message Leave) Reply {
	reply, _ := r.Leave(r.now, u, message)
	return reply
}

// shows fails unless the list says so, a line for each occupant.
func (r *room) shows(due ...string) {
	r.Helper()
	if seen := shownTo(r.Snapshot(r.now)); !slices.Equal(seen, due) {
		r.Fatalf("listed:\n  %s\ndue:\n  %s", strings.Join(seen, "\n  "), strings.Join(due, "\n  "))
	}
}

func shownTo(s *Snapshot) (lines []string) {
	for _, o := range s.Occupants {
		lines = append(lines, show(o))
	}
	return lines
}

func show(o *Occupant) string {
	return fmt.Sprintf("%s %s %q of %q", o.User.Name, o.Activity, o.Section, o.Sections)
}

func names(occupants []*Occupant) string {
	var all []string
	for _, o := range occupants {
		all = append(all, o.User.Name)
	}
	return strings.Join(all, ", ")
}

func TestRule1SomebodyIsListedUntilExactlyTheEndOfTheirLease(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Section: "a"})
	r.pass(2 * time.Minute)
	r.shows(`Alice editing "a" of ["a"]`)
	r.pass(1)
	r.shows()
}

func TestRule1OneLostHeartbeatDropsNobodyAndAMinutelyTabStays(t *testing.T) { // cases 4, 5
	r := newRoom(t)
	for range 10 {
		r.update(alice, Update{Section: "a"})
		r.pass(time.Minute)
		r.shows(`Alice editing "a" of ["a"]`)
	}
}

func TestRule3TwoTabsAreOneOccupantWithBothSections(t *testing.T) { // cases 13, 14
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "b"})
	r.pass(time.Second)
	r.update(alice, Update{Session: "y", Section: "a"})
	r.shows(`Alice editing "a" of ["a" "b"]`)
	r.pass(time.Second)
	r.update(alice, Update{Session: "x", Section: "b"}) // a heartbeat is no touch
	r.shows(`Alice editing "a" of ["a" "b"]`)
	r.update(alice, Update{Session: "x", Section: "b", Activity: Viewing})
	r.shows(`Alice viewing "b" of ["a" "b"]`)
	r.leave(alice, Leave{Session: "x"})
	r.shows(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "y"})
	r.shows()
}

func TestRule3TwoTabsInOneSectionAreThereOnce(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "a"})
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule3ATabThatGoesIdleGivesWayToOneThatIsUsed(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b"})
	r.update(alice, Update{Session: "y", Section: "b", Activity: Idle})
	r.shows(`Alice editing "a" of ["a" "b"]`)
	r.update(alice, Update{Session: "z"})
	r.shows(`Alice editing "a" of ["a" "b"]`)
}

func TestRule4WithoutASectionIsOnline(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{})
	r.shows(`Alice viewing "" of []`)
	r.update(alice, Update{Activity: Editing}) // there is nothing to edit
	r.shows(`Alice viewing "" of []`)
	r.update(alice, Update{Activity: Idle})
	r.shows(`Alice idle "" of []`)
}

func TestRule5EnteringSaysWhoIsEditing(t *testing.T) { // case 21
	r := newRoom(t)
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "" {
		t.Errorf("Alice came first, and is told of %q", got)
	}
	if got := names(r.update(bob, Update{Section: "a"}).Conflicts); got != "Alice" {
		t.Errorf("Bob came second, and is told of %q, not of Alice", got)
	}
	r.update(carol, Update{Section: "a", Activity: Viewing})
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "Bob" {
		t.Errorf("Alice's next heartbeat tells her of %q, not of Bob, who edits, alone", got)
	}
	r.leave(bob, Leave{})
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "" {
		t.Errorf("Bob has left, and Alice is still told of %q", got)
	}
}

func TestRule5AnotherTabThatEditsCountsThoughTheLastTouchedOneIsElsewhere(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b", Activity: Viewing})
	if got := names(r.update(bob, Update{Section: "a"}).Conflicts); got != "Alice" {
		t.Errorf("Bob is told of %q, not of Alice, whose first tab edits", got)
	}
}

func TestRule6ACarefulEntryIntoAnOccupiedSectionIsRecordedAsViewing(t *testing.T) {
	r := newRoom(t)
	careful := Update{Section: "a", UnlessOccupied: true}
	r.update(alice, careful)
	reply := r.update(bob, careful)
	if reply.Activity != Viewing || names(reply.Conflicts) != "Alice" {
		t.Errorf("Bob is recorded as %s and told of %q; due: viewing, Alice", reply.Activity, names(reply.Conflicts))
	}
	if reply := r.update(alice, careful); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Alice, who edits, is recorded as %s and told of %q; due: editing, nobody", reply.Activity, names(reply.Conflicts))
	}
	if reply := r.update(bob, Update{Section: "a"}); reply.Activity != Editing {
		t.Errorf("Bob edits anyway, and is recorded as %s", reply.Activity)
	}
	if reply := r.update(alice, careful); reply.Activity != Editing || names(reply.Conflicts) != "Bob" {
		t.Errorf("Alice was there first, and is now recorded as %s and told of %q; due: editing, Bob", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule6ACarefulHeartbeatEditsOnceTheOthersHaveGone(t *testing.T) { // cases 25, 27
	r := newRoom(t)
	careful := Update{Section: "a", UnlessOccupied: true}
	r.update(alice, careful)
	r.update(bob, careful)
	r.pass(DefaultLease)
	r.update(bob, careful)
	r.pass(1) // Alice's tab is dead, and keeps nobody out
	if reply := r.update(bob, careful); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Bob is recorded as %s and told of %q; due: editing, nobody", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule6AskingToViewIsNoClaim(t *testing.T) { // cases 23, 24
	r := newRoom(t)
	r.update(alice, Update{Section: "a", Activity: Viewing})
	r.update(carol, Update{Section: "a", Activity: Idle})
	if reply := r.update(bob, Update{Section: "a", UnlessOccupied: true}); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Bob is recorded as %s and told of %q; due: editing, nobody", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule7NobodyConflictsWithThemselves(t *testing.T) { // cases 15, 26
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	reply := r.update(alice, Update{Session: "y", Section: "a", UnlessOccupied: true})
	if reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Alice's other tab is recorded as %s and told of %q; due: editing, nobody", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule8NoOlderMessageBringsASessionBack(t *testing.T) { // cases 2, 3
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 3})
	for _, seq := range []uint64{1, 2, 3} {
		if reply := r.update(alice, Update{Session: "x", Seq: seq, Section: "a"}); !reply.Stale || reply.Activity != "" || reply.You.Section != "" {
			t.Errorf("message %d is answered stale=%v, activity %q, section %q; due: true, none, none", seq, reply.Stale, reply.Activity, reply.You.Section)
		}
		r.shows()
	}
	r.update(alice, Update{Session: "x", Seq: 4, Section: "b"})
	r.shows(`Alice editing "b" of ["b"]`)
}

func TestRule8ALeaveThatOvertakesTheFirstUpdateIsFinalToo(t *testing.T) {
	r := newRoom(t)
	r.leave(alice, Leave{Session: "x", Seq: 2})
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.shows()
}

func TestRule8AnUnnumberedMessageDoesNotOpenTheDoorForOlderOnes(t *testing.T) {
	r := newRoom(t)
	r.leave(alice, Leave{Session: "x", Seq: 5})
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "x", Section: "b", Seq: 4})
	r.shows(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "x"})
	r.update(alice, Update{Session: "x", Section: "b", Seq: 5})
	r.shows()
}

func TestRule8AnEndIsRememberedForTenMinutes(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1})
	r.leave(alice, Leave{Session: "x", Seq: 2})
	r.pass(Finality)
	if r.Forget(r.now) {
		t.Fatal("the end of the session is forgotten after ten minutes, not later")
	}
	r.update(alice, Update{Session: "x", Seq: 1})
	r.shows()
	r.pass(1)
	if !r.Forget(r.now) {
		t.Fatal("there is still something to remember, longer than ten minutes after the end")
	}
}

func TestRule8ALapseIsFinalForOlderMessagesAndNotForNewer(t *testing.T) { // case 1
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a"})
	r.pass(DefaultLease + 1)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a"})
	r.shows()
	version := r.Snapshot(r.now).Version
	if reply := r.update(alice, Update{Session: "x", Seq: 8, Section: "a"}); reply.Version <= version {
		t.Errorf("the heartbeat of a lapsed session is an arrival, and the version stays %d", reply.Version)
	}
	r.shows(`Alice editing "a" of ["a"]`)
}

// endSessions ends n sessions of Alice, every other one by a leave that overtakes its update.
func endSessions(r *room, n int) {
	for i := range n {
		if i%2 == 0 {
			r.Update(r.now, alice, Update{Session: fmt.Sprint("s", i), Seq: 2, Section: "a"}) // refused above MaxEnded
		}
		r.leave(alice, Leave{Session: fmt.Sprint("s", i), Seq: 4})
	}
}

func TestRule8NoOlderMessageBringsASessionBackHoweverManyHaveEnded(t *testing.T) {
	for _, ends := range []int{MaxSessions + 1, MaxEnded, MaxEnded + 1, 2 * MaxEnded} {
		r := newRoom(t)
		endSessions(r, ends)
		r.pass(Finality - time.Minute)
		for i := range ends {
			for seq := range uint64(3) {
				r.Update(r.now, alice, Update{Session: fmt.Sprint("s", i), Seq: seq + 1, Section: "a"})
			}
		}
		r.shows()
		if n := len(r.members[alice.ID].ended); n > MaxEnded {
			t.Errorf("of %d sessions that ended %d are remembered; the limit is %d", ends, n, MaxEnded)
		}
	}
}

func TestRule8ANewTabIsTakenInUntilMoreEndedThanAreRemembered(t *testing.T) {
	r := newRoom(t)
	endSessions(r, MaxEnded)
	r.update(alice, Update{Session: "new", Seq: 1, Section: "a"})
	r.shows(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "new", Seq: 2})

	// One end is not remembered any more, and so no unknown session can be told from it.
	tab := Update{Session: "newer", Seq: 1, Section: "b"}
	if _, _, err := r.Update(r.now, alice, tab); err != ErrTooManyChanges {
		t.Fatalf("an unknown session after %d ends: %v; due: %v", MaxEnded+1, err, ErrTooManyChanges)
	}
	r.update(alice, Update{Section: "c"}) // a client that numbers nothing
	r.update(bob, Update{Session: "newer", Seq: 1, Section: "b"})
	r.shows(`Alice editing "c" of ["c"]`, `Bob editing "b" of ["b"]`)
	if reply := r.update(alice, Update{Session: "new", Seq: 3, Section: "a"}); reply.Stale {
		t.Error("a newer message of a session whose end is remembered is stale")
	}
	r.pass(Finality + 1)
	r.update(alice, tab)
	r.shows(`Alice editing "b" of ["b"]`)
}

func TestRule8ALeaveIsFinalForASessionThatMayHaveBeenDropped(t *testing.T) {
	r := newRoom(t)
	r.leave(alice, Leave{Session: "x", Seq: 7})
	endSessions(r, MaxEnded)
	r.pass(Finality) // x is not remembered by itself
	r.leave(alice, Leave{Session: "x", Seq: 3})
	r.pass(1) // from here on nothing is dropped
	r.update(alice, Update{Session: "x", Seq: 5, Section: "a"})
	r.shows()
	endSessions(r, MaxEnded)
	r.update(alice, Update{Session: "y", Section: "a"}) // unnumbered, while y may have been dropped
	r.update(alice, Update{Session: "y", Seq: 5, Section: "b"})
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule8WhatIsNoLongerRememberedStaysAwayOverARestart(t *testing.T) {
	r := newRoom(t)
	for i := range MaxEnded + 50 { // a store keeps the rows of all that ended within Finality
		r.Restore(r.now, Record{User: alice, Session: fmt.Sprint("s", i), Seq: 4, LastSeen: r.now.Add(time.Duration(i))})
	}
	r.Update(r.now, alice, Update{Session: "s0", Seq: 3, Section: "a"})
	r.shows()
}

func TestRule8ALeaveAboveALimitCountsForASessionThatEnded(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.pass(DefaultLease + 1)
	r.leave(alice, Leave{Session: "x", Seq: 5, OnlyLiving: true})
	r.update(alice, Update{Session: "x", Seq: 4, Section: "a"})
	r.shows()
}

func TestRule9AHiddenLeaveWaitsThreeSeconds(t *testing.T) { // case 7
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.pass(HiddenGrace)
	r.shows(`Alice editing "a" of ["a"]`)
	r.pass(1)
	r.shows()
}

func TestRule9AReloadShowsOnNobodysScreen(t *testing.T) {
	r := newRoom(t)
	version := r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}).Version
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.pass(time.Second)
	r.update(alice, Update{Session: "y", Seq: 1, Section: "a"})
	for range 5 {
		r.pass(time.Second)
		if got := r.Snapshot(r.now).Version; got != version {
			t.Fatalf("the version went from %d to %d", version, got)
		}
	}
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule9APageThatComesBackElsewhereIsNoLongerWhereItWas(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.update(alice, Update{Session: "w", Seq: 1, Section: "c"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "y", Seq: 1}) // it does not know yet where it is
	r.shows(`Alice editing "c" of ["a" "c"]`)
	r.update(alice, Update{Session: "z", Seq: 1, Section: "b"})
	r.shows(`Alice editing "b" of ["b" "c"]`)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.shows(`Alice editing "b" of ["b" "c"]`)
}

func TestRule9APageThatComesBackWithinTheGraceStays(t *testing.T) { // case 8
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "x", Seq: 3, Section: "a"})
	r.pass(DefaultLease)
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule9AHiddenLeaveGivesNobodyMoreTime(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.pass(DefaultLease - time.Second)
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.pass(time.Second + 1)
	r.shows()
}

func TestRule9ABrokenConnectionLeavesItsSessionFifteenSeconds(t *testing.T) {
	for _, seq := range []uint64{0, 7} {
		r := newRoom(t)
		r.update(alice, Update{Session: "x", Seq: seq, Section: "a", Connection: 1})
		r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
		r.pass(BrokenGrace)
		r.shows(`Alice editing "a" of ["a"]`)
		r.pass(1)
		r.shows()
	}
}

func TestRule9ASessionOutlivesAConnectionThatSpokeBeforeAnother(t *testing.T) {
	for name, next := range map[string]Update{
		"numbered, over HTTP":               {Seq: 8},
		"not numbered, over HTTP":           {},
		"numbered, over a connection":       {Seq: 8, Connection: 2},
		"not numbered, over a connection":   {Connection: 2},
		"an older number is no newer word":  {Seq: 7, Connection: 1},
		"not numbered, over HTTP, and idle": {Activity: Idle},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 2})
			next.Session, next.Section = "x", "a"
			r.update(alice, next)
			if reply := r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true}); !reply.Stale {
				t.Error("the loss of connection 1 is not stale, though the session spoke over another way last")
			}
			r.pass(DefaultLease)
			if n := r.Snapshot(r.now).Count; n != 1 {
				t.Errorf("%d people are listed at the end of the lease; 1 is due", n)
			}
		})
	}
}

func TestRule9ASessionThatComesBackToItsFirstConnectionEndsWithThat(t *testing.T) {
	r := newRoom(t)
	for _, connection := range []uint64{1, 0, 2, 1} {
		r.update(alice, Update{Session: "x", Section: "a", Connection: connection})
	}
	r.leave(alice, Leave{Session: "x", Connection: 2, Broken: true})
	r.pass(BrokenGrace + 1)
	r.shows(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.pass(BrokenGrace + 1)
	r.shows()
}

func TestRule9ALostConnectionWithoutANumberEndsNothing(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	for _, session := range []string{"x", "unknown"} {
		if reply := r.leave(alice, Leave{Session: session, Broken: true}); !reply.Stale {
			t.Errorf("the loss of no connection changed session %q", session)
		}
	}
	r.pass(DefaultLease)
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule14LostAccessEndsASessionUnlessAnotherConnectionHasIt(t *testing.T) {
	for newest, listed := range map[uint64]int{0: 0, 1: 0, 2: 1} {
		r := newRoom(t)
		r.update(alice, Update{Session: "x", Section: "a", Connection: 1})
		r.update(alice, Update{Session: "x", Section: "a", Connection: newest})
		r.leave(alice, Leave{Session: "x", Connection: 1})
		if n := r.Snapshot(r.now).Count; n != listed {
			t.Errorf("connection %d spoke last, access was lost on connection 1, and %d people are listed; %d are due", newest, n, listed)
		}
	}
}

func TestRule9ARestoredSessionHasNoConnection(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Section: "a", Connection: 1})
	restarted := NewRoster(DefaultLease, r.Clock())
	for _, record := range r.Records() {
		restarted.Restore(r.now, record)
	}
	restarted.Leave(r.now, alice, Leave{Session: "x", Connection: 1, Broken: true})
	if n := restarted.Snapshot(r.now.Add(DefaultLease)).Count; n != 1 {
		t.Errorf("%d people are listed; a connection of the process before the restart ended a session", n)
	}
}

func TestRule9ASessionThatComesBackAfterItsConnectionBrokeHasAWholeLease(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 1})
	version := r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true}).Version
	r.pass(10 * time.Second)
	if reply := r.update(alice, Update{Session: "x", Seq: 8, Section: "a"}); reply.Version != version {
		t.Error("others were shown a change, though Alice came back in time")
	}
	r.pass(DefaultLease)
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule9ABrokenConnectionGivesNobodyMoreTimeAndEndsNoOtherTab(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 1})
	r.leave(alice, Leave{Session: "x", Seq: 8, Hidden: true})
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.leave(alice, Leave{Session: "y", Connection: 1, Broken: true}) // which never was
	r.pass(HiddenGrace)
	r.shows(`Alice editing "a" of ["a"]`)
	r.pass(1)
	r.shows()
	r.update(alice, Update{Session: "x", Seq: 9, Section: "a", Connection: 1})
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.update(alice, Update{Session: "z", Seq: 1, Section: "b"}) // another tab, not the same one come back
	r.shows(`Alice editing "b" of ["a" "b"]`)
}

func TestRule10LookingAndBeingWarnedRenewNothing(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Section: "a"})
	r.pass(DefaultLease)
	r.update(bob, Update{Section: "a"})
	r.Snapshot(r.now)
	r.pass(1)
	r.shows(`Bob editing "a" of ["a"]`)
}

func TestRule10AnOlderMessageRenewsNothing(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 2, Section: "a"})
	r.pass(time.Minute)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "b"})
	r.pass(time.Minute + 1)
	r.shows()
}

func TestRule15SessionsOfOthersAreOutOfReach(t *testing.T) { // case 39
	r := newRoom(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.update(bob, Update{Session: "x", Seq: 9, Section: "b"})
	r.leave(bob, Leave{Session: "x", Seq: 10})
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule16AtTheLimitOfSessionsRenewalsGoOn(t *testing.T) { // case 40
	r := newRoom(t)
	for i := range MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i)})
	}
	if _, _, err := r.Update(r.now, alice, Update{Session: "one more"}); err != ErrTooManySessions {
		t.Errorf("session %d: %v; due: %v", MaxSessions+1, err, ErrTooManySessions)
	}
	r.update(alice, Update{Session: "7", Section: "a"})
	r.pass(DefaultLease)
	r.update(alice, Update{Session: "7", Section: "a"})
	r.pass(1)
	r.update(alice, Update{Session: "one more"}) // those that lapsed do not count
}

func TestRule16AReloadAtTheLimitOfSessionsSucceeds(t *testing.T) {
	r := newRoom(t)
	for i := range MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i), Seq: 1, Section: "a"})
	}
	r.leave(alice, Leave{Session: "7", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "reloaded", Seq: 1, Section: "a"})
}

func TestRule16ReloadsWithoutASectionLeaveRoom(t *testing.T) {
	r := newRoom(t)
	for i := range 3 * MaxSessions {
		r.update(alice, Update{Session: fmt.Sprint(i), Seq: 1})
		r.leave(alice, Leave{Session: fmt.Sprint(i), Seq: 2, Hidden: true})
		if n := len(r.members[alice.ID].sessions); n > 2*MaxSessions {
			t.Fatalf("%d sessions are held of one user", n)
		}
	}
	r.update(alice, Update{Session: "last", Seq: 1})
	r.shows(`Alice viewing "" of []`)
}

func TestRule16AboveALimitLeavesOfNobodyAreNotRemembered(t *testing.T) {
	r := newRoom(t)
	r.leave(alice, Leave{Session: "x", Seq: 1, OnlyLiving: true})
	if !r.Forget(r.now) {
		t.Error("the leave of a session that was never here is remembered, above a limit")
	}
	r.update(alice, Update{Session: "x", Seq: 1})
	r.leave(alice, Leave{Session: "x", Seq: 2, OnlyLiving: true})
	r.shows()
}

func TestRule16AboveALimitOnlyRenewalsSucceed(t *testing.T) {
	r := newRoom(t)
	try := func(u Update) error {
		u.OnlyRenew = true
		_, _, err := r.Update(r.now, alice, u)
		return err
	}
	if err := try(Update{Section: "a"}); err != ErrTooManyChanges {
		t.Errorf("an arrival: %v; due: %v", err, ErrTooManyChanges)
	}
	r.shows()
	r.update(alice, Update{Section: "a"})
	r.pass(DefaultLease)
	if err := try(Update{Section: "a"}); err != nil {
		t.Errorf("a renewal: %v", err)
	}
	if err := try(Update{Section: "b"}); err != ErrTooManyChanges {
		t.Errorf("a move: %v; due: %v", err, ErrTooManyChanges)
	}
	r.pass(1)
	r.shows(`Alice editing "a" of ["a"]`)
}

func TestRule16AThousandAreListedAndAllAreCounted(t *testing.T) {
	r := newRoom(t)
	for i := range MaxListed + 1 {
		r.update(User{ID: UserID(fmt.Sprint(i)), Name: fmt.Sprintf("n%04d", i)}, Update{})
	}
	s := r.Snapshot(r.now)
	if len(s.Occupants) != MaxListed || s.Count != MaxListed+1 {
		t.Errorf("%d listed and %d counted; due: %d, %d", len(s.Occupants), s.Count, MaxListed, MaxListed+1)
	}
}

func TestRule16WhatIsRememberedOfOneUserIsBounded(t *testing.T) {
	r := newRoom(t)
	for i := range 2 * MaxEnded {
		r.leave(alice, Leave{Session: fmt.Sprint(i), Seq: 1})
	}
	if n := len(r.AllRecords()); n > MaxEnded {
		t.Errorf("%d ended sessions are remembered; due: at most %d", n, MaxEnded)
	}
}

func TestWhatHappenedIsGivenToBeWrittenOnce(t *testing.T) {
	r := newRoom(t)
	written := func(due ...string) {
		t.Helper()
		var seen []string
		for _, record := range r.Records() {
			seen = append(seen, fmt.Sprintf("%s %v", record.Session, record.Active))
		}
		slices.Sort(seen)
		if !slices.Equal(seen, due) {
			t.Errorf("to be written down are %q; due: %q", seen, due)
		}
	}
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	if records := r.RecordsOf(alice.ID); len(records) != 1 || records[0].Section != "a" || r.RecordsOf(bob.ID) != nil {
		t.Errorf("the records are %+v", records)
	}
	written() // since it has been given
	r.update(alice, Update{Session: "x", Seq: 2, Section: "a"})
	written("x true")
	written()
	r.leave(alice, Leave{Session: "x", Seq: 3, Hidden: true})
	written("x false")
	r.update(alice, Update{Session: "y", Seq: 1, Section: "a"}) // which ends x
	written("x false", "y true")
	r.pass(DefaultLease + time.Second)
	r.Expire(r.now)
	written("y false")
	written()
}

func TestRule17TheOrderIsByNameCaseFoldedThenId(t *testing.T) {
	r := newRoom(t)
	for _, u := range []User{{ID: "10", Name: "bob"}, {ID: "x", Name: "Bob"}, {ID: "9", Name: "BOB"}, {ID: "4", Name: "alice"}, {ID: "3", Name: "Émile"}, {ID: "2", Name: "émile"}} {
		r.update(u, Update{})
	}
	var got []string
	for _, o := range r.Snapshot(r.now).Occupants {
		got = append(got, string(o.User.ID))
	}
	if due := []string{"4", "9", "10", "x", "2", "3"}; !slices.Equal(got, due) {
		t.Errorf("order %v; due %v", got, due)
	}
}

func TestARenameMovesOneOccupantAndLosesNobody(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{})
	r.update(bob, Update{})
	version := r.Snapshot(r.now).Version
	r.update(User{ID: alice.ID, Name: "Zoe"}, Update{})
	r.shows(`Bob viewing "" of []`, `Zoe viewing "" of []`)
	if got := r.Snapshot(r.now).Version; got <= version {
		t.Errorf("a new name is visible, and the version went from %d to %d", version, got)
	}
	r.leave(alice, Leave{})
	r.shows(`Bob viewing "" of []`)
}

func TestTheVersionGrowsWithWhatIsVisibleAndNothingElse(t *testing.T) { // case 34
	r := newRoom(t)
	version := uint64(0)
	step := func(what string, visible bool, do func()) {
		t.Helper()
		do()
		got := r.Snapshot(r.now).Version
		if grown := got > version; grown != visible || got < version {
			t.Errorf("%s: the version went from %d to %d", what, version, got)
		}
		version = got
	}
	step("arrival", true, func() { r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}) })
	r.pass(time.Second)
	step("heartbeat", false, func() { r.update(alice, Update{Session: "x", Seq: 2, Section: "a"}) })
	step("move", true, func() { r.update(alice, Update{Session: "x", Seq: 3, Section: "b"}) })
	step("older message", false, func() { r.update(alice, Update{Session: "x", Seq: 2, Section: "a"}) })
	step("second tab, same section", false, func() { r.update(alice, Update{Session: "y", Section: "b"}) })
	step("its end", false, func() { r.leave(alice, Leave{Session: "y"}) })
	step("idle", true, func() { r.update(alice, Update{Session: "x", Seq: 4, Section: "b", Activity: Idle}) })
	step("a leave of nobody", false, func() { r.leave(bob, Leave{Session: "z", Seq: 1}) })
	step("looking", false, func() { r.Snapshot(r.now) })
	step("lapse", true, func() { r.pass(DefaultLease + 1) })
}

func TestTheVersionIsAboveEveryFormerOneWhateverTheClockDoes(t *testing.T) {
	r := &room{T: t, Roster: NewRoster(DefaultLease, 1<<50), now: start}
	if got := r.update(alice, Update{}).Version; got <= 1<<50 {
		t.Errorf("version %d, with a floor of %d", got, 1<<50)
	}
}

func TestASnapshotIsTheSameOneWhileNothingChanges(t *testing.T) {
	r := newRoom(t)
	r.update(alice, Update{Section: "a"})
	before := r.Snapshot(r.now)
	r.pass(900 * time.Millisecond)
	r.update(alice, Update{Section: "a"})
	if r.Snapshot(r.now) != before {
		t.Error("a heartbeat within a second made a new snapshot")
	}
	r.pass(100 * time.Millisecond)
	r.update(alice, Update{Section: "a"})
	after := r.Snapshot(r.now)
	if after.Version != before.Version || !after.Occupants[0].LastSeen.Equal(r.now) || !before.Occupants[0].LastSeen.Equal(start) {
		t.Errorf("last seen %v at version %d, before %v at %d; due: now, at the same version, and no change to what was given out",
			after.Occupants[0].LastSeen, after.Version, before.Occupants[0].LastSeen, before.Version)
	}
}

func TestAPollGetsTheListUnlessItHasIt(t *testing.T) {
	r := newRoom(t)
	reply := r.update(alice, Update{Section: "a", Poll: true})
	if reply.Snapshot == nil || names(reply.Snapshot.Occupants) != "Alice" {
		t.Fatal("a poll that knows no version got no list with Alice")
	}
	if reply := r.update(alice, Update{Section: "a", Poll: true, Known: reply.Version}); reply.Snapshot != nil {
		t.Error("a poll that knows the version got the list again")
	}
	if reply := r.update(alice, Update{Section: "a"}); reply.Snapshot != nil {
		t.Error("an update that asked for no list got one")
	}
	if reply := r.update(alice, Update{Section: "a", Poll: true, Known: reply.Version + 5}); reply.Snapshot == nil {
		t.Error("a poll that knows a version of another life of the data got no list")
	}
}
