package sqlitestore

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestPurgeReadsEndedSessionsOnly(t *testing.T) {
	s, _ := run(t, t.TempDir(), Options{})
	var id, parent, unused int
	var plan string
	must(t, s.db.sql.QueryRow("EXPLAIN QUERY PLAN DELETE FROM writer_presence WHERE is_active = 0 AND last_seen < 1").Scan(&id, &parent, &unused, &plan))
	if !strings.HasPrefix(plan, "SEARCH") || !strings.Contains(plan, "INDEX writer_presence_ended") {
		t.Errorf("SQLite finds the rows to purge by %q; want a search of the index writer_presence_ended", plan)
	}
}

// While the disk fails for long, the journal drops old ends, so that they do not fill the memory.
func TestRowOfEndThatWasNotWrittenIsDeleted(t *testing.T) { // invariant 11
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		s.db.log.size.Store(minLog + 10*logPerUser) // compacts it: a row of the log would go with the next compaction
		time.Sleep(2 * sweepEvery)
		_, err := s.db.sql.Exec("PRAGMA query_only = ON") // no write succeeds
		must(t, err)
		time.Sleep(presence.DefaultLease + presence.Finality + 2*forgetAfter)
		s.journal.mu.Lock()
		clear(s.journal.pending.sessions) // as after the end of very many projects
		s.journal.mu.Unlock()
		_, err = s.db.sql.Exec("PRAGMA query_only = OFF")
		must(t, err)
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if n := rows(t, dir, "username = 'Alice'"); n != 1 {
			t.Fatalf("after the disk failed: got %d rows of Alice, want 1, or this tests nothing", n)
		}
		for range 2 { // each end has the journal purge once more
			update(t, s, bob, presence.Update{Session: "y", Section: "a"})
			time.Sleep(presence.DefaultLease + presence.Finality + 2*forgetAfter)
			synctest.Wait()
		}
		if n := rows(t, dir, "true"); n != 0 {
			t.Errorf("long after that: got %d rows, want none", n)
		}
	})
}
