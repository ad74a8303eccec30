package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func (s *Subject) remove(t tester, user presence.UserID, until time.Time) presence.Reply {
	t.Helper()
	reply, err := s.Remove(t.Context(), project, presence.Removal{User: user, Until: until})
	if err != nil {
		t.Fatalf("removal of %q: %v", user, err)
	}
	return reply
}

// wantRemoved fails unless an update of the user is rejected until the given time.
func (s *Subject) wantRemoved(t tester, user presence.User, until time.Time) {
	t.Helper()
	before := s.Now()
	_, err := s.Update(t.Context(), project, user, presence.Update{Session: "new", Section: "a"})
	var removed *presence.RemovedError
	if !errors.Is(err, presence.ErrRemoved) || !errors.As(err, &removed) || removed.After > until.Sub(before)+s.Grain || removed.After < until.Sub(s.Now())-s.Grain {
		t.Fatalf("an update of %s is answered %v (%+v); want ErrRemoved until %v", user.Name, err, removed, until)
	}
}

func removalEndsSessions(t *testing.T, s *Subject) { // rule 24
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, alice, presence.Update{Session: "y", Seq: 4, Section: "b", Unsaved: true})
	s.update(t, bob, presence.Update{Session: "x", Seq: 1, Section: "c"})
	before := s.snapshot(t).Version
	count, stop := s.countWakes()
	defer stop()
	reply := s.remove(t, alice.ID, time.Time{})
	if reply.Durable == s.Volatile {
		t.Fatalf("Durable of a removal is %v; want %v", reply.Durable, !s.Volatile)
	}
	s.wantList(t, `Bob editing "c" of ["c"]`)
	snapshot := s.snapshot(t)
	if reply.Version <= before || snapshot.Version != reply.Version || !snapshot.RemovedSince(before, alice.ID) || snapshot.RemovedSince(before, bob.ID) || snapshot.RemovedSince(reply.Version, alice.ID) {
		t.Fatalf("version %d became %d by a removal at %d, with %+v; want that of Alice alone, in between", before, snapshot.Version, reply.Version, snapshot.Removals)
	}
	if count() == 0 {
		t.Fatal("a removal wakes nobody")
	}
	if old := s.update(t, alice, presence.Update{Session: "y", Seq: 4, Section: "b"}); !old.Stale {
		t.Fatal("a message before the removal is not stale")
	}
	if reply := s.update(t, bob, presence.Update{Session: "x", Seq: 2, Section: "b"}); len(reply.Conflicts) != 0 {
		t.Fatalf("the section of a removed user has the conflicts %q", lines(reply.Conflicts))
	}
	s.update(t, alice, presence.Update{Session: "y", Seq: 5, Section: "b"})
	s.wantList(t, `Alice editing "b" of ["b"]`, `Bob editing "b" of ["b"]`)

	before = s.snapshot(t).Version // also that of somebody who is not there wakes the nodes, which may have a connection
	if s.remove(t, "nobody", time.Time{}); !s.snapshot(t).RemovedSince(before, "nobody") {
		t.Fatal("the removal of somebody who is not there is not in the snapshot")
	}
}

func removalRejectsUpdates(t *testing.T, s *Subject) { // rule 24
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, bob, presence.Update{Session: unguessable, Seq: 1, Section: "a"})
	until := s.Now().Add(2 * s.Lease)
	s.remove(t, alice.ID, until)
	s.wantRemoved(t, alice, until)
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Session: unguessable, Seq: 2, Section: "a"}); !errors.Is(err, presence.ErrRemoved) {
		t.Fatalf("a session that moves to a removed user is answered %v; want ErrRemoved", err)
	}
	s.Pass(s.Lease)
	s.Store = s.Restart()
	s.wantRemoved(t, alice, until)
	s.update(t, bob, presence.Update{Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 9})
	if err := s.snapshot(t).Removed(s.Now(), alice.ID); !errors.Is(err, presence.ErrRemoved) {
		t.Fatalf("the snapshot says %v of a removed user; want ErrRemoved", err)
	}
	s.Pass(s.Lease + s.Grain)
	s.update(t, alice, presence.Update{Session: "new", Seq: 1, Section: "a"})

	until = s.Now().Add(24 * time.Hour)
	s.remove(t, alice.ID, until)
	s.Pass(2 * presence.Finality) // longer than ended sessions are kept
	s.wantRemoved(t, alice, until)
	s.remove(t, alice.ID, s.Now()) // takes it back
	s.update(t, alice, presence.Update{Section: "a"})
}

