package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func (s *Subject) move(t tester, from, to presence.Section) presence.Reply {
	t.Helper()
	reply, err := s.Move(t.Context(), project, from, to)
	if err != nil || reply.Durable == s.Volatile {
		t.Fatalf("the move from %q to %q is answered %+v, %v; want Durable %v", from, to, reply, err, !s.Volatile)
	}
	return reply
}

// moves returns the moves of a snapshot, "from to" of each.
func moves(s *presence.Snapshot) (all []string) {
	for _, m := range s.Moves {
		all = append(all, fmt.Sprintf("%s to %s", m.From, m.To))
	}
	return all
}

func hostSaves(t *testing.T, s *Subject) { // rule 19
	for _, section := range []presence.Section{"a", "a", "b"} {
		reply, err := s.Save(t.Context(), project, bob, presence.Saved{Section: section, Revision: "1"})
		if err != nil || reply.Durable == s.Volatile {
			t.Fatalf("a save of %s: %+v, %v; want Durable %v", section, reply, err, !s.Volatile)
		}
	}
	s.wantList(t)
	s.wantSaves(t, "a 1 by Bob", "b 1 by Bob")
	version := s.snapshot(t).Version
	if _, err := s.Save(t.Context(), project, bob, presence.Saved{Section: "a", Revision: "1"}); err != nil || s.snapshot(t).Version != version {
		t.Fatalf("a repeated save: %v, version %d after %d", err, s.snapshot(t).Version, version)
	}
	s.Store = s.Restart()
	s.wantSaves(t, "a 1 by Bob", "b 1 by Bob")
	s.Pass(presence.Finality + s.Grain)
	s.wantSaves(t)
}

func sectionMoves(t *testing.T, s *Subject) { // rule 23
	s.update(t, alice, presence.Update{Section: "a/b", Unsaved: true, Saved: presence.Saved{Section: "a", Revision: "1"}})
	s.update(t, bob, presence.Update{Session: "x", Section: "ab", WaitingFor: "a/b", Saved: presence.Saved{Section: "c/b", Revision: "0"}})
	s.update(t, bob, presence.Update{Session: "y", Section: "c", Activity: presence.Idle})
	s.Pass(s.Grain)
	s.update(t, alice, presence.Update{Section: "a/b", Unsaved: true, Saved: presence.Saved{Section: "a/b", Revision: "2"}})
	version := s.snapshot(t).Version
	woken := make(chan bool, 1)
	defer s.Watch(project, func() {
		select {
		case woken <- true:
		default:
		}
	})()
	s.move(t, "a", "c")
	<-woken
	s.wantList(t, `Alice editing "c/b" of ["c/b"]`, `Bob editing "ab" of ["ab" "c"]`)
	s.wantSaves(t, "c 1 by Alice", "c/b 2 by Alice")
	now := s.snapshot(t)
	if o := now.Occupants; !slices.Equal(o[0].Unsaved, []presence.Section{"c/b"}) || o[1].WaitingFor != "c/b" {
		t.Fatalf("Alice is unsaved in %q, and Bob waits for %q; want c/b", o[0].Unsaved, o[1].WaitingFor)
	}
	if got := moves(now); !slices.Equal(got, []string{"a to c"}) || now.Moves[0].Version <= version || now.Moves[0].Version > now.Version {
		t.Fatalf("moves %q with version %d; want a to c, above %d and up to %d", got, now.Moves[0].Version, version, now.Version)
	}
	careful := presence.Update{Session: "y", Section: "c/b", UnlessOccupied: true}
	if reply := s.update(t, bob, careful); len(reply.Conflicts) != 1 || reply.Activity != presence.Viewing {
		t.Fatalf("in the new place Bob is %s, conflicts %q; want viewing, Alice", reply.Activity, lines(reply.Conflicts))
	}
	careful.Section = "a/b"
	if reply := s.update(t, bob, careful); len(reply.Conflicts) != 0 || reply.Activity != presence.Editing {
		t.Fatalf("in the old place Bob is %s, conflicts %q; want editing, none", reply.Activity, lines(reply.Conflicts))
	}
	s.move(t, "c", "c/d") // into itself, over the one who waits
	s.wantList(t, `Alice editing "c/d/b" of ["c/d/b"]`, `Bob editing "a/b" of ["a/b" "ab"]`)
	s.wantSaves(t, "c/d 1 by Alice", "c/d/b 2 by Alice")
	s.update(t, bob, presence.Update{Session: "y", Section: "a/b", WaitingFor: "c/d/b"})
	s.move(t, "a/b", "c/d/b")
	if o := s.snapshot(t).Occupants[1]; o.WaitingFor != "c/d/b" { // of the other session
		t.Fatalf("Bob waits for %q; want c/d/b", o.WaitingFor)
	}
	s.update(t, bob, presence.Update{Session: "x", Section: "ab"})
	if o := s.snapshot(t).Occupants[1]; o.WaitingFor != "" {
		t.Fatalf("Bob waits for %q, which he edits; want none", o.WaitingFor)
	}
	s.Pass(s.Lease + s.Grain) // a move renews nothing
	s.move(t, "c", "e")
	s.wantList(t)
	s.wantSaves(t, "e/d 1 by Alice", "e/d/b 2 by Alice")
}

