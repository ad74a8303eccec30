package sqlitestore

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// visits returns how many projects Run will visit within a time, if no messages come: nothing else does work for a
// project.
func (s *Store) visits(within time.Duration) (n int) {
	for i := range s.groups {
		s.groups[i].mu.Lock()
		n += len(s.groups[i].unwritten)
		s.groups[i].mu.Unlock()
	}
	s.timers.mu.Lock()
	defer s.timers.mu.Unlock()
	for at, due := range s.timers.due {
		if at <= s.timers.after(time.Now().Add(within)) {
			n += len(due)
		}
	}
	return n
}

func TestQuietProjectIsVisitedOnlyWhenSomethingIsDue(t *testing.T) { // invariant 11
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		const projects = 100
		for i := range projects {
			name := presence.Project(fmt.Sprint("quiet-", i))
			if i%2 == 0 {
				t.Cleanup(s.Watch(name, func() {}))
			}
			_, err := s.Update(t.Context(), name, alice, presence.Update{Session: "x", Section: "a"})
			must(t, err)
		}
		time.Sleep(sweepEvery)
		synctest.Wait()
		quiet := presence.DefaultLease - sweepEvery - time.Second
		if n := s.visits(quiet); n != 0 {
			t.Errorf("for %v in which nothing is due, %d visits of projects are planned; want none", quiet, n)
		}
		if n := s.visits(quiet + 2*time.Second); n != projects {
			t.Errorf("when the sessions have expired, %d visits of projects are planned; want one of each, %d", n, projects)
		}

		for range 30 { // until the others are forgotten, or empty and watched
			time.Sleep(presence.DefaultHeartbeat)
			update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		}
		time.Sleep(sweepEvery)
		synctest.Wait()
		if n := s.visits(time.Hour); n != 1 {
			t.Errorf("%d visits of projects are planned; want one, of the project that is in use", n)
		}
	})
}

func TestUntouchedProjectIsDropped(t *testing.T) { // invariant 11
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		for i := range 100 {
			_, err := s.Update(t.Context(), presence.Project(fmt.Sprint("p", i)), alice, presence.Update{Session: "x", Section: "a"})
			must(t, err)
		}
		if f := s.Figures(); f.Projects != 100 || f.People != 100 {
			t.Errorf("got figures of %d projects and %d people, want 100 each", f.Projects, f.People)
		}
		time.Sleep(presence.DefaultLease + time.Second)
		synctest.Wait()
		if f := s.Figures(); f.Projects != 0 || f.People != 0 {
			t.Errorf("a second after the sessions expired: got figures of %d projects and %d people, want none", f.Projects, f.People)
		}
		time.Sleep(presence.Finality + forgetAfter)
		synctest.Wait()
		if n := s.projectCount(); n != 0 {
			t.Errorf("%v after the sessions expired: got %d projects, want none", presence.Finality+forgetAfter, n)
		}
		if n := s.visits(time.Hour); n != 0 {
			t.Errorf("without projects, %d visits of them are planned; want none", n)
		}
	})
}

// A hidden leave ends a session sooner than the timer wheel has it.
func TestEarlierExpiryIsFoundWithinASecond(t *testing.T) { // rule 9, invariant 1
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		var changes atomic.Int32
		defer s.NotifyChanges(func(presence.Project) { changes.Add(1) })()
		for range 2 {
			update(t, s, alice, presence.Update{Session: "x", Section: "a"})
			_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Hidden: true})
			must(t, err)
			changes.Store(0)
			time.Sleep(presence.HiddenGrace)
			synctest.Wait()
			if n := changes.Load(); n != 0 {
				t.Errorf("before the end of the grace: notified of %d changes, want none", n)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := changes.Load(); n != 1 {
				t.Errorf("a second after the end of the grace: notified of %d changes, want 1", n)
			}
		}
	})
}

func TestOnlyChangedProjectsAreLookedAtForEvents(t *testing.T) {
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		unannounced := func(want ...presence.Project) {
			t.Helper()
			time.Sleep(scanInterval)
			all, err := s.Unannounced(t.Context())
			must(t, err)
			slices.Sort(all)
			s.events.mu.Lock()
			defer s.events.mu.Unlock()
			queued := len(s.events.unannounced)
			if !slices.Equal(all, want) || queued != len(want) {
				t.Errorf("got %q, and %d to check next time; want %q", all, queued, want)
			}
		}
		announce := func(p presence.Project, occupied bool) {
			t.Helper()
			snapshot, err := s.Snapshot(t.Context(), p)
			must(t, err)
			_, _, err = s.Claim(t.Context(), p, "h", time.Minute)
			must(t, err)
			_, err = s.Announce(t.Context(), p, "h", presence.Announcement{Version: snapshot.Version, Occupied: occupied, State: []byte("{}")})
			must(t, err)
			_, err = s.Renew(t.Context(), p, "h", 0)
			must(t, err)
		}
		for _, p := range []presence.Project{"p", "q"} {
			_, err := s.Update(t.Context(), p, alice, presence.Update{Session: "x", Section: "a"})
			must(t, err)
		}
		unannounced("p", "q")
		announce("p", true)
		unannounced("q")
		announce("q", true)
		unannounced()
		update(t, s, alice, presence.Update{Session: "x", Section: "b"})
		unannounced("p")
		announce("p", true)
		time.Sleep(presence.DefaultLease)
		unannounced("p", "q")
		announce("p", false)
		announce("q", false)
		unannounced()
		time.Sleep(presence.Finality + forgetAfter)
		unannounced() // the projects are over
		s.events.mu.Lock()
		defer s.events.mu.Unlock()
		if n := len(s.events.announced); n != 0 {
			t.Errorf("%d announcements are kept of projects that are over; want none", n)
		}
	})
}