func removalOfEverybody(t *testing.T, s *Subject) { // rule 24
	s.update(t, alice, presence.Update{Section: "a", Saved: presence.Saved{Section: "a", Revision: "1"}})
	s.update(t, bob, presence.Update{Session: unguessable, Section: "b"})
	until := s.Now().Add(s.Lease)
	s.remove(t, "", until)
	s.wantList(t)
	if saves := s.snapshot(t).Saves; len(saves) != 0 {
		t.Fatalf("after everybody was removed there are %d saves; want none", len(saves))
	}
	s.wantRemoved(t, alice, until)
	s.wantRemoved(t, writer(7), until)
	s.Pass(s.Lease + s.Grain)
	s.update(t, bob, presence.Update{Section: "a"})
	s.wantList(t, `Bob editing "a" of ["a"]`)
}

func removalsAreBounded(t *testing.T, s *Subject) { // rules 16 and 24
	later := s.Now().Add(time.Hour)
	s.remove(t, "over", time.Time{})
	const callers = 20
	concurrently(callers, func(i int) {
		for n := i; n < presence.MaxRemovals-1; n += callers {
			s.remove(goroutine{t}, presence.UserID(fmt.Sprint("u", n)), later)
		}
	})
	s.remove(t, "instead of the one that is over", later)
	if _, err := s.Remove(t.Context(), project, presence.Removal{User: "more", Until: later}); !errors.Is(err, presence.ErrTooManyRemovals) {
		t.Fatalf("removal %d is answered %v; want ErrTooManyRemovals", presence.MaxRemovals+1, err)
	}
	s.remove(t, "u0", s.Now())
	s.remove(t, "more", later)
	if n := len(s.snapshot(t).Removals); n != presence.MaxRemovals {
		t.Fatalf("%d removals are kept; want %d", n, presence.MaxRemovals)
	}
	s.remove(t, "", later) // a project that was deleted
}

func shorterLease(t *testing.T, s *Subject) { // rule 1
	short := s.Lease / 4
	end := func() time.Time { return s.snapshot(t).Occupants[0].LastSeen }
	update := func(user presence.User, lease time.Duration) {
		s.update(t, user, presence.Update{Session: "x", Section: "a", Lease: lease})
	}
	update(alice, short)
	s.Pass(end().Add(short - s.Grain).Sub(s.Now()))
	update(alice, short)
	s.Pass(end().Add(short - s.Grain).Sub(s.Now()))
	s.wantList(t, `Alice editing "a" of ["a"]`)
	s.Pass(2*s.Grain + 1)
	s.wantList(t)

	update(alice, 0)
	update(bob, 10*s.Lease) // no longer than the lease of all
	update(alice, short)
	s.Pass(short + s.Grain)
	s.wantList(t, `Bob editing "a" of ["a"]`)
	s.Pass(s.Lease - short + s.Grain)
	s.wantList(t)
}

func sessionsAreListed(t *testing.T, s *Subject) {
	if snapshot, sessions, err := s.Sessions(t.Context(), project); err != nil || snapshot.Count != 0 || len(sessions) != 0 {
		t.Fatalf("an unknown project has %v, sessions %v, %v; want none", snapshot, sessions, err)
	}
	agent := presence.User{ID: "3", Name: "Robot", Agent: true, AvatarURL: "https://example.org/r.png"}
	s.update(t, alice, presence.Update{Session: "x", Seq: 7, Section: "a", Unsaved: true})
	s.update(t, alice, presence.Update{Session: "y", Seq: 1, Activity: presence.Idle})
	s.update(t, agent, presence.Update{Session: "x", Section: "b", WaitingFor: "a"})
	s.update(t, bob, presence.Update{Session: "x", Seq: 1})
	s.leave(t, bob, presence.Leave{Session: "x", Seq: 2})
	snapshot, sessions, err := presence.NewService(s).Sessions(t.Context(), project)
	if err != nil || snapshot.Count != 2 {
		t.Fatalf("sessions are answered %v, %v; want those of two users", snapshot, err)
	}
	var got []string
	for _, r := range sessions {
		got = append(got, fmt.Sprintf("%+v %s %d %s %s %v %s %v", r.User, r.Session, r.Seq, r.Section, r.Activity, r.Unsaved, r.WaitingFor, r.Active))
	}
	want := []string{
		fmt.Sprintf("%+v x 7 a editing true  true", alice), fmt.Sprintf("%+v y 1  idle false  true", alice), fmt.Sprintf("%+v x 0 b editing false a true", agent),
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the sessions are\n  %q\nwant\n  %q", got, want)
	}
}

