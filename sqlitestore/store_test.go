package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

// run opens a store and runs it until the end of the test, or until stop.
func run(t *testing.T, dir string, o Options) (s *Store, stop func() error) {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { stop() })
	return s, stop
}

// killed copies what a process that was killed at this moment leaves on the disk.
func killed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// in lets a test have its own time.
func in(t *testing.T, test func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) { test(t) })
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := run(t, dir, Options{})
			test(t, &storetest.Subject{
				Store: s, Lease: presence.DefaultLease, Grain: 25 * time.Millisecond, Now: time.Now, Renews: true,
				Pass: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
				Restart: func() presence.Store {
					dir = killed(t, dir)
					s, _ := run(t, dir, Options{})
					return s
				},
			})
		})
	})
}

func update(t *testing.T, s *Store, u presence.User, message presence.Update) presence.Reply {
	t.Helper()
	reply, err := s.Update(t.Context(), "p", u, message)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func listed(t *testing.T, s *Store) string {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range snapshot.Occupants {
		names = append(names, o.User.Name)
	}
	return strings.Join(names, ", ")
}

// rows reads the journal as another program would.
func rows(t *testing.T, dir, where string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM writer_presence WHERE " + where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheJournalHasTheNotesTable(t *testing.T) {
	dir := t.TempDir()
	s, _ := run(t, dir, Options{})
	update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "manuscript/abstract"})
	if n := rows(t, dir, "project = 'p' AND user = '1' AND session = 'x' AND username = 'Alice' AND current_section = 'manuscript/abstract' AND activity = 'editing' AND seq = 3 AND last_seen > 0 AND is_active = 1"); n != 1 {
		t.Errorf("%d rows say where Alice is; due: 1", n)
	}
	if _, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Seq: 4}); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, dir, "session = 'x' AND is_active = 0 AND seq = 4 AND current_section = ''"); n != 1 {
		t.Errorf("%d rows say that Alice has left; due: 1", n)
	}
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s, _ := run(t, dir, Options{})
	update(t, s, alice, presence.Update{})
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode is %v, %v; due: 0700", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v; due: the journal, its -wal and the lock at least", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the mode of %s is %v, %v; due: 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestARenewalIsWrittenWithinFiveSeconds(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(30 * time.Second)
		update(t, s, alice, presence.Update{Section: "a"})
		seen := fmt.Sprintf("last_seen = %d", time.Now().UnixMilli())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := rows(t, dir, seen); n != 1 {
			t.Errorf("%d rows have the renewal five seconds after it; due: 1", n)
		}
	})
}

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

func TestALapseIsWrittenAndForgottenInTheEnd(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(presence.DefaultLease + 5*time.Second)
		synctest.Wait()
		if n := rows(t, dir, "is_active = 0"); n != 1 {
			t.Errorf("%d rows say that Alice has lapsed; due: 1", n)
		}
		time.Sleep(presence.Finality + presence.DefaultLease + 2*time.Minute)
		synctest.Wait()
		held := 0
		for _, group := range s.projects {
			held += len(group)
		}
		if n := rows(t, dir, "true"); n != 0 || held != 0 {
			t.Errorf("%d rows and %d projects are kept of what ended long ago; due: none", n, held)
		}
	})
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

func TestEveryStartTreatsTheModeOfTheDirectoryTheSame(t *testing.T) {
	for _, c := range []struct {
		file string
		due  os.FileMode
	}{
		{"", 0o700},
		{"lost+found", 0o700},
		{"secret", 0o700},
		{"theirs", 0o755},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.Mkdir(filepath.Join(dir, c.file), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for start := range 2 {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			_, stop := run(t, dir, Options{})
			stop()
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != c.due {
				t.Errorf("with %q, start %d: mode %v, %v; want %v", c.file, start+1, info.Mode(), err, c.due)
			}
		}
	}
}

func TestAnOrderlyEndWritesEverything(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(time.Second)
		update(t, s, alice, presence.Update{Section: "a"})
		seen := fmt.Sprintf("last_seen = %d", time.Now().UnixMilli())
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, dir, seen); n != 1 {
			t.Errorf("%d rows have the last renewal; due: 1", n)
		}
	})
}

