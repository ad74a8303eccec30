package presence

import (
	"slices"
	"testing"
)

func TestUnsavedWorkClaimsItsSectionWhileIdle(t *testing.T) { // rule 18, case 45
	r := newTestRoster(t)
	for _, activity := range []Activity{Idle, Viewing, Editing} {
		r.update(alice, Update{Section: "a", Activity: activity, Unsaved: true})
		reply := r.update(bob, Update{Section: "a", UnlessOccupied: true})
		if names(reply.Conflicts) != "Alice" || reply.Activity != Viewing {
			t.Errorf("Alice is %s with unsaved work: Bob is %s, conflicts %q; want viewing, Alice", activity, reply.Activity, names(reply.Conflicts))
		}
		if s := r.Snapshot(r.now); names(s.Conflicts(bob.ID, "a")) != "Alice" {
			t.Errorf("Alice is %s with unsaved work, and the snapshot has the conflicts %q for Bob", activity, names(s.Conflicts(bob.ID, "a")))
		}
	}
	r.update(alice, Update{Section: "a", Activity: Idle})
	if reply := r.update(bob, Update{Section: "a", UnlessOccupied: true}); len(reply.Conflicts) > 0 || reply.Activity != Editing {
		t.Errorf("after the save Bob is %s, conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
}

func TestUnsavedWorkEndsWithItsLease(t *testing.T) { // rule 18, case 27
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a", Unsaved: true})
	r.advance(DefaultLease + 1)
	if reply := r.update(bob, Update{Section: "a", UnlessOccupied: true}); len(reply.Conflicts) > 0 || reply.Activity != Editing {
		t.Errorf("Bob is %s, conflicts %q; want editing, none", reply.Activity, names(reply.Conflicts))
	}
	if len(r.claims) != 1 {
		t.Errorf("claims are counted as %v; want Bob's only", r.claims)
	}
}

func TestUnsavedIsRecordedInASectionOnly(t *testing.T) { // rule 18
	r := newTestRoster(t)
	if you := r.update(alice, Update{Unsaved: true}).You; len(you.Unsaved) > 0 {
		t.Errorf("without a section the unsaved sections are %q", you.Unsaved)
	}
	if you := r.update(alice, Update{Section: "a", Unsaved: true}).You; !slices.Equal(you.Unsaved, []Section{"a"}) {
		t.Errorf("the unsaved sections are %q; want a", you.Unsaved)
	}
	if you := r.update(alice, Update{Section: "b"}).You; len(you.Unsaved) > 0 || len(r.claims) != 1 {
		t.Errorf("in another section the unsaved sections are %q, claims %v", you.Unsaved, r.claims)
	}
}

// A page that reconnects states its unsaved work with a careful update. It keeps its claim.
func TestCarefulUpdateOfUnsavedWorkKeepsItsClaim(t *testing.T) { // rules 6 and 18
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a", Activity: Idle, Unsaved: true})
	r.update(bob, Update{Section: "a"}) // anyway
	if reply := r.update(alice, Update{Session: "x", Section: "a", Unsaved: true, UnlessOccupied: true}); reply.Activity != Editing {
		t.Errorf("the owner of unsaved work is recorded as %s; want editing", reply.Activity)
	}
}

func TestWaitingEndsWithEntering(t *testing.T) { // rule 20
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	wait := Update{Section: "a", UnlessOccupied: true, WaitingFor: "a"}
	if reply := r.update(bob, wait); reply.Activity != Viewing || reply.You.WaitingFor != "a" {
		t.Fatalf("Bob is %s and waits for %q; want viewing, a", reply.Activity, reply.You.WaitingFor)
	}
	version := r.Version()
	r.leave(alice, Leave{})
	if reply := r.update(bob, wait); reply.Activity != Editing || reply.You.WaitingFor != "" {
		t.Errorf("after Alice left, Bob is %s and waits for %q; want editing, nothing", reply.Activity, reply.You.WaitingFor)
	}
	if r.Version() <= version {
		t.Error("the end of waiting raised no version")
	}
	if you := r.update(bob, Update{Section: "b", Activity: Viewing, Unsaved: true, WaitingFor: "b"}).You; you.WaitingFor != "" {
		t.Errorf("Bob waits for %q, where he has unsaved work himself", you.WaitingFor)
	}
}

func TestWaitingIsThatOfTheSessionTouchedLast(t *testing.T) { // rules 3 and 20
	r := newTestRoster(t)
	r.update(bob, Update{Session: "x", Section: "c", WaitingFor: "a"})
	r.update(bob, Update{Session: "y", Section: "d", WaitingFor: "b"})
	if you := r.update(bob, Update{Session: "z", Section: "e"}).You; you.WaitingFor != "b" {
		t.Errorf("Bob waits for %q; want b", you.WaitingFor)
	}
	if you := r.update(bob, Update{Session: "y", Section: "d"}).You; you.WaitingFor != "a" {
		t.Errorf("Bob waits for %q after he took b back; want a", you.WaitingFor)
	}
}
