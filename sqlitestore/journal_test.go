package sqlitestore

import (
	"log/slog"
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
		j := newJournal(func(map[key]presence.Record, uint64, time.Time) error { return <-commits }, slog.New(slog.DiscardHandler))
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			j.run(stop)
		}()
		change := func(session string) (durable chan bool) {
			durable = make(chan bool, 1)
			b := j.add("p", 1, []presence.Record{{User: alice, Session: session, Active: true, LastSeen: time.Now()}})
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
