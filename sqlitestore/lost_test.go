package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestNothingIsDurableAfterFilesAreLostUntilTheyAreRewritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withDisk(t, func(s *Store, d *disk) {
			restored := presence.Record{User: alice, Session: "x", Seq: 1, Active: true, LastSeen: time.Now(), Section: "a", Activity: presence.Editing}
			p := s.lockProject("restored")
			p.roster.Restore(time.Now(), restored)
			p.mu.Unlock()
			renewal := &client{project: "restored", seq: 1}
			changed := &client{project: "changed"}
			if !renewal.send(t, s, "a") || !changed.send(t, s, "a") || !s.journal.wait(nil) {
				t.Fatal("with a working disk a reply is not durable")
			}

			d.mu.Lock()
			d.fails = fmt.Errorf("%w: removed by the test", errFileLost)
			clear(d.rows)
			d.mu.Unlock()
			(&client{project: "other"}).send(t, s, "a") // its commit finds that the files are lost
			for range 3 {
				if renewal.send(t, s, "a") {
					t.Error("a renewal of restored state is durable though the files are lost")
				}
				if changed.send(t, s, "a") {
					t.Error("a renewal of a written change is durable though the files are lost")
				}
				if s.journal.wait(nil) {
					t.Error("the journal says that restored state is durable though the files are lost")
				}
				if reply, err := s.Leave(context.Background(), "restored", bob, presence.Leave{Session: "never seen"}); err != nil || reply.Durable {
					t.Errorf("a leave that ends nothing is durable: %v, %v", reply.Durable, err)
				}
				time.Sleep(retryEvery)
				synctest.Wait()
			}

			d.set("works")
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			if !renewal.send(t, s, "a") || !changed.send(t, s, "a") || !s.journal.wait(nil) {
				t.Error("a reply is not durable though the files were written again")
			}
		})
	})
}

// The check finds lost files when there is nothing to write, too.
func TestLostFilesFoundByCheckEndDurability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(func(changes, uint64, time.Time) error { return errors.New("the disk is full") }, slog.New(slog.DiscardHandler))
		j.check = func() error { return errFileLost }
		if !j.wait(nil) {
			t.Error("restored state is not durable at the start")
		}
		time.Sleep(checkEvery)
		for _, what := range []string{"the check", "a write that fails"} {
			if j.commit() == nil {
				t.Errorf("%s reports no error", what)
			}
			if j.wait(nil) {
				t.Errorf("restored state is durable after %s", what)
			}
		}
	})
}

// A record that was queued before all sessions are rewritten must not overwrite newer rows after that.
func TestQueuedRecordDoesNotOverwriteNewerRowAfterFilesWereLost(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	defer s.db.close()
	send := func(seq uint64, section presence.Section) {
		p := s.lockProject("p")
		defer p.mu.Unlock()
		_, changed, err := p.roster.Update(time.Now(), alice, presence.Update{Session: "x", Seq: seq, Section: section})
		must(t, err)
		if changed {
			s.journal.addLater("p", p.roster.Clock(), unwritten{records: p.roster.RecordsOf(alice.ID)})
		}
	}
	send(1, "a")
	must(t, s.journal.commit(), os.Remove(filepath.Join(dir, fileName)))
	send(2, "b")
	if err := s.journal.commit(); !errors.Is(err, errFileLost) {
		t.Fatalf("the commit after the removal says %v", err)
	}
	s.journal.write = func(c changes, clock uint64, purge time.Time) error {
		send(3, "c") // queued for the next commit
		send(4, "c") // a renewal: only the roster has it
		return s.write(c, clock, purge)
	}
	must(t, s.journal.commit())
	s.journal.write = s.write
	must(t, s.journal.commit())
	if rows(t, dir, "seq = 4") != 1 {
		t.Error("an older queued record replaced the row of a newer renewal")
	}
}

// whileRunning starts a store with Alice in it and Bob's ended session, and then spoils its files.
func whileRunning(t *testing.T, spoil func(path string) error) (s *Store, dir string, log *logged) {
	t.Helper()
	dir, log = filepath.Join(t.TempDir(), "data"), &logged{}
	s, _ = run(t, dir, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	update(t, s, bob, presence.Update{Session: "y", Seq: 1, Section: "b"})
	if _, err := s.Leave(t.Context(), "p", bob, presence.Leave{Session: "y", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	if err := spoil(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	return s, dir, log
}

func TestLostFilesAreRewrittenWhileRunning(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"all files": func(path string) error {
			return errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"), os.Remove(filepath.Join(filepath.Dir(path), lockFile)))
		},
		"the database":                        os.Remove,
		"the -wal":                            func(path string) error { return os.Remove(path + "-wal") },
		"the -shm":                            func(path string) error { return os.Remove(path + "-shm") },
		"the database, cut to nothing":        func(path string) error { return os.Truncate(path, 0) },
		"the database, cut to its first page": func(path string) error { return os.Truncate(path, 4096) },
		"the -wal, cut to nothing":            func(path string) error { return os.Truncate(path+"-wal", 0) },
		"the database, overwritten":           func(path string) error { return os.WriteFile(path, []byte("something else"), 0o600) },
		"renamed away":                        func(path string) error { return os.Rename(path, path+".bak") },
		"the directory, made again": func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
		},
	} {
		in(t, func(t *testing.T) {
			s, dir, log := whileRunning(t, spoil)
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "b"}); reply.Durable {
				t.Errorf("%s: the first change after the files are lost: got durable, want not", name)
			}
			if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) {
				t.Errorf("%s: Ready: got %v, want degraded", name, err)
			}
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("%s: Ready after the retry: got %v, want nil", name, err)
			}
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "b"}); !reply.Durable {
				t.Errorf("%s: a renewal after the files are rewritten: got not durable, want durable", name)
			}
			if reply := update(t, s, presence.User{ID: "3", Name: "Carol"}, presence.Update{Session: "z", Seq: 1, Section: "b"}); !reply.Durable {
				t.Errorf("%s: a change after the files are rewritten: got not durable, want durable", name)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "is written again") {
				t.Errorf("%s: log: got %d errors, want 1, and a line when it recovers:\n%s", name, n, log)
			}
			again, _ := run(t, killed(t, dir), Options{})
			if got := listed(t, again); got != "Alice, Carol" {
				t.Errorf("%s: listed after a kill: got %q, want Alice, Carol", name, got)
			}
			if reply := update(t, again, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}); !reply.Stale {
				t.Errorf("%s: an older message after a kill: got a reply that is not stale, want stale, since Bob has left", name)
			}
		})
	}
}

func TestLostFilesAreRewrittenWithoutAnyChange(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, os.Remove)
		time.Sleep(checkEvery + retryEvery + time.Second)
		synctest.Wait()
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if n := rows(t, dir, "is_active = 1"); n != 1 {
			t.Errorf("got %d active rows in the new file, want 1", n)
		}
	})
}
