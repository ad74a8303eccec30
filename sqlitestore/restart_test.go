package sqlitestore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestSessionThatLeftAndReturnedIsListedAfterKill(t *testing.T) { // invariant 6
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
				t.Errorf("%s: listed after a kill: got %q, want %s", name, got, alice.Name)
			}
		})
	}
}

func TestRestartAfterLongDowntimeListsNobody(t *testing.T) { // invariant 1
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
			t.Errorf("listed after a downtime below Finality: got %q, want Alice, Bob", got)
		}
		stop()
		time.Sleep(2 * time.Second)
		s, _ = run(t, dir, Options{})
		if got := listed(t, s); got != "" {
			t.Errorf("listed after a downtime above Finality: got %q, want nobody", got)
		}
	})
}

func TestSessionExpiredBeforeRestartStaysEnded(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(presence.DefaultLease + time.Millisecond)
		update(t, s, bob, presence.Update{Section: "a"})
		s, _ = run(t, killed(t, dir), Options{})
		if got := listed(t, s); got != "Bob" {
			t.Errorf("listed: got %q, want Bob, since Alice's session has expired", got)
		}
	})
}

func TestVersionsGrowAfterRestartWithClockSetBack(t *testing.T) { // invariant 8
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
			t.Errorf("got version %d, want more than %d", version, got)
		}
	})
}

func TestVersionsStayNearTheClockAfterManyKills(t *testing.T) {
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
			t.Errorf("after five kills: got a version %d ms ahead of the clock, want 1000 at most", ahead)
		}
		empty, err := s.Snapshot(t.Context(), "never heard of")
		if err != nil || empty.Version == 0 {
			t.Errorf("unknown project: got version %d, %v, want more than 0", empty.Version, err)
		}
	})
}

func TestEndedSessionWithFutureTimeEndsNobody(t *testing.T) {
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
			t.Errorf("listed: got %q, want Alice", got)
		}
	})
}

func TestNewestUserNameSurvivesRestart(t *testing.T) {
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
			t.Errorf("listed after a restart: got %q, want Alicia, the newer name", got)
		}
	})
}

func TestAllSessionsThatEndTogetherAreWritten(t *testing.T) { // rule 1
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
		for i := range presence.MaxSessions {
			leave(presence.Leave{Session: fmt.Sprint("old-", i), Connection: 1, Broken: true})
		}
		time.Sleep(presence.BrokenGrace + time.Millisecond)
		for i := range 5 { // before the sweep
			update(t, s, alice, presence.Update{Session: fmt.Sprint("new-", i), Seq: 1})
			leave(presence.Leave{Session: fmt.Sprint("new-", i), Seq: 2})
		}
		time.Sleep(time.Minute)
		again, _ := run(t, killed(t, dir), Options{})
		if got := listed(t, again); got != "" {
			t.Errorf("listed after a restart: got %q, want nobody", got)
		}
	})
}
