package sqlitestore

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// While one commit is slow, the batch behind it times out before it is written. A change
// that is made then must wait for its own commit and not get that batch's answer.
func TestChangeAfterTimedOutPendingBatchIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := make(chan error) // each write ends with the error that the test sends
		j := newJournal(func(changes, uint64, time.Time) error { return <-commits }, slog.New(slog.DiscardHandler))
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			j.run(stop)
		}()
		change := func(session string) (durable chan bool) {
			durable = make(chan bool, 1)
			b := j.add("p", 1, unwritten{records: []presence.Record{{User: alice, Session: session, Active: true, LastSeen: time.Now()}}})
			go func() { durable <- j.wait(b) }()
			synctest.Wait()
			return durable
		}
		first := change("first") // its commit begins
		second := change("second")
		time.Sleep(commitTimeout + 1)
		if <-first || <-second {
			t.Error("a change is durable though its commit has timed out")
		}
		commits <- nil // the first commit ends, and the journal rests before the next
		synctest.Wait()
		third := change("third")
		commits <- nil
		if !<-third {
			t.Error("a change after a batch that timed out is written, and its reply says that it is not durable")
		}
		close(stop)
		<-stopped
	})
}

func TestFailedCommitKeepsTheEndOfARemoval(t *testing.T) { // rule 24
	of := func(until time.Duration, age time.Duration) presence.Removal {
		at := time.Now().Add(-age)
		return presence.Removal{User: "1", Until: at.Add(until), Version: uint64(at.UnixMilli())}
	}
	for name, c := range map[string]struct {
		removal presence.Removal
		kept    bool
	}{
		"in force":               {of(24*time.Hour, time.Hour), true},
		"taken back a while ago": {of(0, time.Minute), true},
		"over for long":          {of(0, 2*presence.Finality), false},
	} {
		failed, pending := newChanges(0), newChanges(0)
		failed.put("p", unwritten{removals: []presence.Removal{c.removal}})
		pending.putOlder(failed)
		if got := len(pending.removals) == 1; got != c.kept {
			t.Errorf("%s: kept %v; want %v", name, got, c.kept)
		}
	}
}

func TestPresenceContinuesOnFullDiskAndRecovers(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		var log bytes.Buffer
		s, _ := run(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		update(t, s, alice, presence.Update{Section: "a"})
		full(t, s, true)
		durable := true
		for i := range 200 { // until the free pages in the file are used up
			reply := update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: presence.Section(strings.Repeat("x", 100))})
			durable = durable && reply.Durable
		}
		if durable {
			t.Error("every reply on a full disk: got durable, want one that is not")
		}
		if snapshot, _ := s.Snapshot(t.Context(), "p"); snapshot.Count != 200 { // Alice is number 1
			t.Errorf("listed: got %d, want 200, from memory", snapshot.Count)
		}
		full(t, s, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if reply := update(t, s, bob, presence.Update{Section: "b"}); !reply.Durable {
			t.Error("a change after the disk has room again: got not durable, want durable")
		}
		if n := rows(t, dir, "is_active = 1"); n != 200 {
			t.Errorf("after the disk has room again: got %d rows, want 200", n)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "is written again") {
			t.Errorf("log: got %d errors, want 1, and a line when it recovers:\n%s", n, &log)
		}
	})
}

func TestRequeuedRecordDoesNotReplaceNewerOne(t *testing.T) {
	j := newJournal(nil, slog.New(slog.DiscardHandler))
	joined := presence.Record{User: alice, Session: "x", Section: "a", Active: true, LastSeen: time.Now()}
	other, moved := joined, joined
	other.Session, moved.Section = "y", "b"
	j.add("p", 1, unwritten{records: []presence.Record{joined}})
	j.add("p", 1, unwritten{records: []presence.Record{other}})
	taken := j.pending
	j.pending = newChanges(0)
	j.add("p", 2, unwritten{records: []presence.Record{moved}}) // during the first commit, which then fails
	j.requeue(taken)
	x, y := j.pending.records[key{"p", alice.ID, "x"}], j.pending.records[key{"p", alice.ID, "y"}]
	if x != moved || y != other {
		t.Errorf("pending: got %+v and %+v, want %+v and %+v", x, y, moved, other)
	}
}

func TestCallEndsWhenNothingIsCommitted(t *testing.T) { // invariant 10
	in(t, func(t *testing.T) {
		s, err := Open(t.TempDir(), Options{}) // without Run nothing commits
		if err != nil {
			t.Fatal(err)
		}
		defer s.db.close()
		for _, user := range []presence.User{alice, bob} {
			began := time.Now()
			if reply, _ := s.Update(t.Context(), "p", user, presence.Update{}); reply.Durable || time.Since(began) > 5*time.Second {
				t.Errorf("got durable %v after %v, want false within 5s", reply.Durable, time.Since(began))
			}
		}
	})
}

func TestJournalIsWokenOnlyForWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(nil, slog.New(slog.DiscardHandler))
		j.check = func() error { return nil }
		woken := func() bool {
			j.flush()
			select {
			case <-j.wake:
				return true
			default:
				return false
			}
		}
		if woken() {
			t.Error("the journal is woken for nothing")
		}
		time.Sleep(checkEvery)
		if !woken() {
			t.Error("the journal is not woken to check its files")
		}
		j.lastCheck = time.Now()
		j.addLater("p", 1, unwritten{records: []presence.Record{{User: alice, Session: "s", Active: true, LastSeen: time.Now()}}})
		if !woken() {
			t.Error("the journal is not woken for a renewal")
		}
	})
}