func lateUpdateFollowsMoves(t *testing.T, s *Subject) { // rule 23
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a/x"})
	s.update(t, bob, presence.Update{Section: "d/x"})
	known := s.snapshot(t).Version
	s.move(t, "a", "c")
	s.move(t, "c", "d")
	late := presence.Update{Session: "x", Seq: 2, Section: "a/x", WaitingFor: "a", Saved: presence.Saved{Section: "a", Revision: "1"}, Known: known}
	reply := s.update(t, alice, late)
	if len(reply.Conflicts) != 1 || reply.You.Section != "d/x" || reply.You.WaitingFor != "d" || reply.Snapshot != nil {
		t.Fatalf("a heartbeat as of before the moves is in %q, waits for %q, conflicts %q; want d/x, d, Bob", reply.You.Section, reply.You.WaitingFor, lines(reply.Conflicts))
	}
	late.Seq, late.Poll = 3, true
	if reply = s.update(t, alice, late); reply.Snapshot == nil || len(reply.Snapshot.Moves) != 2 {
		t.Fatalf("the poll has the snapshot %+v; want one with two moves", reply.Snapshot)
	}
	s.wantSaves(t, "d 1 by Alice")
	late.Seq, late.Known = 4, reply.Snapshot.Moves[0].Version
	if s.update(t, alice, late); reply.Snapshot.Occupants[0].Section != "d/x" {
		t.Fatalf("after the first move only, a/x is nowhere, so Alice is in a/x")
	}
	s.wantList(t, `Alice editing "a/x" of ["a/x"]`, `Bob editing "d/x" of ["d/x"]`)
	late.Seq, late.Section = 5, "c/x"
	s.update(t, alice, late)
	s.wantList(t, `Alice editing "d/x" of ["d/x"]`, `Bob editing "d/x" of ["d/x"]`)
	late.Seq, late.Section, late.Known = 6, "a/x", 0
	s.update(t, alice, late)
	s.wantList(t, `Alice editing "a/x" of ["a/x"]`, `Bob editing "d/x" of ["d/x"]`)
}

func tooLongMove(t *testing.T, s *Subject) { // rules 16 and 23
	long := presence.Section(strings.Repeat("é", presence.MaxSection-1))
	for _, u := range []presence.Update{{Section: "a/b"}, {WaitingFor: "a/b"}, saved("a/b", "1")} {
		s.update(t, alice, presence.Update{Section: "a"})
		s.update(t, bob, u)
		before := s.snapshot(t)
		if reply, err := s.Move(t.Context(), project, "a", long); !errors.Is(err, presence.ErrSectionTooLong) {
			t.Fatalf("a move that makes a path too long: %+v, %v; want ErrSectionTooLong", reply, err)
		}
		if after := s.snapshot(t); after.Version != before.Version || len(after.Moves) > 0 {
			t.Fatalf("the move that was rejected changed version %d to %d, %q", before.Version, after.Version, moves(after))
		}
	}
	known := s.snapshot(t).Version
	s.move(t, "b", long)
	s.update(t, bob, presence.Update{Section: "b/c", Known: known})
	s.wantList(t, `Alice editing "a" of ["a"]`, `Bob editing "b/c" of ["b/c"]`)
	s.move(t, "b/c", long+"é")
	s.wantList(t, `Alice editing "a" of ["a"]`, fmt.Sprintf("Bob editing %q of [%[1]q]", long+"é"))
}

