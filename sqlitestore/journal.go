package sqlitestore

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// commitTimeout is how long a reply waits for its commit. A slower disk counts as failing
	// until a commit succeeds.
	commitTimeout = 2 * time.Second
	// retryEvery is the time between attempts to write to a failing disk; checkEvery is the time
	// between checks of the files while there is nothing to write.
	retryEvery = time.Second
	checkEvery = time.Second
	// commitPause is the pause after a commit, in which changes gather: one commit of many costs little
	// more than one of a single change. If recent batches had at least fullGroup waiting replies,
	// the pause ends as soon as the same number waits again.
	commitPause = 10 * time.Millisecond
	fullGroup   = 8
)

// restoredBatch is the number of what the file held when it was opened.
const restoredBatch = 1

// errFileLost is wrapped by the errors of write and check that mean that the journal's files
// were removed, replaced or cut: nothing written before is durable.
var errFileLost = errors.New("the journal's files were removed, replaced or cut short")

// journal writes changes to the database in grouped commits. It keeps only the newest pending state of
// each session, save and removal, which bounds its memory by their number.
type journal struct {
	// write commits changes and the clock in one transaction, and deletes the rows of sessions
	// that ended before purge; a zero purge deletes nothing.
	write func(c changes, clock uint64, purge time.Time) error
	// check returns an error if the files were removed, replaced or cut; nil disables it.
	check func() error
	log   *slog.Logger
	// wake holds an element when pending changes should be written; full, when as many replies
	// wait as in recent batches (see commitPause).
	wake, full chan struct{}
	// written is the number of the newest batch that is in the file with all batches before it.
	written atomic.Uint64
	// fault is the error of the last commit, or its timeout; nil after a success.
	fault atomic.Pointer[error]

	mu        sync.Mutex
	pending   changes
	clock     uint64
	batch     *batch // will write the pending changes
	purge     time.Time
	lastCheck time.Time // when write or check was last called
	// pendingSince is when the oldest pending change was added; writingSince is the same for the changes of
	// the running commit, zero if there are none.
	pendingSince, writingSince time.Time
	// waiting counts the replies added since the last commit began; recentWaiting is its maximum over
	// recent batches, with decay.
	waiting, recentWaiting int
}

// batch is the unit of a commit. It is pending, then being written, and is settled in one of three ways:
//
//   - written: the journal's written has reached its number;
//   - failed: its changes are pending again, and a later batch writes them;
//   - given up: it was not written within commitTimeout of its first reply. Its changes are
//     still written, by a running commit or by a later batch, but no reply waits for them.
type batch struct {
	number  uint64
	settled chan struct{}
	isOver  bool        // whether settled is closed; guarded by the journal's mu
	timeout *time.Timer // set by the first reply that waits
}

func newBatch(number uint64) *batch { return &batch{number: number, settled: make(chan struct{})} }

// settle wakes the waiting replies. Repeated calls do nothing. The journal's mu must be held.
func (b *batch) settle() {
	if !b.isOver {
		b.isOver = true
		close(b.settled)
	}
}

func newJournal(write func(changes, uint64, time.Time) error, log *slog.Logger) *journal {
	j := &journal{
		write: write, log: log, wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		pending: newChanges(0), batch: newBatch(restoredBatch + 1), lastCheck: time.Now(),
	}
	j.written.Store(restoredBatch)
	return j
}

// add queues changes and returns the batch that will write all of them. Those of one session, section or removal
// must be added in the order of their changes: the last one wins.
func (j *journal) add(project presence.Project, clock uint64, u unwritten) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(project, clock, u)
	switch j.waiting++; {
	case j.waiting == 1:
		j.wakeUp()
	case j.waiting == j.recentWaiting && j.recentWaiting >= fullGroup:
		j.full <- struct{}{} // never blocks: sent once between commits, and commit drains it
	}
	if b := j.batch; b.timeout == nil {
		b.timeout = time.AfterFunc(commitTimeout, func() { j.giveUp(b) })
	}
	return j.batch
}

// addLater queues changes that no reply waits for, and returns the batch that will write them.
func (j *journal) addLater(project presence.Project, clock uint64, u unwritten) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(project, clock, u)
	return j.batch
}

func (j *journal) put(project presence.Project, clock uint64, u unwritten) {
	if j.pending.isEmpty() && !u.isEmpty() {
		j.pendingSince = time.Now()
	}
	j.pending.put(project, u)
	j.clock = max(j.clock, clock)
}

// replacePending replaces pending records by newer ones of the same sessions; it queues no others.
func (j *journal) replacePending(project presence.Project, records []presence.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		k := key{project, r.User.ID, r.Session}
		if _, ok := j.pending.records[k]; ok {
			j.pending.records[k] = r
		}
	}
}

// compact queues a step of a compaction, and returns the batch that will write it and all that was queued before.
func (j *journal) compact(step compaction) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending.isEmpty() {
		j.pendingSince = time.Now()
	}
	j.pending.compaction = j.pending.or(step)
	return j.batch
}

