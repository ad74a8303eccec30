package web

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/tally"
)

const (
	// gatherTime is how long the changes after the first one gather, to be told together.
	gatherTime = 50 * time.Millisecond
	// mostOwn is how many connections one user has in one project: twice as many as tabs, for
	// those that broke and are not known to have.
	mostOwn = 2 * presence.MaxSessions
	// askAgain is how far apart the questions are to a store that does not know.
	askAgain = time.Second
)

// feeds are what is told of the projects that somebody watches, one feed for each.
//
// Nothing else is locked or called while feeds.mu is held, so that work in one room delays
// no other room. Other locks are taken in this order: those of a store, feed.mu,
// liveConn.mu. A store wakes feeds under the lock of a project, so that nobody calls it with
// one of the latter two. Under those of a journal, of live and of phases no other of these
// is taken.
type feeds struct {
	tracker *presence.Tracker
	log     *slog.Logger
	running sync.WaitGroup

	mu sync.Mutex
	of map[presence.Project]*feed
}

func newFeeds(t *presence.Tracker, log *slog.Logger) feeds {
	return feeds{tracker: t, log: log, of: map[presence.Project]*feed{}}
}

// feed tells the connections of one project what is new. It is level-triggered: a change
// marks it, and whenever it gets to it, it looks at the newest snapshot. There is no queue.
type feed struct {
	of      *feeds
	project presence.Project
	holders int       // connections that have reserved a place; guarded by feeds.mu
	watch   sync.Once // sets stop
	stop    func()

	mu      sync.Mutex
	conns   map[*liveConn]struct{}
	own     map[presence.UserID]int // places that each user has reserved
	current *step                   // nil before the first look
	marked  bool
	running bool
	wanted  uint64 // the newest version that a client has seen elsewhere since the last read

	next time.Time // to look, at the soonest; of whoever runs
}

// step is the newest state, with the way there from the one before. Its frames are made
// once, when somebody needs them.
type step struct {
	version      uint64
	snapshot     *presence.Snapshot // nil where it is not known
	base         uint64
	whole, delta func() []byte
	// asked is the version that the store was asked for, at least: a client that has seen a newer
	// one is not sent this state.
	asked uint64
}

// unknown is the version of a state that is not known: no other has it.
const unknown = math.MaxUint64

func newStep(before *step, snapshot *presence.Snapshot) *step {
	s := &step{version: snapshot.Version, snapshot: snapshot}
	s.whole = sync.OnceValue(func() []byte {
		return textFrame(func(b []byte) []byte { return appendSnapshot(b, snapshot) })
	})
	// A delta does not say whether people may be missing, so it does not change that.
	if before != nil && before.snapshot != nil && before.snapshot.Partial == snapshot.Partial {
		old := before.snapshot
		s.base = old.Version
		s.delta = sync.OnceValue(func() []byte {
			return textFrame(func(b []byte) []byte { return appendDelta(b, old, snapshot) })
		})
	}
	return s
}

// newUnknown makes the step to where the store does not know.
func newUnknown(err error) *step {
	return &step{version: unknown, whole: func() []byte { return errorFrame(err, 0) }}
}

// frame is what to send to somebody who is at a version, and what counts it.
func (s *step) frame(at uint64, counts *Counts) ([]byte, *tally.Count) {
	switch {
	case s.version == unknown:
		return s.whole(), counts.Failures["unavailable"]
	case s.delta != nil && at == s.base:
		return s.delta(), &counts.Deltas
	}
	return s.whole(), &counts.Snapshots
}

// reserve takes a place in the room of a project for a connection of the user, and returns
// the room. It returns nil if the user has mostOwn connections there. Nothing is sent to the
// connection before join; leave gives the place back, with or without join.
func (f *feeds) reserve(project presence.Project, user presence.UserID) *feed {
	f.mu.Lock()
	feed, ok := f.of[project]
	if !ok {
		feed = newFeed(f, project)
		f.of[project] = feed
	}
	feed.holders++
	f.mu.Unlock()
	feed.watch.Do(func() { feed.stop = f.tracker.Watch(project, feed.mark) })
	if !feed.reserve(user) {
		f.release(feed)
		return nil
	}
	return feed
}

