package sqlitestore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// addEnded adds rows of ended sessions to a journal that no store uses.
func addEnded(t testing.TB, dir string, n int, ago time.Duration) {
	t.Helper()
	db, err := connect(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)
		INSERT INTO writer_presence (project, user, session, username, visitor, current_section, activity, seq, touched, last_seen, is_active)
		SELECT 'project-' || (x % 1000), 'user-' || x, 'session-of-21-characters' || x, 'Writer ' || x, 0, '', '', 3, 0, ? - x % 1000, 0 FROM n`,
		n, time.Now().Add(-ago).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
}

func TestStartDeletesRowsOfSessionsThatEndedLongAgo(t *testing.T) {
	for name, c := range map[string]struct {
		rows      int
		ago       time.Duration
		want, max int
	}{
		"most of them":        {5000, 30 * 24 * time.Hour, 1, 1},
		"just over the limit": {5000, presence.Finality + time.Minute, 1, 1},
		"not yet old":         {50, presence.Finality / 2, 51, 51},
	} {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
		stop()
		addEnded(t, dir, c.rows, c.ago)
		s, stop = run(t, dir, Options{})
		if got := listed(t, s); got != "Alice" {
			t.Errorf("%s: listed: got %q, want Alice", name, got)
		}
		if n := rows(t, dir, "true"); n != c.want {
			t.Errorf("%s: got %d rows, want %d", name, n, c.want)
		}
		stop()
	}
}

// BenchmarkStartWithHalfAMillionOldRows measures the first start of a busy server after a month of downtime.
func BenchmarkStartWithHalfAMillionOldRows(b *testing.B) {
	template := b.TempDir()
	s, err := Open(template, Options{})
	if err != nil {
		b.Fatal(err)
	}
	s.db.close()
	addEnded(b, template, 500_000, 30*24*time.Hour)
	data, err := os.ReadFile(filepath.Join(template, fileName))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		dir := filepath.Join(b.TempDir(), fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.db.close()
		b.StartTimer()
	}
}

func TestFileOfNewerVersionStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	if _, err := s.db.sql.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer writer-presence") {
		t.Errorf("Open: got %v, want an error about a newer version", err)
	}
}

func TestTwoProcessesCannotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	_, stop := run(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second store in the directory: got %v, want an error", err)
	}
	stop()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("after the first store has ended: got %v, want nil", err)
	}
	s.db.close()
}
