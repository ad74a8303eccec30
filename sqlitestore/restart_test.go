package sqlitestore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestASessionThatLeftAndCameAgainIsThereAfterAKill(t *testing.T) { // invariant 6
	for name, pause := range map[string]time.Duration{"in another commit": time.Second, "in the same commit": 0} {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := run(t, dir, Options{})
			update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
			left := make(chan error)
			go func() {
				_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Seq: 2})
				left <- err
			}()
			synctest.Wait() // until it waits for its commit
			time.Sleep(pause)
			update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "a"})
			if err := <-left; err != nil {
				t.Fatal(err)
			}
			dir = killed(t, dir)
			s, _ = run(t, dir, Options{})
			if got := listed(t, s); got != alice.Name {
				t.Errorf("%s: after the kill %q are listed; due: %s", name, got, alice.Name)
			}
		})
	}
}

func TestARestartAfterALongTimeBringsNobodyBack(t *testing.T) { // invariant 1
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(time.Minute)
		update(t, s, bob, presence.Update{Section: "a"})
		stop()
		time.Sleep(presence.Finality - time.Second)
		s, stop = run(t, dir, Options{})
		if got := listed(t, s); got != "Alice, Bob" {
			t.Errorf("after almost ten minutes of standstill %q are listed; due: Alice, Bob, for a lease", got)
		}
		stop()
		time.Sleep(2 * time.Second)
		s, _ = run(t, dir, Options{})
		if got := listed(t, s); got != "" {
			t.Errorf("after a longer standstill %q are listed; due: nobody", got)
		}
	})
}

func TestWhoLapsedBeforeTheEndOfTheProcessStaysAway(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(presence.DefaultLease + time.Millisecond)
		update(t, s, bob, presence.Update{Section: "a"})
		s, _ = run(t, killed(t, dir), Options{})
		if got := listed(t, s); got != "Bob" {
			t.Errorf("%q are listed; due: Bob, since Alice lapsed before", got)
		}
	})
}

func TestVersionsGrowOverARestartWithTheClockSetBack(t *testing.T) { // invariant 8
	dir := t.TempDir()
	var version uint64
	in(t, func(t *testing.T) {
		time.Sleep(365 * 24 * time.Hour)
		s, stop := run(t, dir, Options{})
		version = update(t, s, alice, presence.Update{Section: "a"}).Version
		stop()
	})
	in(t, func(t *testing.T) { // a year earlier
		s, _ := run(t, dir, Options{})
		if got := update(t, s, alice, presence.Update{Section: "b"}).Version; got <= version {
			t.Errorf("the version went from %d to %d", version, got)
		}
	})
}

func TestVersionsFollowTheClockHoweverOftenTheProcessIsKilled(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		for range 5 {
			s, _ := run(t, dir, Options{})
			update(t, s, alice, presence.Update{Section: "a"})
			update(t, s, alice, presence.Update{Section: "b"})
			time.Sleep(5 * time.Second)
			dir = killed(t, dir)
		}
		s, _ := run(t, dir, Options{})
		got := update(t, s, alice, presence.Update{Section: "c"}).Version
		if ahead := int64(got) - time.Now().UnixMilli(); ahead > 1000 {
			t.Errorf("after five kills the version is %d ms ahead of the clock; due: at it", ahead)
		}
		empty, err := s.Snapshot(t.Context(), "never heard of")
		if err != nil || empty.Version == 0 {
			t.Errorf("a project that was never heard of has version %d, %v; due: above any that it may have had", empty.Version, err)
		}
	})
}

func TestTheClockOfOthersRowsDropsNobody(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		if _, err := s.db.sql.Exec("INSERT INTO writer_presence (project, user, session, username, visitor, current_section, activity, seq, touched, last_seen, is_active) VALUES ('q', '9', 'x', 'Past', 0, '', '', 1, 0, ?, 0)", time.Now().Add(time.Hour).UnixMilli()); err != nil {
			t.Fatal(err)
		}
		stop()
		s, _ = run(t, dir, Options{})
		if got := listed(t, s); got != "Alice" {
			t.Errorf("beside an ended session of the future %q are listed; due: Alice", got)
		}
	})
}

func TestTheNameThatWasLastHeardSurvivesARestart(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		time.Sleep(time.Second)
		update(t, s, alice, presence.Update{Session: "y", Section: "b"})
		time.Sleep(time.Second)
		update(t, s, presence.User{ID: alice.ID, Name: "Alicia"}, presence.Update{Session: "x", Section: "a", Activity: presence.Idle})
		s, _ = run(t, killed(t, dir), Options{})
		if got := listed(t, s); got != "Alicia" {
			t.Errorf("after a restart %q are listed; due: Alicia, the newer name", got)
		}
	})
}

func TestAllThatEndedTogetherIsWrittenThoughFewerAreRemembered(t *testing.T) { // rule 1
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		leave := func(l presence.Leave) {
			t.Helper()
			if _, err := s.Leave(t.Context(), "p", alice, l); err != nil {
				t.Fatal(err)
			}
		}
		for i := range presence.MaxSessions {
			update(t, s, alice, presence.Update{Session: fmt.Sprint("old-", i), Seq: 1, Section: "s", Connection: 1})
		}
		time.Sleep(5 * time.Second)
		for i := range presence.MaxSessions { // which end by themselves, together
			leave(presence.Leave{Session: fmt.Sprint("old-", i), Connection: 1, Broken: true})
		}
		time.Sleep(presence.BrokenGrace + time.Millisecond)
		for i := range 5 { // before that is swept
			update(t, s, alice, presence.Update{Session: fmt.Sprint("new-", i), Seq: 1})
			leave(presence.Leave{Session: fmt.Sprint("new-", i), Seq: 2})
		}
		time.Sleep(time.Minute)
		again, _ := run(t, killed(t, dir), Options{})
		if got := listed(t, again); got != "" {
			t.Errorf("after a restart %q is listed; due is nobody", got)
		}
	})
}