// full makes the disk full for the store, as SQLite itself sees it.
func full(t *testing.T, s *Store, isFull bool) {
	t.Helper()
	pages := 1 << 30
	if isFull {
		pages = 1 // SQLite takes what there is for the least
	}
	if _, err := s.db.sql.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

func TestPresenceGoesOnWithAFullDiskAndHealsByItself(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		var log bytes.Buffer
		s, _ := run(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		update(t, s, alice, presence.Update{Section: "a"})
		full(t, s, true)
		durable := true
		for i := range 200 { // until what is free in the file is used up
			reply := update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: presence.Section(strings.Repeat("x", 100))})
			durable = durable && reply.Durable
		}
		if durable {
			t.Error("the disk is full, and every reply says that it is durable")
		}
		if snapshot, _ := s.Snapshot(t.Context(), "p"); snapshot.Count != 200 { // Alice is number 1
			t.Errorf("%d are listed; due: 200, from memory", snapshot.Count)
		}
		full(t, s, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if reply := update(t, s, bob, presence.Update{Section: "b"}); !reply.Durable {
			t.Error("the disk has room again, and the reply says that it is not durable")
		}
		if n := rows(t, dir, "is_active = 1"); n != 200 {
			t.Errorf("%d rows are written after the disk has room again; due: 200", n)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "is written again") {
			t.Errorf("the log has %d errors; due: one when it began, and a word when it ended:\n%s", n, &log)
		}
	})
}

func TestWhatCouldNotBeWrittenGivesWayToWhatIsNewer(t *testing.T) {
	j := newJournal(nil, slog.New(slog.DiscardHandler))
	came := presence.Record{User: alice, Session: "x", Section: "a", Active: true, LastSeen: time.Now()}
	other, moved := came, came
	other.Session, moved.Section = "y", "b"
	j.add("p", 1, []presence.Record{came})
	j.add("p", 1, []presence.Record{other})
	taken := j.pending
	j.pending = map[key]presence.Record{}
	j.add("p", 2, []presence.Record{moved}) // while the first commit is under way, which then fails
	j.putBack(taken)
	x, y := j.pending[key{"p", alice.ID, "x"}], j.pending[key{"p", alice.ID, "y"}]
	if x != moved || y != other {
		t.Errorf("to be written are %+v and %+v; due: %+v and %+v", x, y, moved, other)
	}
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

func TestADamagedFileStopsTheStartAndIsLeftAsItIs(t *testing.T) {
	sound := t.TempDir()
	s, stop := run(t, sound, Options{})
	for i := range 500 {
		update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: "a"})
	}
	stop()
	data, err := os.ReadFile(filepath.Join(sound, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"overwritten": func(data []byte) []byte {
			copy(data[5000:], bytes.Repeat([]byte("damage"), 2000))
			return data
		},
		"no database": func([]byte) []byte { return []byte(strings.Repeat("not a database ", 1000)) },
		"cut":         func(data []byte) []byte { return data[:len(data)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			damaged := damage(bytes.Clone(data))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore a backup") {
				t.Errorf("the start with a damaged file: %v; due: an error that names it and says what to do", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, damaged) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

func TestAFileOfANewerVersionStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	if _, err := s.db.sql.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer writer-presence") {
		t.Errorf("the start with a file of a newer version: %v", err)
	}
}

func TestTwoProcessesCannotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	_, stop := run(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second store in the same directory: %v", err)
	}
	stop()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	s.db.close()
}

func TestACallEndsThoughNothingIsCommitted(t *testing.T) { // invariant 10
	in(t, func(t *testing.T) {
		s, err := Open(t.TempDir(), Options{}) // and nothing runs that would commit
		if err != nil {
			t.Fatal(err)
		}
		defer s.db.close()
		for _, user := range []presence.User{alice, bob} {
			began := time.Now()
			if reply, _ := s.Update(t.Context(), "p", user, presence.Update{}); reply.Durable || time.Since(began) > 5*time.Second {
				t.Errorf("durable %v after %v; due: false, within 5s", reply.Durable, time.Since(began))
			}
		}
	})
}
