package sqlitestore

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func (s *Store) projectCount() (n int) {
	for i := range s.groups {
		n += len(s.projectsIn(&s.groups[i]))
	}
	return n
}

func TestReadsAndLeavesDoNotKeepUnknownProjects(t *testing.T) { // rule 10, invariant 11
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		leave := func(p presence.Project, l presence.Leave) {
			t.Helper()
			if _, err := s.Leave(t.Context(), p, alice, l); err != nil {
				t.Fatal(err)
			}
		}
		for name, visit := range map[string]func(p presence.Project){
			"a snapshot": func(p presence.Project) {
				if _, err := s.Snapshot(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			},
			"a watch that ends": func(p presence.Project) {
				stop := s.Watch(p, func() {})
				stop()
				stop()
			},
			"a leave without a number":                func(p presence.Project) { leave(p, presence.Leave{Session: "x"}) },
			"a leave over a limit":                    func(p presence.Project) { leave(p, presence.Leave{Session: "x", Seq: 1, OnlyLiving: true}) },
			"the end of a connection without updates": func(p presence.Project) { leave(p, presence.Leave{Session: "x", Seq: 1, Broken: true}) },
			"an update over a limit": func(p presence.Project) {
				_, err := s.Update(t.Context(), p, alice, presence.Update{Section: "a", OnlyRenew: true})
				if !errors.Is(err, presence.ErrTooManyChanges) {
					t.Errorf("update of an unknown project that may only renew: got %v, want %v", err, presence.ErrTooManyChanges)
				}
			},
		} {
			for i := range 100 {
				visit(presence.Project(fmt.Sprint("unknown-", i)))
			}
			if n := s.projectCount(); n != 0 {
				t.Errorf("%s: got %d projects, want none", name, n)
			}
		}
		synctest.Wait()
		if n := rows(t, dir, "true"); n != 0 {
			t.Errorf("got %d rows, want none", n)
		}
	})
}

func TestEndOfWatchKeepsProjectWithSessions(t *testing.T) {
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		woken := 0
		first, second := s.Watch("p", func() {}), s.Watch("p", func() { woken++ })
		first()
		update(t, s, alice, presence.Update{Section: "a"})
		second()
		second()
		if got := listed(t, s); got != "Alice" || woken == 0 {
			t.Errorf("got %q listed and %d wake-ups, want Alice and at least 1", got, woken)
		}
	})
}

func TestLeaveOfUnknownProjectIsForgottenAfterFinality(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		for i := range 100 {
			p := presence.Project(fmt.Sprint("unknown-", i))
			if _, err := s.Leave(t.Context(), p, alice, presence.Leave{Session: "x", Seq: 2}); err != nil {
				t.Fatal(err)
			}
			reply, err := s.Update(t.Context(), p, alice, presence.Update{Session: "x", Seq: 1})
			if err != nil || !reply.Stale {
				t.Errorf("update older than its leave: got stale %v, %v, want true", reply.Stale, err)
			}
		}
		time.Sleep(presence.Finality + 2*forgetAfter)
		synctest.Wait()
		if n, written := s.projectCount(), rows(t, dir, "true"); n != 0 || written != 0 {
			t.Errorf("got %d projects and %d rows, want none %v after the end", n, written, presence.Finality+2*forgetAfter)
		}
	})
}
