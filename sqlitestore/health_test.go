package sqlitestore

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

var _ presence.Health = (*Store)(nil)

func TestFiguresCountProjectsAndUsersOnline(t *testing.T) {
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		for i := range 40 {
			project, user := presence.Project(fmt.Sprint("p", i%20)), presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}
			for _, tab := range []string{"a", "b"} { // two sessions of one user
				if _, err := s.Update(t.Context(), project, user, presence.Update{Session: tab}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := s.Leave(t.Context(), "p0", presence.User{ID: "0"}, presence.Leave{Session: "never seen", Seq: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if f := s.Figures(); f.Projects != 20 || f.People != 40 {
			t.Errorf("got %d projects, %d users, want 20 and 40", f.Projects, f.People)
		}
		time.Sleep(presence.DefaultLease)
		if f := s.Figures(); f.Projects != 0 || f.People != 0 {
			t.Errorf("after the lease: got %d projects, %d users, want 0 and 0", f.Projects, f.People)
		}
	})
}

func TestFullDiskIsDegradedAndLagGrows(t *testing.T) {
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		isWell := func(when string) {
			t.Helper()
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("%s: Ready: got %v, want nil", when, err)
			}
			if lag := *s.Figures().JournalLag; lag != 0 {
				t.Errorf("%s: lag: got %v, want 0", when, lag)
			}
		}
		isWell("working disk")

		full(t, s, true)
		for i := 0; s.Ready(t.Context()) == nil && i < 300; i++ { // until the free pages in the file are used up
			update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: "b"})
		}
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) {
			t.Errorf("full disk: Ready: got %v, want degraded", err)
		}
		before := *s.Figures().JournalLag
		time.Sleep(10 * time.Second)
		if lag := *s.Figures().JournalLag; lag < 10*time.Second || lag > before+10*time.Second {
			t.Errorf("full disk: got a lag of %v ten seconds after %v, want ten seconds more at most", lag, before)
		}
		full(t, s, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		isWell("after the disk has room again")
	})
}

func TestLagIsAgeOfOldestUnwrittenRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan error) // each write ends with the error that the test sends
		j := newJournal(func(changes, uint64, time.Time) error { return <-written }, slog.New(slog.DiscardHandler))
		joined := presence.Record{User: alice, Session: "x", Active: true, LastSeen: time.Now()}
		after := func(when string, want time.Duration) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if lag := j.lag(); lag != want {
				t.Errorf("%s: lag: got %v, want %v", when, lag, want)
			}
		}
		j.addLater("p", 1, unwritten{records: []presence.Record{joined}})
		after("before a commit", time.Second)
		go j.commit()
		synctest.Wait()
		j.addLater("p", 2, unwritten{records: []presence.Record{joined}})
		after("during a commit", 2*time.Second)
		written <- errors.New("the disk is full")
		after("after a failed commit", 3*time.Second)
		go j.commit()
		synctest.Wait()
		j.addLater("p", 3, unwritten{records: []presence.Record{joined}})
		written <- nil
		after("with a record added during the commit", time.Second)
		go j.commit()
		written <- nil
		after("after everything is written", 0)
	})
}
