package sqlitestore

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	presence "writer-presence"
)

const (
	// commitTimeout is how long a reply waits for its commit. A disk that takes longer
	// counts as failing, until a commit succeeds.
	commitTimeout = 2 * time.Second
	// retryEvery is how often a failing disk is tried again, and checkEvery how often the
	// files are looked at while there is nothing to write.
	retryEvery = time.Second
	checkEvery = time.Second
	// pace is how long there is no commit after one: meanwhile those gather who would wait
	// anyway, and to write for all of them costs little more than for one. Where there are
	// many, it is over as soon as as many are there as lately.
	pace = 10 * time.Millisecond
	many = 8
)

// restoredBatch is the number of what the file held when it was opened.
const restoredBatch = 1

// errFileLost is wrapped by errors of write and check that say that the files of the journal
// are no longer in their place, so that nothing that was written before is durable.
var errFileLost = errors.New("the journal's files are not in their place any more")

// journal writes records to the database, many in one commit. Of a session it keeps the
// newest record only, so that what is pending is bounded by the number of sessions.
type journal struct {
	// write puts records and the clock into the database, all or nothing, and deletes what
	// need not be kept at the moment purge; a zero purge deletes nothing.
	write func(records map[key]presence.Record, clock uint64, purge time.Time) error
	// check reports whether the files are in their place; nil checks nothing.
	check func() error
	log   *slog.Logger
	// wake has an element when what is pending should be written, and full when as many
	// replies wait for it as lately, where those are many.
	wake, full chan struct{}
	// written is the number of the newest batch whose records, and those of all batches
	// before it, are in the file.
	written atomic.Uint64
	// fault is why the last commit failed or hangs; nil while all is well.
	fault atomic.Pointer[error]

	mu      sync.Mutex
	pending map[key]presence.Record
	clock   uint64
	batch   *batch // the one that will take in what is pending
	purge   time.Time
	checked time.Time // when write or check was last called
	// since is when the oldest of what is pending came, and writing likewise of what is being
	// written, zero for nothing.
	since, writing time.Time
	// waiting counts the replies that wait for the batch; lately is how many did for the
	// batches before, the largest number, slowly forgotten.
	waiting, lately int
}

// batch is what one commit writes. It is pending, then writing, and then settled in one of
// three ways:
//
//   - written: the journal's written has reached its number;
//   - failed: its records are pending again, so that a later batch writes them, and written
//     passes its number then;
//   - given up: the write takes longer than commitTimeout. It goes on, and ends as one of
//     the other two, but no reply waits for it any longer.
type batch struct {
	number  uint64
	settled chan struct{}
	isOver  bool        // whether settled is closed; guarded by the journal's mu
	timeout *time.Timer // set with the first reply that waits
}

func newBatch(number uint64) *batch { return &batch{number: number, settled: make(chan struct{})} }

// settle lets the replies go that wait, once. Call it with the journal's mu held.
func (b *batch) settle() {
	if !b.isOver {
		b.isOver = true
		close(b.settled)
	}
}

type key struct {
	project presence.Project
	user    presence.UserID
	session string
}

func newJournal(write func(map[key]presence.Record, uint64, time.Time) error, log *slog.Logger) *journal {
	j := &journal{
		write: write, log: log, wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		pending: map[key]presence.Record{}, batch: newBatch(restoredBatch + 1), checked: time.Now(),
	}
	j.written.Store(restoredBatch)
	return j
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
	if b := j.batch; b.timeout == nil {
		b.timeout = time.AfterFunc(commitTimeout, func() { j.giveUp(b) })
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

// wait blocks until the batch is settled, and reports whether it is written: whether what
// was added up to it survives the end of the process. While the disk fails it does not
// block. A nil batch stands for restored state, which needs no commit.
func (j *journal) wait(b *batch) (durable bool) {
	if b == nil {
		return restoredBatch <= j.written.Load()
	}
	if b.number <= j.written.Load() {
		return true
	}
	if j.isFailing() {
		return false
	}
	<-b.settled
	return b.number <= j.written.Load()
}

func (j *journal) isFailing() bool { return j.fault.Load() != nil }

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
	j.pending, j.batch, j.purge = make(map[key]presence.Record, len(taken)), newBatch(b.number+1), time.Time{}
	if len(taken) > 0 {
		j.writing = j.since
	}
	j.waiting, j.lately = 0, max(j.waiting, j.lately*7/8)
	select {
	case <-j.full:
	default:
	}
	isDue := j.check != nil && time.Since(j.checked) >= checkEvery
	j.mu.Unlock()

	var err error
	isWrite := len(taken) > 0 || !purge.IsZero() || j.isFailing()
	switch {
	case isWrite:
		err = j.write(taken, clock, purge)
	case isDue:
		err = j.check()
	}
	j.end(b, taken, purge, isWrite || isDue, err)
	return err
}

// end settles a batch by how its commit went. A batch that is written covers all batches
// before it, since the records of those that failed were pending again.
func (j *journal) end(b *batch, taken map[key]presence.Record, purge time.Time, isChecked bool, err error) {
	j.mu.Lock()
	if isChecked {
		j.checked = time.Now()
	}
	if b.timeout != nil {
		b.timeout.Stop()
	}
	var before *error
	if err != nil {
		j.putBack(taken)
		if j.purge.IsZero() {
			j.purge = purge
		}
		if errors.Is(err, errFileLost) {
			j.written.Store(0)
		}
		before = j.fault.Swap(&err)
	} else {
		j.writing = time.Time{}
		j.written.Store(b.number)
		before = j.fault.Swap(nil)
	}
	b.settle()
	j.mu.Unlock()
	j.report(before, err)
}

// giveUp lets go of the replies that wait for a batch whose time is over.
func (j *journal) giveUp(b *batch) {
	j.mu.Lock()
	if b.isOver {
		j.mu.Unlock()
		return
	}
	before := j.fault.Swap(&errCommitTimeout)
	b.settle()
	if j.batch == b { // still pending behind a slow commit: later changes must not get its answer
		j.batch = newBatch(b.number + 1)
	}
	j.mu.Unlock()
	j.report(before, errCommitTimeout)
}

// report logs when commits begin to fail, when they succeed again, and when files turn out
// to be lost or why that cannot be mended.
func (j *journal) report(before *error, now error) {
	switch {
	case now == nil && before != nil:
		j.log.Info("the journal is written again; nothing was lost")
	case now != nil && (before == nil || errors.Is(now, errFileLost) && (*before).Error() != now.Error()):
		j.log.Error("the journal cannot be written: presence goes on from memory, and would be lost if this process ended; look for a full or failing disk, or for files that were moved", "error", now)
	}
}

var errCommitTimeout = fmt.Errorf("a commit takes longer than %v", commitTimeout)

// putBack takes in again what could not be written. Call it with mu held.
func (j *journal) putBack(taken map[key]presence.Record) {
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
