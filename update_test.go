package presence

import (
	"testing"
)

func TestRule5ReplyNamesOtherEditors(t *testing.T) { // case 21
	r := newTestRoster(t)
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "" {
		t.Errorf("Alice is the first to enter, and her conflicts are %q; want none", got)
	}
	if got := names(r.update(bob, Update{Section: "a"}).Conflicts); got != "Alice" {
		t.Errorf("Bob enters after Alice, and his conflicts are %q; want Alice", got)
	}
	r.update(carol, Update{Section: "a", Activity: Viewing})
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "Bob" {
		t.Errorf("Alice's next heartbeat has the conflicts %q; want Bob, not Carol, who views", got)
	}
	r.leave(bob, Leave{})
	if got := names(r.update(alice, Update{Section: "a"}).Conflicts); got != "" {
		t.Errorf("after Bob has left, the conflicts of Alice are %q; want none", got)
	}
}

func TestRule5TabThatEditsConflictsThoughAnotherWasTouchedLast(t *testing.T) { // rule 5
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b", Activity: Viewing})
	if got := names(r.update(bob, Update{Section: "a"}).Conflicts); got != "Alice" {
		t.Errorf("Bob's conflicts are %q; want Alice, whose first tab edits", got)
	}
}

func TestRule6UnlessOccupiedRecordsViewingInAnOccupiedSection(t *testing.T) { // rule 6
	r := newTestRoster(t)
	entry := Update{Section: "a", UnlessOccupied: true}
	r.update(alice, entry)
	reply := r.update(bob, entry)
	if reply.Activity != Viewing || names(reply.Conflicts) != "Alice" {
		t.Errorf("Bob is recorded as %s with the conflicts %q; want viewing, Alice", reply.Activity, names(reply.Conflicts))
	}
	if reply := r.update(alice, entry); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Alice, who edits already, is recorded as %s with the conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
	if reply := r.update(bob, Update{Section: "a"}); reply.Activity != Editing {
		t.Errorf("a plain update of Bob is recorded as %s; want editing", reply.Activity)
	}
	if reply := r.update(alice, entry); reply.Activity != Editing || names(reply.Conflicts) != "Bob" {
		t.Errorf("Alice, who was there first, is recorded as %s with the conflicts %q; want editing, Bob", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule6UnlessOccupiedRecordsEditingOnceOthersAreGone(t *testing.T) { // cases 25, 27
	r := newTestRoster(t)
	entry := Update{Section: "a", UnlessOccupied: true}
	r.update(alice, entry)
	r.update(bob, entry)
	r.advance(DefaultLease)
	r.update(bob, entry)
	r.advance(1) // Alice's lease has expired
	if reply := r.update(bob, entry); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Bob is recorded as %s with the conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule6ViewersAndIdleUsersOccupyNoSection(t *testing.T) { // cases 23, 24
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a", Activity: Viewing})
	r.update(carol, Update{Section: "a", Activity: Idle})
	if reply := r.update(bob, Update{Section: "a", UnlessOccupied: true}); reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Bob is recorded as %s with the conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule7OwnTabsDoNotConflict(t *testing.T) { // cases 15, 26
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	reply := r.update(alice, Update{Session: "y", Section: "a", UnlessOccupied: true})
	if reply.Activity != Editing || len(reply.Conflicts) != 0 {
		t.Errorf("Alice's other tab is recorded as %s with the conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
}

func TestRule15SessionsOfOtherUsersAreNotAffected(t *testing.T) { // case 39
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.update(bob, Update{Session: "x", Seq: 9, Section: "b"})
	r.leave(bob, Leave{Session: "x", Seq: 10})
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestPollReturnsTheSnapshotUnlessItsVersionIsKnown(t *testing.T) { // case 34
	r := newTestRoster(t)
	reply := r.update(alice, Update{Section: "a", Poll: true})
	if reply.Snapshot == nil || names(reply.Snapshot.Occupants) != "Alice" {
		t.Fatal("a poll that knows no version has no list with Alice")
	}
	if reply := r.update(alice, Update{Section: "a", Poll: true, Known: reply.Version}); reply.Snapshot != nil {
		t.Error("a poll that knows the version has the list again")
	}
	if reply := r.update(alice, Update{Section: "a"}); reply.Snapshot != nil {
		t.Error("an update that is no poll has a list")
	}
	if reply := r.update(alice, Update{Section: "a", Poll: true, Known: reply.Version + 5}); reply.Snapshot == nil {
		t.Error("a poll that knows a higher version, from before a loss of data, has no list")
	}
}
