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

// testRoster is a roster with its own clock.
type testRoster struct {
	*testing.T
	*Roster
	now time.Time
}

func newTestRoster(t *testing.T) *testRoster {
	return &testRoster{T: t, Roster: NewRoster(DefaultLease, 0), now: start}
}

func (r *testRoster) advance(d time.Duration) { r.now = r.now.Add(d) }

func (r *testRoster) update(u User, message Update) Reply {
	r.Helper()
	reply, _, err := r.Update(r.now, u, message)
	if err != nil {
		r.Fatalf("update of %s: %v", u.Name, err)
	}
	return reply
}

func (r *testRoster) leave(u User, message Leave) Reply {
	reply, _ := r.Leave(r.now, u, message)
	return reply
}

// wantList fails unless the list is want, a line for each occupant.
func (r *testRoster) wantList(want ...string) {
	r.Helper()
	if seen := shownTo(r.Snapshot(r.now)); !slices.Equal(seen, want) {
		r.Fatalf("listed:\n  %s\nwant:\n  %s", strings.Join(seen, "\n  "), strings.Join(want, "\n  "))
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

func TestRule1UserIsListedUntilTheLeaseExpires(t *testing.T) { // rule 1, case 5, invariant 1
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	r.advance(2 * time.Minute)
	r.wantList(`Alice editing "a" of ["a"]`)
	r.advance(1)
	r.wantList()
}

func TestRule1OneLostHeartbeatEndsNoSession(t *testing.T) { // cases 4, 5
	r := newTestRoster(t)
	for range 10 {
		r.update(alice, Update{Section: "a"})
		r.advance(time.Minute)
		r.wantList(`Alice editing "a" of ["a"]`)
	}
}

func TestRule3TwoTabsAreOneOccupantWithBothSections(t *testing.T) { // cases 13, 14
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "b"})
	r.advance(time.Second)
	r.update(alice, Update{Session: "y", Section: "a"})
	r.wantList(`Alice editing "a" of ["a" "b"]`)
	r.advance(time.Second)
	r.update(alice, Update{Session: "x", Section: "b"}) // a heartbeat is not an action
	r.wantList(`Alice editing "a" of ["a" "b"]`)
	r.update(alice, Update{Session: "x", Section: "b", Activity: Viewing})
	r.wantList(`Alice viewing "b" of ["a" "b"]`)
	r.leave(alice, Leave{Session: "x"})
	r.wantList(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "y"})
	r.wantList()
}

func TestRule3TwoTabsInOneSectionListItOnce(t *testing.T) { // rule 3, case 13
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "a"})
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule3ActiveTabOutranksIdleTab(t *testing.T) { // rule 3
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b"})
	r.update(alice, Update{Session: "y", Section: "b", Activity: Idle})
	r.wantList(`Alice editing "a" of ["a" "b"]`)
	r.update(alice, Update{Session: "z"})
	r.wantList(`Alice editing "a" of ["a" "b"]`)
}

func TestRule4SessionWithoutSectionIsListed(t *testing.T) { // rule 4
	r := newTestRoster(t)
	r.update(alice, Update{})
	r.wantList(`Alice viewing "" of []`)
	r.update(alice, Update{Activity: Editing}) // no section to edit
	r.wantList(`Alice viewing "" of []`)
	r.update(alice, Update{Activity: Idle})
	r.wantList(`Alice idle "" of []`)
}

func TestRule10SnapshotsAndConflictsRenewNothing(t *testing.T) { // rule 10, case 24
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	r.advance(DefaultLease)
	r.update(bob, Update{Section: "a"})
	r.Snapshot(r.now)
	r.advance(1)
	r.wantList(`Bob editing "a" of ["a"]`)
}

func TestRule10OlderUpdateRenewsNothing(t *testing.T) { // rule 10
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 2, Section: "a"})
	r.advance(time.Minute)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "b"})
	r.advance(time.Minute + 1)
	r.wantList()
}

func TestRule17ListIsOrderedByCaseFoldedNameThenId(t *testing.T) { // rule 17
	r := newTestRoster(t)
	for _, u := range []User{{ID: "10", Name: "bob"}, {ID: "x", Name: "Bob"}, {ID: "9", Name: "BOB"}, {ID: "4", Name: "alice"}, {ID: "3", Name: "Émile"}, {ID: "2", Name: "émile"}} {
		r.update(u, Update{})
	}
	var got []string
	for _, o := range r.Snapshot(r.now).Occupants {
		got = append(got, string(o.User.ID))
	}
	if want := []string{"4", "9", "10", "x", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("the order is %v; want %v", got, want)
	}
}

func TestRenameMovesTheOccupant(t *testing.T) { // case 18
	r := newTestRoster(t)
	r.update(alice, Update{})
	r.update(bob, Update{})
	version := r.Snapshot(r.now).Version
	r.update(User{ID: alice.ID, Name: "Zoe"}, Update{})
	r.wantList(`Bob viewing "" of []`, `Zoe viewing "" of []`)
	if got := r.Snapshot(r.now).Version; got <= version {
		t.Errorf("a new name is visible, but the version went from %d to %d", version, got)
	}
	r.leave(alice, Leave{})
	r.wantList(`Bob viewing "" of []`)
}

func TestVersionGrowsWithVisibleChangesOnly(t *testing.T) { // case 34
	r := newTestRoster(t)
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
	r.advance(time.Second)
	step("heartbeat", false, func() { r.update(alice, Update{Session: "x", Seq: 2, Section: "a"}) })
	step("move", true, func() { r.update(alice, Update{Session: "x", Seq: 3, Section: "b"}) })
	step("older message", false, func() { r.update(alice, Update{Session: "x", Seq: 2, Section: "a"}) })
	step("second tab, same section", false, func() { r.update(alice, Update{Session: "y", Section: "b"}) })
	step("its end", false, func() { r.leave(alice, Leave{Session: "y"}) })
	step("idle", true, func() { r.update(alice, Update{Session: "x", Seq: 4, Section: "b", Activity: Idle}) })
	step("leave of an unknown session", false, func() { r.leave(bob, Leave{Session: "z", Seq: 1}) })
	step("snapshot", false, func() { r.Snapshot(r.now) })
	step("expiry", true, func() { r.advance(DefaultLease + 1) })
}

func TestVersionIsAboveTheFloorWhateverTheClock(t *testing.T) { // invariant 8
	r := &testRoster{T: t, Roster: NewRoster(DefaultLease, 1<<50), now: start}
	if got := r.update(alice, Update{}).Version; got <= 1<<50 {
		t.Errorf("version %d is not above the floor %d", got, 1<<50)
	}
}

func TestSnapshotIsReusedWhileNothingChanges(t *testing.T) {
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	before := r.Snapshot(r.now)
	r.advance(900 * time.Millisecond)
	r.update(alice, Update{Section: "a"})
	if r.Snapshot(r.now) != before {
		t.Error("a heartbeat within a second makes a new snapshot")
	}
	r.advance(100 * time.Millisecond)
	r.update(alice, Update{Section: "a"})
	after := r.Snapshot(r.now)
	if after.Version != before.Version || !after.Occupants[0].LastSeen.Equal(r.now) || !before.Occupants[0].LastSeen.Equal(start) {
		t.Errorf("last seen %v at version %d; in the older snapshot %v at %d; want now at the same version, and the older snapshot unchanged",
			after.Occupants[0].LastSeen, after.Version, before.Occupants[0].LastSeen, before.Version)
	}
}
