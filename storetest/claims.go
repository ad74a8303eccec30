package storetest

import (
	"fmt"
	"slices"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func sessionMoves(t *testing.T, s *Subject) { // rule 7, case 46
	s.update(t, alice, presence.Update{Session: unguessable, Seq: 1, Section: "a"})
	reply := s.update(t, bob, presence.Update{Session: unguessable, Seq: 2, Section: "a", UnlessOccupied: true})
	if len(reply.Conflicts) > 0 || reply.Activity != presence.Editing {
		t.Fatalf("under its new identity the page is %s, conflicts %q; want editing, none", reply.Activity, lines(reply.Conflicts))
	}
	s.wantList(t, `Bob editing "a" of ["a"]`)
	if reply := s.update(t, alice, presence.Update{Session: unguessable, Seq: 2, Section: "b"}); !reply.Stale {
		t.Fatal("an older update under the former identity took the session back")
	}
	s.leave(t, alice, presence.Leave{Session: unguessable, Seq: 4})
	s.wantList(t)
	for _, user := range []presence.User{alice, bob} {
		if reply := s.update(t, user, presence.Update{Session: unguessable, Seq: 3, Section: "a"}); !reply.Stale {
			t.Fatalf("an older update of %s is not stale after the leave", user.Name)
		}
	}
	s.update(t, alice, presence.Update{Session: unguessable[1:], Section: "a"})
	if reply := s.update(t, bob, presence.Update{Session: unguessable[1:], Section: "a"}); len(reply.Conflicts) != 1 {
		t.Fatalf("a shorter session name moved: conflicts %q; want Alice", lines(reply.Conflicts))
	}
}

func movedSessionsAreBounded(t *testing.T, s *Subject) { // rules 7 and 16
	for i := range 3 * presence.MaxSessions {
		page := fmt.Sprintf("%s%03d", unguessable, i)
		section := presence.Section(page)
		s.update(t, alice, presence.Update{Session: page, Seq: 1, Section: section})
		s.update(t, bob, presence.Update{Session: page, Seq: 2, Section: section})
		if n := len(s.snapshot(t).Occupants[0].Sections); n > 2*presence.MaxSessions {
			t.Fatalf("Bob has %d sessions; want at most %d", n, 2*presence.MaxSessions)
		}
		s.leave(t, bob, presence.Leave{Session: page, Seq: 3, Hidden: true})
	}
}

func unsavedClaims(t *testing.T, s *Subject) { // rule 18, case 45
	s.update(t, alice, presence.Update{Section: "a", Activity: presence.Idle, Unsaved: true})
	careful := presence.Update{Section: "a", UnlessOccupied: true}
	reply := s.update(t, bob, careful)
	if len(reply.Conflicts) != 1 || reply.Activity != presence.Viewing || !slices.Equal(reply.Conflicts[0].Unsaved, []presence.Section{"a"}) {
		t.Fatalf("beside unsaved work Bob is %s, conflicts %q; want viewing, Alice", reply.Activity, lines(reply.Conflicts))
	}
	s.Pass(s.Lease + s.Grain)
	if reply := s.update(t, bob, careful); len(reply.Conflicts) > 0 || reply.Activity != presence.Editing {
		t.Fatalf("after the lease of the unsaved work Bob is %s, conflicts %q; want editing, none", reply.Activity, lines(reply.Conflicts))
	}
}

func waitingEnds(t *testing.T, s *Subject) { // rule 20
	s.update(t, alice, presence.Update{Section: "a"})
	wait := presence.Update{Section: "a", UnlessOccupied: true, WaitingFor: "a"}
	s.update(t, bob, wait)
	if o := s.snapshot(t).Occupants[1]; o.WaitingFor != "a" {
		t.Fatalf("Bob waits for %q; want a", o.WaitingFor)
	}
	s.leave(t, alice, presence.Leave{})
	s.update(t, bob, wait)
	if o := s.snapshot(t).Occupants[0]; o.WaitingFor != "" || o.Activity != presence.Editing {
		t.Fatalf("Bob is %s and waits for %q; want editing, nothing", o.Activity, o.WaitingFor)
	}
}

func saved(section presence.Section, revision string) presence.Update {
	return presence.Update{Section: "elsewhere", Saved: presence.Saved{Section: section, Revision: revision}}
}

// wantSaves fails unless the snapshot has the saves: section, revision and name of each.
func (s *Subject) wantSaves(t tester, want ...string) {
	t.Helper()
	var seen []string
	for _, save := range s.snapshot(t).Saves {
		seen = append(seen, fmt.Sprintf("%s %s by %s", save.Section, save.Revision, save.Name))
	}
	if !slices.Equal(seen, want) {
		t.Fatalf("saves %q; want %q", seen, want)
	}
}

func newestSaves(t *testing.T, s *Subject) { // rule 19, case 58
	s.update(t, alice, saved("b", "1"))
	s.update(t, bob, saved("a", "7"))
	s.update(t, bob, saved("b", "2"))
	s.wantSaves(t, "a 7 by Bob", "b 2 by Bob")
	version := s.snapshot(t).Version
	s.update(t, bob, saved("b", "2"))
	if s.snapshot(t).Version != version {
		t.Fatal("a repeated save raised the version")
	}
	s.update(t, alice, saved("b", "2"))
	if s.snapshot(t).Version <= version {
		t.Fatal("a save raised no version")
	}
	s.wantSaves(t, "a 7 by Bob", "b 2 by Alice")
}

func savesEnd(t *testing.T, s *Subject) { // rule 19
	s.update(t, alice, saved("a", "1"))
	s.Pass(s.Lease + presence.Finality - s.Grain)
	s.wantSaves(t, "a 1 by Alice")
	s.Pass(2*s.Grain + 1)
	s.wantSaves(t)
}

func savesAreBounded(t *testing.T, s *Subject) { // rules 16 and 19
	section := func(i int) presence.Section { return presence.Section(fmt.Sprintf("s%04d", i)) }
	for i := range presence.MaxSaves {
		s.update(t, alice, saved(section(i), "1"))
	}
	s.Pass(s.Grain)
	s.update(t, alice, saved(section(0), "2")) // now the newest
	for i := range 3 {
		s.update(t, alice, saved(section(presence.MaxSaves+i), "1"))
	}
	saves := s.snapshot(t).Saves
	if len(saves) != presence.MaxSaves || saves[0].Section != section(0) || saves[1].Section != section(4) {
		t.Fatalf("%d saves are kept, which begin with %s and %s; want the newest %d", len(saves), saves[0].Section, saves[1].Section, presence.MaxSaves)
	}
	s.move(t, section(4), "a") // still the oldest
	s.update(t, alice, saved(section(presence.MaxSaves+3), "1"))
	if saves := s.snapshot(t).Saves; len(saves) != presence.MaxSaves || saves[0].Section != section(0) || saves[1].Section != section(5) {
		t.Fatalf("after a move %d saves are kept, which begin with %s and %s; want the newest %d", len(saves), saves[0].Section, saves[1].Section, presence.MaxSaves)
	}
}

func claimsSurviveRestart(t *testing.T, s *Subject) { // rules 7 and 18 to 20, invariant 6
	s.update(t, alice, presence.Update{Session: unguessable, Seq: 1, Section: "a"})
	agent := presence.User{ID: "3", Name: "Corrector", Agent: true, AvatarURL: "https://example.org/corrector.png"}
	s.update(t, agent, presence.Update{Section: "c", Unsaved: true, WaitingFor: "a"})
	reply := s.update(t, bob, presence.Update{Session: unguessable, Seq: 2, Section: "a", Saved: presence.Saved{Section: "b", Revision: "1"}})
	if reply.Durable == s.Volatile {
		t.Fatalf("Durable of a reply is %v; want %v", reply.Durable, !s.Volatile)
	}
	want := details(s.snapshot(t), s.Now())
	s.Store = s.Restart()
	if seen := details(s.snapshot(t), s.Now()); !slices.Equal(seen, want) {
		t.Fatalf("after a restart:\n%q\nwant:\n%q", seen, want)
	}
	if reply := s.update(t, alice, presence.Update{Session: unguessable, Seq: 2, Section: "a"}); !reply.Stale {
		t.Fatal("after a restart, an older update under the former identity took the session back")
	}
}