func activeProjects(t *testing.T, s *Subject) {
	in := func(p presence.Project, user presence.User, section presence.Section) {
		t.Helper()
		if _, err := s.Update(t.Context(), p, user, presence.Update{Session: "x", Seq: 1, Section: section}); err != nil {
			t.Fatal(err)
		}
	}
	// all returns the projects of all pages, with their counts and the section of the user of the filter.
	all := func(f presence.ProjectFilter) (got []string) {
		t.Helper()
		for cursor := ""; ; {
			page, next, err := s.Projects(t.Context(), f, cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page {
				text := fmt.Sprintf("%s %d", p.Project, p.Snapshot.Count)
				if p.User != nil {
					text += fmt.Sprintf(" %s %s", p.User.User.Name, p.User.Section)
				}
				got = append(got, text)
			}
			if cursor = next; next == "" {
				slices.Sort(got)
				return slices.Compact(got)
			}
		}
	}
	if got := all(presence.ProjectFilter{}); len(got) != 0 {
		t.Fatalf("an empty store lists %q", got)
	}
	for _, p := range []presence.Project{"a", "ab", "b", "a.example/p", "[2001:db8::1]:8080/p", "[2001:db8::1]:8080/q*"} {
		in(p, bob, "s")
	}
	in("ab", alice, "t")
	in("left", alice, "t")
	in("left", bob, "t")
	for _, user := range []presence.User{alice, bob} {
		if _, err := s.Leave(t.Context(), "left", user, presence.Leave{Session: "x", Seq: 2}); err != nil {
			t.Fatal(err)
		}
	}
	in("alice left", alice, "t")
	in("alice left", bob, "t")
	if _, err := s.Leave(t.Context(), "alice left", alice, presence.Leave{Session: "x", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    presence.ProjectFilter
		want []string
	}{
		{presence.ProjectFilter{}, []string{"[2001:db8::1]:8080/p 1", "[2001:db8::1]:8080/q* 1", "a 1", "a.example/p 1", "ab 2", "alice left 1", "b 1"}},
		{presence.ProjectFilter{Prefix: "a"}, []string{"a 1", "a.example/p 1", "ab 2", "alice left 1"}},
		{presence.ProjectFilter{Prefix: "[2001:db8::1]:8080/"}, []string{"[2001:db8::1]:8080/p 1", "[2001:db8::1]:8080/q* 1"}},
		{presence.ProjectFilter{Prefix: "*"}, nil},
		{presence.ProjectFilter{User: alice.ID}, []string{"ab 2 Alice t"}},
		{presence.ProjectFilter{Prefix: "a", User: bob.ID}, []string{"a 1 Bob s", "a.example/p 1 Bob s", "ab 2 Bob s", "alice left 1 Bob t"}},
		{presence.ProjectFilter{User: "nobody"}, nil},
	} {
		if got := all(c.f); !slices.Equal(got, c.want) {
			t.Errorf("%+v lists %q; want %q", c.f, got, c.want)
		}
	}
	for _, cursor := range []string{"x", "0@nowhere", "@"} {
		if _, _, err := s.Projects(t.Context(), presence.ProjectFilter{}, cursor, 2); !errors.Is(err, presence.ErrCursorInvalid) {
			t.Errorf("the cursor %q is answered %v; want ErrCursorInvalid", cursor, err)
		}
	}
	s.Pass(s.Lease + s.Grain)
	if got := all(presence.ProjectFilter{}); len(got) != 0 {
		t.Errorf("after all leases expired, the projects are %q; want none", got)
	}
}
