package presence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func (r *testRoster) move(from, to Section) *Move {
	r.Helper()
	m, err := r.Move(r.now, from, to)
	if err != nil || m == nil {
		r.Fatalf("the move from %q to %q is %+v, %v", from, to, m, err)
	}
	return m
}

func TestSectionMovesWithItsPeopleWaitsAndSaves(t *testing.T) { // rule 23
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a/b", Unsaved: true, Saved: Saved{"a", "1"}})
	r.update(bob, Update{Section: "ab", WaitingFor: "a/b"})
	r.update(carol, Update{Section: "a", Activity: Idle})
	seen := r.members[alice.ID].sessions[0].lastSeen
	version := r.Version()
	r.advance(time.Second)
	if m := r.move("a", "c/d"); m.Version <= version || m.Version != r.Version() {
		t.Errorf("the move has version %d, the roster %d; want the same, above %d", m.Version, r.Version(), version)
	}
	r.wantList(`Alice editing "c/d/b" of ["c/d/b"]`, `Bob editing "ab" of ["ab"]`, `Carol idle "c/d" of ["c/d"]`)
	s := r.Snapshot(r.now)
	if got := s.Occupants[0]; !slices.Equal(got.Unsaved, []Section{"c/d/b"}) || !got.LastSeen.Equal(seen) {
		t.Errorf("Alice is unsaved in %q, last seen %v; want c/d/b, %v", got.Unsaved, got.LastSeen, seen)
	}
	if got := s.Occupants[1].WaitingFor; got != "c/d/b" {
		t.Errorf("Bob waits for %q; want c/d/b", got)
	}
	r.wantSaves("c/d 1 by Alice at 0s")
	if got := r.update(carol, Update{Session: "new", Section: "c/d/b"}); len(got.Conflicts) != 1 {
		t.Errorf("in the new place Carol meets %d; want Alice", len(got.Conflicts))
	}
	if got := r.update(carol, Update{Session: "new", Section: "a/b"}); len(got.Conflicts) != 0 {
		t.Errorf("in the old place Carol meets %d; want nobody", len(got.Conflicts))
	}
}

func TestMoveRenewsAndTouchesNoSession(t *testing.T) { // rules 3, 10 and 23
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b"})
	r.advance(DefaultLease)
	r.move("a", "c")
	r.wantList(`Alice editing "b" of ["b" "c"]`)
	r.advance(1)
	r.wantList()
}

func TestUpdateThatWasUnderWayFollowsTheMoves(t *testing.T) { // rule 23
	r := newTestRoster(t)
	known := r.update(alice, Update{Section: "a/x"}).Version
	r.move("a", "b")
	r.move("b", "c")
	for _, c := range []struct {
		known uint64
		want  string
	}{
		{known, "c/x"},              // both moves
		{r.moves[0].Version, "a/x"}, // the page has followed, and enters the old path
		{r.Version(), "a/x"},
		{0, "a/x"}, // the page knows no list: it was loaded just now
	} {
		u := Update{Section: "a/x", WaitingFor: "a", Saved: Saved{"a", "1"}, Known: c.known}
		reply := r.update(alice, u)
		if string(reply.You.Section) != c.want {
			t.Errorf("an update in a/x as of version %d is recorded in %q; want %q", c.known, reply.You.Section, c.want)
		}
	}
	r.update(alice, Update{Section: "a", Unsaved: true, WaitingFor: "a/y", Saved: Saved{"a/z", "1"}, Known: known})
	if o := r.Snapshot(r.now).Occupants[0]; o.Section != "c" || o.WaitingFor != "c/y" {
		t.Errorf("Alice is in %q and waits for %q; want c and c/y", o.Section, o.WaitingFor)
	}
	r.wantSaves("a 1 by Alice at 0s", "c 1 by Alice at 0s", "c/z 1 by Alice at 0s")
}

func TestMoveThatWouldMakeAPathTooLongChangesNothing(t *testing.T) { // rules 16 and 23
	long := Section(strings.Repeat("é", MaxSection-1))
	for name, u := range map[string]Update{
		"session": {Section: "a/b"}, "wait": {Section: "x", WaitingFor: "a/b"}, "save": {Section: "x", Saved: Saved{"a/b", "1"}},
	} {
		r := newTestRoster(t)
		r.update(alice, u)
		r.update(bob, Update{Section: "a"})
		version := r.Version()
		if m, err := r.Move(r.now, "a", long); m != nil || !errors.Is(err, ErrSectionTooLong) || r.Version() != version {
			t.Errorf("%s: the move is %+v, %v at version %d; want none, ErrSectionTooLong at %d", name, m, err, r.Version(), version)
		}
		r.leave(alice, Leave{Session: u.Session})
		r.move("b", long) // concerns nobody now
		if got := r.update(carol, Update{Section: "b/c", Known: version}).You.Section; got != "b/c" {
			t.Errorf("%s: an update whose path would become too long is recorded in %q; want b/c", name, got)
		}
	}
}

func TestMoveToAPlaceWithPeopleMergesSavesAndWaits(t *testing.T) { // rules 19, 20 and 23
	r := newTestRoster(t)
	r.save(alice, "a", "old")
	r.save(alice, "a/x", "1")
	r.advance(time.Second)
	r.save(bob, "b", "new")
	r.update(alice, Update{Section: "a", WaitingFor: "b"})
	r.move("a", "b")
	r.wantSaves("b new by Bob at 1s", "b/x 1 by Alice at 0s")
	if o := r.Snapshot(r.now).Occupants[0]; o.WaitingFor != "" {
		t.Errorf("Alice waits for %q, which she edits; want none", o.WaitingFor)
	}
	r.save(alice, "a", "newest")
	r.move("a", "b")
	r.wantSaves("b newest by Alice at 1s", "b/x 1 by Alice at 0s")
}

