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

func TestTheFiguresCountWhoIsOnline(t *testing.T) {
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		for i := range 40 {
			project, user := presence.Project(fmt.Sprint("p", i%20)), presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}
			for _, tab := range []string{"a", "b"} { // one person, all the same
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
			t.Errorf("%d projects, %d people; due: 20 and 40", f.Projects, f.People)
		}
		time.Sleep(presence.DefaultLease)
		if f := s.Figures(); f.Projects != 0 || f.People != 0 {
			t.Errorf("after their lease: %d projects, %d people; due is nobody", f.Projects, f.People)
		}
	})
}

func TestAFailingDiskIsDegradedAndTheLagSaysForHowLong(t *testing.T) { // and presence goes on
	in(t, func(t *testing.T) {
		s, _ := run(t, t.TempDir(), Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		isWell := func(when string) {
			t.Helper()
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("%s the store is not ready: %v", when, err)
			}
			if lag := *s.Figures().JournalLag; lag != 0 {
				t.Errorf("%s the journal is %v behind; due: not at all", when, lag)
			}
		}
		isWell("with a disk that works")

		full(t, s, true)
		for i := 0; s.Ready(t.Context()) == nil && i < 300; i++ { // until what is free in the file is used up
			update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: "b"})
		}
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) {
			t.Errorf("with a full disk Ready is %v; due: degraded", err)
		}
		before := *s.Figures().JournalLag
		time.Sleep(10 * time.Second)
		if lag := *s.Figures().JournalLag; lag < 10*time.Second || lag > before+10*time.Second {
			t.Errorf("after ten seconds more the journal is %v behind, from %v", lag, before)
		}
		full(t, s, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		isWell("when the disk has room again")
	})
}

func TestTheLagCountsWhatIsBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan error) // the disk takes its time, until it says how it went
		j := newJournal(func(map[key]presence.Record, uint64, time.Time) error { return <-written }, slog.New(slog.DiscardHandler))
		came := presence.Record{User: alice, Session: "x", Active: true, LastSeen: time.Now()}
		after := func(when string, due time.Duration) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if lag := j.lag(); lag != due {
				t.Errorf("%s the lag is %v; due: %v", when, lag, due)
			}
		}
		j.addLater("p", 1, []presence.Record{came})
		after("before a commit", time.Second)
		go j.commit()
		synctest.Wait()
		j.addLater("p", 2, []presence.Record{came})
		after("during a commit", 2*time.Second)
		written <- errors.New("the disk is full")
		after("after one that failed", 3*time.Second)
		go j.commit()
		synctest.Wait()
		j.addLater("p", 3, []presence.Record{came})
		written <- nil
		after("when what came during a commit is pending", time.Second)
		go j.commit()
		written <- nil
		after("when all is written", 0)
	})
}