func movesAreBounded(t *testing.T, s *Subject) { // rules 16 and 23
	s.update(t, alice, presence.Update{Seq: 1, Section: "a"})
	known := s.snapshot(t).Version
	s.move(t, "a", "b")
	s.Pass(presence.Finality - s.Grain)
	s.update(t, alice, presence.Update{Seq: 2, Section: "a", Known: known})
	s.wantList(t, `Alice editing "b" of ["b"]`)
	s.Pass(2 * s.Grain)
	s.update(t, alice, presence.Update{Seq: 3, Section: "a", Known: known})
	s.wantList(t, `Alice editing "a" of ["a"]`)
	if got := moves(s.snapshot(t)); len(got) > 0 {
		t.Fatalf("after ten minutes: moves %q; want none", got)
	}
	for i := range presence.MaxMoves + 2 {
		s.move(t, "a", presence.Section(fmt.Sprint(i)))
	}
	if got := moves(s.snapshot(t)); len(got) != presence.MaxMoves || got[0] != "a to 2" || got[presence.MaxMoves-1] != fmt.Sprint("a to ", presence.MaxMoves+1) {
		t.Fatalf("%d moves; want the newest %d", len(got), presence.MaxMoves)
	}
	s.update(t, alice, presence.Update{Seq: 4, Section: "a", Known: known})
	s.wantList(t, `Alice editing "2" of ["2"]`)
}

func emptyMove(t *testing.T, s *Subject) { // rule 23
	s.move(t, "a", "b")
	if now := s.snapshot(t); len(now.Moves) > 0 || now.Count > 0 {
		t.Fatalf("a project without anybody has %d moves, count %d; want none", len(now.Moves), now.Count)
	}
	s.update(t, alice, presence.Update{Seq: 1, Section: "a"})
	known := s.snapshot(t).Version
	s.leave(t, alice, presence.Leave{Seq: 2})
	s.move(t, "a", "a")
	s.move(t, "a", "b")
	s.update(t, alice, presence.Update{Seq: 3, Section: "a", Known: known}) // was away meanwhile
	s.wantList(t, `Alice editing "b" of ["b"]`)
	if got := moves(s.snapshot(t)); !slices.Equal(got, []string{"a to b"}) {
		t.Fatalf("moves %q; want a to b", got)
	}
}

func sectionMoveSurvivesRestart(t *testing.T, s *Subject) { // rule 23, invariant 6
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a", Unsaved: true, Saved: presence.Saved{Section: "a", Revision: "1"}})
	s.update(t, bob, presence.Update{Section: "b", WaitingFor: "a"})
	known := s.snapshot(t).Version
	s.move(t, "a", "c")
	s.move(t, "c", "d")
	want := s.snapshot(t)
	s.Store = s.Restart()
	got := s.snapshot(t)
	if !slices.Equal(details(got, s.Now()), details(want, s.Now())) || !slices.EqualFunc(got.Moves, want.Moves, func(a, b *presence.Move) bool { return *a == *b }) {
		t.Fatalf("after a restart:\n%q\nwant:\n%q", details(got, s.Now()), details(want, s.Now()))
	}
	s.update(t, alice, presence.Update{Session: "x", Seq: 2, Section: "a", Unsaved: true, Known: known})
	s.wantList(t, `Alice editing "d" of ["d"]`, `Bob editing "b" of ["b"]`)
}