func TestMoveIsKeptForTenMinutes(t *testing.T) { // rule 23
	r := newTestRoster(t)
	known := r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}).Version
	r.move("a", "b")
	version := r.Version()
	r.advance(Finality)
	if n := len(r.Snapshot(r.now).Moves); n != 1 {
		t.Errorf("after ten minutes: %d moves; want 1", n)
	}
	if got := r.update(bob, Update{Section: "a", Known: known}).You.Section; got != "b" {
		t.Errorf("after ten minutes, an older update is recorded in %q; want b", got)
	}
	r.leave(bob, Leave{})
	r.advance(time.Second)
	if s := r.Snapshot(r.now); len(s.Moves) != 0 || !r.Forget(r.now.Add(Finality)) {
		t.Errorf("later: %d moves; want none, and an empty roster", len(s.Moves))
	}
	if r.Version() <= version {
		t.Errorf("version %d; want above %d", r.Version(), version)
	}
	for i := range 3 * MaxMoves {
		r.update(alice, Update{Section: "c"})
		r.move("c", Section(fmt.Sprint("d", i)))
	}
	if moves := r.Snapshot(r.now).Moves; len(moves) != MaxMoves || moves[0].To != "d200" || moves[MaxMoves-1].To != "d299" {
		t.Errorf("%d moves are kept; want the newest %d", len(moves), MaxMoves)
	}
}

func TestMoveOutlivesTheProjectThatItFound(t *testing.T) { // rule 23
	r := newTestRoster(t)
	known := r.update(alice, Update{Seq: 1, Section: "a"}).Version
	r.leave(alice, Leave{Seq: 2})
	r.advance(Finality)
	m := r.move("a", "b")
	r.advance(time.Second)
	if r.Forget(r.now) {
		t.Fatal("a roster with a move is empty")
	}
	r.move("b", "c")
	if got := r.update(alice, Update{Seq: 3, Section: "a", Known: known}).You.Section; got != "c" {
		t.Errorf("Alice, who was away, is in %q; want c", got)
	}
	restored := NewRoster(DefaultLease, 0)
	if restored.RestoreMove(*m); restored.Version() != m.Version {
		t.Errorf("the restored roster has version %d; want %d", restored.Version(), m.Version)
	}
}

func TestNothingMovesInAnEmptyProject(t *testing.T) { // rule 23
	r := newTestRoster(t)
	for _, when := range []string{"new", "forgotten"} {
		if m, err := r.Move(r.now, "a", "b"); m != nil || err != nil {
			t.Errorf("a %s project: the move is %+v, %v; want none", when, m, err)
		}
		r.update(alice, Update{Seq: 1, Section: "a"})
		if m, err := r.Move(r.now, "a", "a"); m != nil || err != nil {
			t.Errorf("the move to the same path is %+v, %v; want none", m, err)
		}
		r.leave(alice, Leave{Seq: 2})
		r.move("x", "y") // Alice's page may come back
		r.advance(Finality + time.Second)
	}
}

func TestDeltaHasTheMovesSinceItsBase(t *testing.T) { // rule 23, invariant 8
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	var snapshots []*Snapshot
	for _, to := range []Section{"b", "c", "d"} {
		snapshots = append(snapshots, r.Snapshot(r.now))
		r.move("a", to)
	}
	now := r.Snapshot(r.now)
	for i, s := range snapshots {
		if got := now.Since(s).Moves; !slices.Equal(got, now.Moves[i:]) {
			t.Errorf("since version %d of %d: %d moves; want the newest %d", i, len(snapshots), len(got), 3-i)
		}
	}
	if got := now.Since(now).Moves; len(got) > 0 {
		t.Errorf("since itself: %d moves; want none", len(got))
	}
}

func TestHostSavesWithoutASession(t *testing.T) { // rule 19
	r := newTestRoster(t)
	if !r.Save(r.now, bob, Saved{"a", "1"}) || r.Save(r.now, bob, Saved{"a", "1"}) {
		t.Error("want the first save to be new, and its repetition not")
	}
	r.wantList()
	r.wantSaves("a 1 by Bob at 0s")
	r.advance(Finality + 1)
	r.wantSaves()
}

func TestServiceChecksMovesAndSavesOfTheHost(t *testing.T) { // rules 19 and 23, invariant 12
	service := NewService(unreachable{t})
	long := Section(strings.Repeat("x", MaxSection+1))
	for _, c := range []struct {
		from, to Section
		want     error
	}{
		{"", "a", ErrSectionInvalid}, {"a", "", ErrSectionInvalid}, {"a//b", "a", ErrSectionInvalid}, {"a", "a\n", ErrSectionInvalid}, {long, "a", ErrSectionTooLong}, {"a", long, ErrSectionTooLong},
	} {
		if _, err := service.Move(t.Context(), "p", c.from, c.to); err != c.want {
			t.Errorf("move %q to %q: %v; want %v", c.from, c.to, err, c.want)
		}
	}
	for _, c := range []struct {
		user  User
		saved Saved
		want  error
	}{
		{alice, Saved{}, ErrSectionInvalid}, {alice, Saved{"", "1"}, ErrSectionInvalid}, {alice, Saved{"a", ""}, ErrRevisionInvalid}, {alice, Saved{long, "1"}, ErrSectionTooLong}, {User{}, Saved{"a", "1"}, ErrUserIDInvalid},
	} {
		if _, err := service.Save(t.Context(), "p", c.user, c.saved); err != c.want {
			t.Errorf("save %+v of %+v: %v; want %v", c.saved, c.user, err, c.want)
		}
	}
}
