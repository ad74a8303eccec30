package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func leaseExpires(t *testing.T, s *Subject) { // rule 1, case 5, invariant 1
	s.update(t, alice, presence.Update{Section: "a"})
	s.Pass(s.Lease - s.Grain)
	s.wantList(t, `Alice editing "a" of ["a"]`)
	s.Pass(2*s.Grain + 1)
	s.wantList(t)
}

func snapshotRenewsNothing(t *testing.T, s *Subject) { // rule 10, case 24
	s.update(t, alice, presence.Update{Section: "a"})
	s.Pass(s.Lease / 2)
	s.snapshot(t)
	s.Pass(s.Lease/2 - s.Grain)
	s.update(t, bob, presence.Update{Section: "a"})
	s.snapshot(t)
	s.Pass(2*s.Grain + 1)
	s.wantList(t, `Bob editing "a" of ["a"]`)
}

func almostRenewals(t *testing.T, s *Subject) { // rule 10
	mary := presence.User{ID: "1", Name: "Mary"}
	visitor := presence.User{ID: "1", Name: "Mary", Visitor: true}
	s.update(t, alice, presence.Update{Session: "x", Seq: 5, Section: "a", Activity: presence.Idle})
	for _, c := range []struct {
		user    presence.User
		message presence.Update
		want    string
	}{
		{alice, presence.Update{Session: "x", Section: "a"}, `Alice editing "a" of ["a"]`}, // not numbered
		{alice, presence.Update{Session: "x", Seq: 5, Section: "b"}, `Alice editing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Seq: 6, Section: "a", Activity: presence.Viewing}, `Alice viewing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Seq: 7, Section: "a"}, `Alice editing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Section: "a"}, `Alice editing "a" of ["a"]`}, // not numbered
		{alice, presence.Update{Session: "x", Seq: 7, Section: "b"}, `Alice editing "a" of ["a"]`},
		{mary, presence.Update{Session: "x", Seq: 8, Section: "a"}, `Mary editing "a" of ["a"]`},
		{visitor, presence.Update{Session: "x", Seq: 9, Section: "a"}, `Mary editing "a" of ["a"]`},
		{visitor, presence.Update{Session: "y", Seq: 1, Section: "a"}, `Mary editing "a" of ["a"]`},
	} {
		s.update(t, c.user, c.message)
		s.wantList(t, c.want)
		if shown := s.snapshot(t).Occupants[0].User; shown.Visitor != c.user.Visitor {
			t.Fatalf("the listed user is %v; want %v", shown, c.user)
		}
	}
}

func brokenConnection(t *testing.T, s *Subject) { // rule 9
	for i, last := range []presence.Update{
		{Connection: 1},                                  // the one that breaks
		{Connection: presence.MaxSafe},                   // a newer one
		{Connection: presence.MaxSafe - 1, Section: "b"}, // a newer one, and a change
		{Seq: 2}, // over HTTP
		{Seq: 1, Connection: 1, Activity: presence.Editing}, // a repeated message
	} {
		user := writer(i)
		s.update(t, user, presence.Update{Session: "x", Connection: 1, Section: "a"})
		if last.Seq == 1 {
			s.update(t, user, presence.Update{Session: "x", Section: "a", Seq: 1})
		}
		last.Session = "x"
		last.Section = cmp.Or(last.Section, "a")
		s.update(t, user, last)
	}
	for i := range 5 {
		if reply := s.leave(t, writer(i), presence.Leave{Session: "x", Connection: 1, Broken: true}); reply.Stale != (i > 0) {
			t.Errorf("the loss of connection 1 after update %d is answered stale %v; want %v", i, reply.Stale, i > 0)
		}
	}
	others := []string{`Writer 01 editing "a" of ["a"]`, `Writer 02 editing "b" of ["b"]`, `Writer 03 editing "a" of ["a"]`, `Writer 04 editing "a" of ["a"]`}
	s.Pass(presence.BrokenGrace - s.Grain)
	s.wantList(t, append([]string{`Writer 00 editing "a" of ["a"]`}, others...)...)
	s.Pass(2 * s.Grain)
	s.wantList(t, others...)
}

func lostAccess(t *testing.T, s *Subject) { // rule 14, case 38
	for i, newest := range []uint64{0, 1, 2} { // over HTTP, the same connection, another one
		user := writer(i)
		s.update(t, user, presence.Update{Session: "x", Connection: 1, Section: "a"})
		s.update(t, user, presence.Update{Session: "x", Connection: newest, Section: "a"})
		s.leave(t, user, presence.Leave{Session: "x", Connection: 1})
	}
	s.wantList(t, `Writer 02 editing "a" of ["a"]`)
}

func sessionLimit(t *testing.T, s *Subject) { // rule 16, case 40
	for i := range presence.MaxSessions {
		s.update(t, alice, presence.Update{Session: fmt.Sprint(i)})
	}
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Session: "one more"}); !errors.Is(err, presence.ErrTooManySessions) {
		t.Fatalf("one session more than the limit of %d: %v; want %v", presence.MaxSessions, err, presence.ErrTooManySessions)
	}
	s.update(t, alice, presence.Update{Session: "0", Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "1"})
	s.update(t, alice, presence.Update{Session: "one more"})
}

func onlyRenew(t *testing.T, s *Subject) { // rule 16, case 40
	s.update(t, alice, presence.Update{Section: "a"})
	s.update(t, alice, presence.Update{Section: "a", OnlyRenew: true})
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Section: "b", OnlyRenew: true}); !errors.Is(err, presence.ErrTooManyChanges) {
		t.Fatalf("a move with OnlyRenew: %v; want %v", err, presence.ErrTooManyChanges)
	}
	s.wantList(t, `Alice editing "a" of ["a"]`)
}
