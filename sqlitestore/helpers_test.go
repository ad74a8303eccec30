package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

// run opens a store and runs it until stop or the end of the test.
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

// killed copies the files that a kill at this moment would leave.
func killed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && name != fileName { // a store that has ended leaves none
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// in runs a test with a fake clock.
func in(t *testing.T, test func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) { test(t) })
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

// rows counts rows of sessions, with those that a start would add from the log.
func rows(t *testing.T, dir, where string) int {
	t.Helper()
	return countRows(t, replayed(t, dir), "SELECT count(*) FROM writer_presence WHERE "+where)
}

// replayed copies a journal, and moves the log of the copy into the table of sessions.
func replayed(t *testing.T, dir string) (left string) {
	t.Helper()
	left = killed(t, dir)
	d, err := openDatabase(left, presence.DefaultLease, slog.New(slog.DiscardHandler))
	must(t, err)
	defer d.close()
	newest, _, err := d.readLog()
	must(t, err)
	var sessions []sessionRow
	for k, r := range newest {
		sessions = append(sessions, sessionRow{k.project, r})
	}
	must(t, d.transact(func() error { return d.writeSessions(sessions) }))
	return left
}

// savedRows counts rows of saves over a connection of its own.
func savedRows(t *testing.T, dir, where string) int {
	t.Helper()
	return countRows(t, dir, "SELECT count(*) FROM writer_presence_saves WHERE "+where)
}

func countRows(t *testing.T, dir, query string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// full makes SQLite report a full disk, or ends that.
func full(t *testing.T, s *Store, isFull bool) {
	t.Helper()
	pages := 1 << 30
	if isFull {
		pages = 1 // SQLite raises it to the present size
	}
	if _, err := s.db.sql.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// logged is a log that is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
