package sqlitestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestJournalIsWrittenAgainAfterFailedRollback(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	defer s.db.close()
	must(t, s.db.rollback.Close())                           // ROLLBACK fails from now on
	wal, err := os.Open(filepath.Join(dir, fileName+"-wal")) // keeps its inode from being used again
	must(t, err)
	defer wal.Close()
	record := func(u presence.User) presence.Record {
		return presence.Record{User: u, Session: "x", Active: true, LastSeen: time.Now()}
	}
	failed := errors.New("a row cannot be written")
	for i, session := range []string{"first", "second"} {
		err := s.db.transact(func() error {
			r := record(bob)
			r.Session = session
			must(t, s.db.writeSessions([]sessionRow{{"p", r}}))
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatalf("transaction %d: got %v, want %v", i+1, err, failed)
		}
	}
	s.journal.addLater("p", 1, unwritten{records: []presence.Record{record(alice)}})
	if err := s.journal.commit(); err != nil {
		t.Fatalf("the commit after the failed rollback: got %v, want nil", err)
	}
	if n := rows(t, dir, "user = '1'"); n != 1 {
		t.Errorf("got %d rows of the commit after the failed rollback, want 1", n)
	}
	if n := rows(t, dir, "user = '2'"); n != 0 {
		t.Errorf("got %d rows of the failed transactions, want 0", n)
	}
	if err := s.db.check(); err != nil {
		t.Errorf("the new connection uses other files than the old one: %v", err)
	}
}

// The first attempt to replace a removed database fails. A backup that an administrator then
// restores in its place must not be taken for the store's own file.
func TestDatabaseRestoredAfterFailedReopenIsNotOverwritten(t *testing.T) {
	in(t, func(t *testing.T) {
		other := t.TempDir()
		s, stop := run(t, other, Options{})
		update(t, s, presence.User{ID: "3", Name: "Carol"}, presence.Update{Section: "c"})
		must(t, stop())
		backup, err := os.ReadFile(filepath.Join(other, fileName))
		must(t, err)

		var path string
		s, dir, _ := whileRunning(t, func(p string) error {
			path = p
			return errors.Join(os.Remove(path), os.MkdirAll(path+".new/full", 0o700)) // no new file can be made there
		})
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) {
			t.Fatalf("Ready: got %v, want degraded, since no file can be made", err)
		}
		must(t, os.WriteFile(path, backup, 0o600), os.RemoveAll(path+".new"))
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "b"}); reply.Durable {
			t.Error("a change is durable, though the database was replaced")
		}
		if n := rows(t, dir, "username <> 'Carol'"); n != 0 {
			t.Errorf("got %d rows of the store in the restored database, want 0", n)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, backup) {
			t.Errorf("the restored database was changed (%v)", err)
		}
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "move the new one away") {
			t.Errorf("Ready: got %v, want degraded and what to do", err)
		}

		must(t, os.Remove(path))
		os.Remove(path + "-wal") // of the query above
		os.Remove(path + "-shm")
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "c"}); !reply.Durable {
			t.Error("a change is not durable after the restored database was moved away")
		}
	})
}

// The file that a failed attempt made is the store's own: the next attempt must use it.
func TestReopenRecoversAfterItFailedWithANewFileInPlace(t *testing.T) {
	var failing atomic.Bool
	failures, sync := 0, syncDir
	t.Cleanup(func() { syncDir = sync })
	syncDir = func(dir string) error {
		if failing.Load() {
			failures++
			return errors.New("input/output error")
		}
		return sync(dir)
	}
	in(t, func(t *testing.T) {
		s, _, _ := whileRunning(t, func(path string) error {
			failing.Store(true)
			return os.Remove(path)
		})
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if failures == 0 {
			t.Fatal("no attempt to reopen has failed")
		}
		failing.Store(false)
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready: got %v, want nil", err)
		}
		if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "b"}); !reply.Durable {
			t.Error("a change after the files are rewritten: got not durable, want durable")
		}
	})
}

func TestReplacedFileIsNotOverwritten(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		in(t, func(t *testing.T) {
			theirs := []byte("a backup that was restored")
			var replaced string
			s, _, log := whileRunning(t, func(path string) error {
				replaced = path + suffix
				return errors.Join(os.Remove(replaced), os.WriteFile(replaced, theirs, 0o600))
			})
			for seq := range uint64(3) {
				if reply := update(t, s, alice, presence.Update{Session: "x", Seq: seq + 2, Section: "b"}); reply.Durable {
					t.Errorf("message %d: got durable, want not, since %s was replaced", seq+2, replaced)
				}
				time.Sleep(2 * retryEvery)
				synctest.Wait()
			}
			if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "move the new one away") {
				t.Errorf("Ready: got %v, want degraded and what to do", err)
			}
			if after, err := os.ReadFile(replaced); !bytes.Equal(after, theirs) {
				t.Errorf("content of %s: got %q, %v, want it unchanged", replaced, after, err)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("log: got %d errors, want 1:\n%s", n, log)
			}
			if err := os.Remove(replaced); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 9, Section: "c"}); !reply.Durable {
				t.Error("a change after the file is moved away: got not durable, want durable")
			}
		})
	}
}

func TestMissingDirectoryIsReportedUntilItIsMadeAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(path string) error { return os.RemoveAll(filepath.Dir(path)) })
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "make it again") {
			t.Errorf("Ready: got %v, want degraded and what to do", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 9, Section: "c"}); !reply.Durable {
			t.Error("a change after the directory is made again: got not durable, want durable")
		}
	})
}

func TestDirectoryLockedByAnotherProcessIsNotUsed(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(path string) error { return os.Remove(filepath.Join(filepath.Dir(path), lockFile)) })
		other, err := lockDir(dir) // before the store's next check
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("Ready: got %v, want degraded, since another process uses the directory", err)
		}
		other.Close()
	})
}