// purgeBefore has the next commit delete the rows of sessions that ended before a moment.
func (j *journal) purgeBefore(before time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.purge = before
}

// flush wakes run if it has something to do: most sweeps have queued nothing.
func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.pending.isEmpty() || !j.purge.IsZero() || j.isFailing() || j.isCheckDue() {
		j.wakeUp()
	}
}

// wakeUp wakes run.
func (j *journal) wakeUp() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// isCheckDue reports whether the files have to be checked. mu must be held.
func (j *journal) isCheckDue() bool { return j.check != nil && time.Since(j.lastCheck) >= checkEvery }

// wait blocks until the batch is settled and reports whether it and all batches before it are
// in the file. While the disk fails it does not block. A nil batch stands for restored state.
func (j *journal) wait(b *batch) (durable bool) {
	if j.isWritten(b) {
		return true
	}
	if b == nil || j.isFailing() {
		return false
	}
	<-b.settled
	return j.isWritten(b)
}

// isWritten reports whether a batch and all batches before it are in the file.
func (j *journal) isWritten(b *batch) bool {
	if b == nil {
		return restoredBatch <= j.written.Load()
	}
	return b.number <= j.written.Load()
}

func (j *journal) isFailing() bool { return j.fault.Load() != nil }

// run commits each time it is woken, with a pause in between, until stop is closed.
func (j *journal) run(stop <-chan struct{}) {
	for {
		select {
		case <-j.wake:
		case <-stop:
			return
		}
		runtime.Gosched() // lets goroutines that are about to add join this commit
		rest, full := commitPause, j.full
		if j.commit() != nil {
			rest, full = retryEvery, nil
			j.wakeUp()
		}
		select {
		case <-time.After(rest):
		case <-full:
		case <-stop:
			return
		}
	}
}

// commit writes the pending changes. After an error they are pending again, except where a
// newer record is. Only one commit may run at a time.
func (j *journal) commit() error {
	j.mu.Lock()
	taken, clock, b, purge := j.pending, j.clock, j.batch, j.purge
	j.pending, j.batch, j.purge = newChanges(len(taken.records)), newBatch(b.number+1), time.Time{}
	if !taken.isEmpty() {
		j.writingSince = j.pendingSince
	}
	j.waiting, j.recentWaiting = 0, max(j.waiting, j.recentWaiting*7/8)
	select {
	case <-j.full:
	default:
	}
	isDue := j.isCheckDue()
	j.mu.Unlock()

	var err error
	isWrite := !taken.isEmpty() || !purge.IsZero() || j.isFailing()
	switch {
	case isWrite:
		err = j.write(taken, clock, purge)
	case isDue:
		err = j.check()
	}
	j.finish(b, taken, purge, isWrite || isDue, err)
	return err
}

// finish settles a batch with the result of its commit. A written batch covers all batches before
// it, because the changes of failed ones were pending again.
func (j *journal) finish(b *batch, taken changes, purge time.Time, isChecked bool, err error) {
	j.mu.Lock()
	if isChecked {
		j.lastCheck = time.Now()
	}
	if b.timeout != nil {
		b.timeout.Stop()
	}
	var before *error
	if err != nil {
		j.requeue(taken)
		if j.purge.IsZero() {
			j.purge = purge
		}
		if errors.Is(err, errFileLost) {
			j.written.Store(0)
		}
		before = j.fault.Swap(&err)
	} else {
		j.writingSince = time.Time{}
		j.written.Store(b.number)
		before = j.fault.Swap(nil)
	}
	b.settle()
	j.mu.Unlock()
	j.report(before, err)
}

// giveUp wakes the replies that wait for a batch, unless it is settled already.
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

// report logs the first failure, the recovery, and each new reason why lost files cannot be
// written again.
func (j *journal) report(before *error, now error) {
	switch {
	case now == nil && before != nil:
		j.log.Info("the journal is written again; nothing was lost")
	case now != nil && (before == nil || errors.Is(now, errFileLost) && (*before).Error() != now.Error()):
		j.log.Error("the journal cannot be written: presence continues from memory, and is lost if this process ends; look for a full or failing disk, or for files that were moved", "error", now)
	}
}

var errCommitTimeout = fmt.Errorf("a commit takes longer than %v", commitTimeout)

// requeue makes changes pending again after a failed commit. mu must be held.
func (j *journal) requeue(taken changes) {
	if !taken.isEmpty() {
		j.pendingSince = j.writingSince
	}
	j.writingSince = time.Time{}
	j.pending.putOlder(taken)
	j.pending.compaction = j.pending.or(taken.compaction)
}

// lag returns the age of the oldest unwritten change, 0 if there is none.
func (j *journal) lag() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case !j.writingSince.IsZero():
		return time.Since(j.writingSince)
	case !j.pending.isEmpty():
		return time.Since(j.pendingSince)
	}
	return 0
}
