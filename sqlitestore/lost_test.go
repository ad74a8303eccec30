package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestNothingIsDurableAfterFilesAreLostUntilTheyAreRewritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withDisk(t, func(s *Store, d *disk) {
			restored := presence.Record{User: alice, Session: "x", Seq: 1, Active: true, LastSeen: time.Now(), Section: "a", Activity: presence.Editing}
			p := s.hold("restored")
			p.roster.Restore(time.Now(), restored)
			p.mu.Unlock()
			renewal := &said{project: "restored", seq: 1}
			changed := &said{project: "changed"}
			if !renewal.send(t, s, "a") || !changed.send(t, s, "a") || !s.journal.wait(nil) {
				t.Fatal("with a working disk a reply is not durable")
			}

			d.mu.Lock()
			d.fails = fmt.Errorf("%w: removed by the test", errFileLost)
			clear(d.rows)
			d.mu.Unlock()
			(&said{project: "other"}).send(t, s, "a") // its commit finds that the files are lost
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
		j := newJournal(func(map[key]presence.Record, uint64, time.Time) error { return errors.New("the disk is full") }, slog.New(slog.DiscardHandler))
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

// A record that was queued before all sessions are written anew must not overwrite newer rows after that.
func TestQueuedRecordDoesNotOverwriteNewerRowAfterFilesWereLost(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	defer s.db.close()
	send := func(seq uint64, section presence.Section) {
		p := s.hold("p")
		defer p.mu.Unlock()
		_, changed, err := p.roster.Update(time.Now(), alice, presence.Update{Session: "x", Seq: seq, Section: section})
		must(t, err)
		if changed {
			s.journal.addLater("p", p.roster.Clock(), p.roster.RecordsOf(alice.ID))
		}
	}
	send(1, "a")
	must(t, s.journal.commit(), os.Remove(filepath.Join(dir, fileName)))
	send(2, "b")
	if err := s.journal.commit(); !errors.Is(err, errFileLost) {
		t.Fatalf("the commit after the removal says %v", err)
	}
	s.journal.write = func(records map[key]presence.Record, clock uint64, purge time.Time) error {
		send(3, "c") // queued for the next commit
		send(4, "c") // a renewal: only the roster has it
		return s.write(records, clock, purge)
	}
	must(t, s.journal.commit())
	s.journal.write = s.write
	must(t, s.journal.commit())
	if rows(t, dir, "seq = 4") != 1 {
		t.Error("an older queued record replaced the row of a newer renewal")
	}
}
