package storetest

import (
	"errors"
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func leaveIsFinal(t *testing.T, s *Subject) { // rule 8, cases 1 to 3, invariant 4
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 3})
	for seq := range uint64(3) {
		if reply := s.update(t, alice, presence.Update{Session: "x", Seq: seq + 1, Section: "a"}); !reply.Stale {
			t.Errorf("update %d after a leave with seq 3 is not stale", seq+1)
		}
		s.wantList(t)
	}
	s.update(t, alice, presence.Update{Session: "x", Seq: 4, Section: "b"})
	s.wantList(t, `Alice editing "b" of ["b"]`)
}

func leaveBeforeFirstUpdate(t *testing.T, s *Subject) { // rule 8, case 2, invariant 4
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2})
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.wantList(t)
}

func leaveUnknown(t *testing.T, s *Subject) {
	s.leave(t, alice, presence.Leave{Session: "x"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 1})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 1, Hidden: true})
	s.wantList(t)
}

func leaveOnlyLiving(t *testing.T, s *Subject) {
	isStale := func(what string, want bool, l presence.Leave) {
		t.Helper()
		l.OnlyLiving = true
		if reply := s.leave(t, alice, l); reply.Stale != want {
			t.Fatalf("leave of %s: stale is %v; want %v", what, reply.Stale, want)
		}
	}
	isStale("an unknown session", true, presence.Leave{Session: "x", Seq: 5})
	isStale("an unknown session, without seq", true, presence.Leave{Session: "x"})
	s.update(t, alice, presence.Update{Session: "x", Seq: 1}) // the leave with seq 5 is not kept
	s.wantList(t, `Alice viewing "" of []`)
	isStale("a living session", false, presence.Leave{Session: "x", Seq: 2})
	s.wantList(t)
	isStale("an ended session", true, presence.Leave{Session: "x", Seq: 4})
	s.update(t, alice, presence.Update{Session: "x", Seq: 3}) // older than the end, which is kept
	s.wantList(t)
	s.update(t, alice, presence.Update{Session: "y"})
	isStale("a living session, hidden", false, presence.Leave{Session: "y", Hidden: true})
	isStale("a living session, without seq", false, presence.Leave{Session: "y"})
	s.wantList(t)
}

func hiddenLeave(t *testing.T, s *Subject) { // rule 9
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, bob, presence.Update{Session: "y", Seq: 1, Section: "b"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2, Hidden: true})
	s.leave(t, bob, presence.Leave{Session: "y", Seq: 2, Hidden: true})
	s.Pass(presence.HiddenGrace - s.Grain)
	s.wantList(t, `Alice editing "a" of ["a"]`, `Bob editing "b" of ["b"]`)
	s.update(t, bob, presence.Update{Session: "y", Seq: 3, Section: "b"})
	s.Pass(2*s.Grain + 1)
	s.wantList(t, `Bob editing "b" of ["b"]`)
}

func backWithinGrace(t *testing.T, s *Subject) { // rule 9, case 7
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2, Hidden: true})
	s.update(t, alice, presence.Update{Session: "x", Seq: 3, Section: "a"})
	s.update(t, alice, presence.Update{Session: "y", Seq: 1, Section: "b"})
	s.wantList(t, `Alice editing "b" of ["a" "b"]`)
	s.leave(t, alice, presence.Leave{Session: "y", Seq: 2, Hidden: true})
	s.update(t, alice, presence.Update{Session: "z", Seq: 1, Section: "c"}) // y, reloaded
	s.wantList(t, `Alice editing "c" of ["a" "c"]`)
}

// manyEnds ends one session more than MaxEnded, and sends older updates before and after the last.
func manyEnds(t *testing.T, s *Subject) { // rule 8, invariant 4
	name := func(i int) string { return fmt.Sprint("s", i) }
	replay := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			for seq := range uint64(3) {
				_, err := s.Update(t.Context(), project, alice, presence.Update{Session: name(i), Seq: seq + 1, Section: "a"})
				if err != nil && !errors.Is(err, presence.ErrTooManyChanges) {
					t.Fatal(err)
				}
			}
		}
		s.wantList(t)
	}
	s.update(t, alice, presence.Update{Session: name(0), Seq: 1, Section: "a"})
	for i := range presence.MaxEnded {
		s.leave(t, alice, presence.Leave{Session: name(i), Seq: 4})
	}
	replay(0, 3)
	replay(presence.MaxEnded/2, presence.MaxEnded/2+3)
	replay(presence.MaxEnded-presence.MaxSessions-1, presence.MaxEnded-presence.MaxSessions+2)
	s.update(t, alice, presence.Update{Session: "new", Seq: 1, Section: "a"})
	s.update(t, alice, presence.Update{Session: name(1), Seq: 5, Section: "b"})
	s.wantList(t, `Alice editing "b" of ["a" "b"]`)
	s.leave(t, alice, presence.Leave{Session: name(1), Seq: 6})
	s.leave(t, alice, presence.Leave{Session: "new", Seq: 2})
	s.leave(t, alice, presence.Leave{Session: name(presence.MaxEnded), Seq: 4})

	replay(0, 5) // the first end was dropped
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Session: "newer", Seq: 1}); !errors.Is(err, presence.ErrTooManyChanges) {
		t.Fatalf("an unknown session after an end was dropped: %v; want %v", err, presence.ErrTooManyChanges)
	}
	s.leave(t, alice, presence.Leave{Session: name(0), Seq: 2})
	s.update(t, alice, presence.Update{Session: "", Section: "c"})
	s.wantList(t, `Alice editing "c" of ["c"]`)
	s.leave(t, alice, presence.Leave{})
	replay(0, 5)
	s.Store = s.Restart()
	replay(0, 5)
	replay(presence.MaxEnded-2, presence.MaxEnded)
}
