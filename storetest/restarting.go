package storetest

import (
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func survivesRestart(t *testing.T, s *Subject) { // invariant 6
	for i := range 30 {
		for session := range 3 {
			reply := s.update(t, writer(i), presence.Update{Session: fmt.Sprint(session), Seq: 1, Section: presence.Section(fmt.Sprintf("s%d/%d", i, session))})
			if reply.Durable == s.Volatile {
				t.Fatalf("Durable of a reply is %v; want %v", reply.Durable, !s.Volatile)
			}
		}
	}
	want := lines(s.snapshot(t).Occupants)
	s.Store = s.Restart()
	s.wantList(t, want...)
}

func endSurvivesRestart(t *testing.T, s *Subject) { // rule 8, invariant 4
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, bob, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 3})
	s.leave(t, bob, presence.Leave{Session: "x", Seq: 3, Hidden: true})
	s.Store = s.Restart()
	s.Pass(presence.HiddenGrace + s.Grain)
	s.wantList(t)
	s.update(t, alice, presence.Update{Session: "x", Seq: 2, Section: "a"})
	s.update(t, bob, presence.Update{Session: "x", Seq: 2, Section: "a"})
	s.wantList(t)
}

func newestEndsSurviveRestart(t *testing.T, s *Subject) {
	const ends = presence.MaxSessions + 5
	for i := range ends {
		name := fmt.Sprint((i * 7) % ends) // an order other than that of the names
		s.update(t, alice, presence.Update{Session: name, Seq: 1, Section: "a"})
		s.Pass(s.Grain)
		s.leave(t, alice, presence.Leave{Session: name, Seq: 3})
	}
	s.Store = s.Restart()
	for i := 5; i < ends; i++ {
		name := fmt.Sprint((i * 7) % ends)
		if reply := s.update(t, alice, presence.Update{Session: name, Seq: 2, Section: "a"}); !reply.Stale {
			t.Fatalf("after a restart, an older update of session %s, which ended as number %d of %d, is not stale", name, i+1, ends)
		}
	}
}

func restartRenews(t *testing.T, s *Subject) { // invariant 1
	began := s.Now()
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	if !s.Renews {
		s.Store = s.Restart()
		s.Pass(s.Lease - s.Grain - s.Now().Sub(began)) // a restart may take longer than Grain
		s.wantList(t, `Alice editing "a" of ["a"]`)
		s.Pass(2*s.Grain + 1)
		s.wantList(t)
		return
	}
	s.Pass(s.Lease - s.Grain)
	s.Store = s.Restart()
	s.Pass(s.Lease - s.Grain)
	s.wantList(t, `Alice editing "a" of ["a"]`)
	s.Pass(2*s.Grain + 1)
	s.wantList(t)
}
