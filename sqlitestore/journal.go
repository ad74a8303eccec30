package sqlitestore

import (
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	presence "writer-presence"
)

const (
	// patience is how long a reply waits for its commit. A disk that takes longer
	// counts as failing, until a commit succeeds.
	patience = 2 * time.Second
	// retryEvery is how often a failing disk is tried again.
	retryEvery = time.Second
	// pace is how long there is no commit after one: meanwhile those gather who would wait
	// anyway, and to write for all of them costs little more than for one. Where there are
	// many, it is over as soon as as many are there as lately.
	pace = 10 * time.Millisecond
	many = 8
)

// journal writes records down, many in one commit. Of a session it keeps the newest
// record only, so that what waits is bounded by the number of sessions.
type journal struct {
	// write takes all or nothing into the database, and what it has of before purge out.
	write func(records map[key]presence.Record, clock uint64, purge time.Time) error
	log   *slog.Logger
	// wake has an element when what is pending should be written, and full when as many
	// replies wait for it as lately, where those are many.
	wake, full chan struct{}
	failing    atomic.Bool

	mu      sync.Mutex
	pending map[key]presence.Record
	clock   uint64
	batch   *batch // the one that will take in what is pending
	purge   time.Time
	// since is when the oldest of what is pending came, and writing likewise of what is being
	// written, zero for nothing.
	since, writing time.Time
	// waiting counts the replies that wait for the batch; lately is how many did for the
	// batches before, the largest number, slowly forgotten.
	waiting, lately int
}

// batch is one commit. It is done when it is written, or when nobody is to wait for it
// any longer.
type batch struct {
	done    chan struct{}
	written atomic.Bool
	end     sync.Once
	expiry  *time.Timer // set with the first reply that waits
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// settle lets go of those who wait.
func (b *batch) settle() {
	b.end.Do(func() { close(b.done) })
}

type key struct {
	project presence.Project
	user    presence.UserID
	session string
}

func newJournal(write func(map[key]presence.Record, uint64, time.Time) error, log *slog.Logger) *journal {
	return &journal{write: write, log: log, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), pending: map[key]presence.Record{}, batch: newBatch()}
}

// add takes in records, and returns the batch that they will be written with, soon. Call
// it in the order of what happened to a session: the later record stands.
func (j *journal) add(project presence.Project, clock uint64, records []presence.Record) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(project, clock, records)
	switch j.waiting++; {
	case j.waiting == 1:
		j.flush()
	case j.waiting == j.lately && j.lately >= many:
		j.full <- struct{}{} // once for a batch, and commit takes it out
	}
	if b := j.batch; b.expiry == nil {
		b.expiry = time.AfterFunc(patience, func() {
			j.fail(errors.New("a commit takes too long"))
			b.settle()
		})
	}
	return j.batch
}

// addLater takes in records that nobody waits for.
func (j *journal) addLater(project presence.Project, clock uint64, records []presence.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(project, clock, records)
}

func (j *journal) put(project presence.Project, clock uint64, records []presence.Record) {
	if len(j.pending) == 0 && len(records) > 0 {
		j.since = time.Now()
	}
	for _, r := range records {
		j.pending[key{project, r.User.ID, r.Session}] = r
	}
	j.clock = max(j.clock, clock)
}

// forget takes in that what ended before a moment need not be kept.
func (j *journal) forget(before time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.purge = before
}

// flush has what is pending written soon.
func (j *journal) flush() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// wait waits until the batch is written, or its time is over, and tells whether all is
// well: whether what was added up to it survives the end of the process. The nil batch is
// written.
func (j *journal) wait(b *batch) (durable bool) {
	if b == nil || j.failing.Load() {
		return !j.failing.Load()
	}
	<-b.done
	return b.written.Load()
}

// run commits when it is woken, until stop is closed; not sooner after the last time
// than it is worth.
func (j *journal) run(stop <-chan struct{}) {
	for {
		select {
		case <-j.wake:
		case <-stop:
			return
		}
		runtime.Gosched() // for those who are about to add
		rest, full := pace, j.full
		if j.commit() != nil {
			rest, full = retryEvery, nil
			j.flush()
		}
		select {
		case <-time.After(rest):
		case <-full:
		case <-stop:
			return
		}
	}
}

// commit writes what is pending. What could not be written is pending again, unless
// something newer is.
func (j *journal) commit() error {
	j.mu.Lock()
	taken, clock, b, purge := j.pending, j.clock, j.batch, j.purge
	j.pending, j.batch, j.purge = make(map[key]presence.Record, len(taken)), newBatch(), time.Time{}
	if len(taken) > 0 {
		j.writing = j.since
	}
	j.waiting, j.lately = 0, max(j.waiting, j.lately*7/8)
	select {
	case <-j.full:
	default:
	}
	j.mu.Unlock()

	var err error
	if len(taken) > 0 || !purge.IsZero() || j.failing.Load() {
		err = j.write(taken, clock, purge)
	}
	if b.expiry != nil {
		b.expiry.Stop()
	}
	if err != nil {
		j.putBack(taken)
		j.fail(err)
	} else {
		j.putBack(nil)
		if j.failing.Swap(false) {
			j.log.Info("the journal is written again; nothing was lost")
		}
	}
	b.written.Store(err == nil)
	b.settle()
	return err
}

// putBack ends a writing, and takes in again what could not be written.
func (j *journal) putBack(taken map[key]presence.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(taken) > 0 {
		j.since = j.writing
	}
	j.writing = time.Time{}
	for k, r := range taken {
		if _, newer := j.pending[k]; !newer && (r.Active || time.Since(r.LastSeen) <= presence.Finality) {
			j.pending[k] = r
		}
	}
}

// lag is how long the oldest of what is not written has waited.
func (j *journal) lag() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case !j.writing.IsZero():
		return time.Since(j.writing)
	case len(j.pending) > 0:
		return time.Since(j.since)
	}
	return 0
}

func (j *journal) fail(err error) {
	if !j.failing.Swap(true) {
		j.log.Error("the journal cannot be written: presence goes on from memory, and would be lost if this process ended; look for a full or failing disk", "error", err)
	}
}