// release gives back what holders counts. The room ends with its last holder.
func (f *feeds) release(feed *feed) {
	f.mu.Lock()
	feed.holders--
	last := feed.holders == 0
	if last {
		delete(f.of, feed.project)
	}
	f.mu.Unlock()
	if last {
		feed.stop()
	}
}

func (f *feed) reserve(user presence.UserID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own[user] >= mostOwn {
		return false
	}
	f.own[user]++
	return true
}

// join has a connection that has reserved a place told from now on, and of how things are
// unless it knows that.
func (f *feed) join(c *liveConn) {
	f.mu.Lock()
	f.conns[c] = struct{}{}
	current := f.current
	f.mu.Unlock()
	if current != nil && current.version == unknown {
		c.tell(current) // and not only when the store was asked again
	}
	f.mark()
}

// leave ends what reserve and join began.
func (f *feed) leave(c *liveConn, user presence.UserID) {
	f.mu.Lock()
	delete(f.conns, c)
	if f.own[user]--; f.own[user] == 0 {
		delete(f.own, user)
	}
	f.mu.Unlock()
	f.of.release(f)
}

func newFeed(f *feeds, project presence.Project) *feed {
	return &feed{of: f, project: project, conns: map[*liveConn]struct{}{}, own: map[presence.UserID]int{}}
}

// end waits until nothing is told any more; all connections must have left.
func (f *feeds) end() { f.running.Wait() }

// mark says that there may be something new.
func (f *feed) mark() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marked = true
	if !f.running {
		f.running = true
		f.of.running.Go(f.run)
	}
}

// run looks until nothing is new: at the first change at once, and then at all that come
// within gatherTime together.
func (f *feed) run() {
	for f.takeMark() {
		time.Sleep(time.Until(f.next))
		rest := gatherTime
		if !f.look() {
			rest = askAgain
			f.markAgain()
		}
		f.next = time.Now().Add(rest)
	}
}

// markSince says that a client has seen a version elsewhere, so that this process may be behind.
func (f *feed) markSince(version uint64) {
	f.mu.Lock()
	f.wanted = max(f.wanted, version)
	f.mu.Unlock()
	f.mark()
}

func (f *feed) takeWanted() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := f.wanted
	f.wanted = 0
	return wanted
}

// markAgain says that a look came to nothing.
func (f *feed) markAgain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marked = true
}

func (f *feed) takeMark() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = f.marked && len(f.conns) > 0
	f.marked = false
	if !f.running && f.current != nil && f.current.snapshot != nil {
		f.current = newStep(nil, f.current.snapshot) // without its frames
	}
	return f.running
}

// look tells the connections of the newest state; ok is false if it is not known.
func (f *feed) look() (ok bool) {
	defer notEverything(f.of.log)
	wanted := f.takeWanted()
	snapshot, err := f.of.tracker.SnapshotSince(context.Background(), f.project, wanted)

	f.mu.Lock()
	switch {
	case err != nil:
		f.wanted = max(f.wanted, wanted)
		if f.current == nil || f.current.version != unknown {
			f.of.log.Error("who is here is not known to live connections", "project", f.project, "error", err)
			f.current = newUnknown(err)
		}
	case f.current == nil || f.current.version != snapshot.Version:
		f.current = newStep(f.current, snapshot)
		f.current.asked = wanted
	case wanted > f.current.asked:
		again := *f.current
		again.asked = wanted
		f.current = &again
	}
	current := f.current
	conns := slices.AppendSeq(make([]*liveConn, 0, len(f.conns)), maps.Keys(f.conns))
	f.mu.Unlock() // what changes now need not wait until all are told
	for _, c := range conns {
		c.tell(current)
	}
	return err == nil
}
