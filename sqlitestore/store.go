// Package sqlitestore keeps presence on one machine: the rosters live in memory,
// and a journal in SQLite brings them back after a restart.
//
//	store, err := sqlitestore.Open("presence-data", sqlitestore.Options{})
//	// …
//	go func() { stored <- store.Run(ctx) }() // returns after ctx ends; check its error
//	service := presence.NewService(store)
//
// A change (a session begins, ends, or changes what it states; a save; a move) is acknowledged after
// its commit; commits are grouped. A renewal is written within five seconds.
// While the disk fails, presence continues from memory, replies are not durable, and
// the journal writes what is missing when the disk works again.
package sqlitestore

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// sweepEvery is how often renewals are queued; with the commit this stays below five seconds.
	sweepEvery = 4 * time.Second
	// groups is the number of groups of projects, swept one after the other: one commit of all
	// renewals would delay every change.
	groups = 16
	// forgetAfter is how long after [presence.Finality] sessions that ended are deleted: those of a project within that
	// time at once, since deleting costs as much as the project has users.
	forgetAfter = time.Minute
	// clockSlack is more than versions can have grown, in milliseconds, between the last commit
	// of a process and its kill.
	clockSlack = 60_000
)

// errNotOpen is the error of the zero Store.
var errNotOpen = fmt.Errorf("%w: this store is not open; create it with sqlitestore.Open", presence.ErrUnavailable)

// Store is a [presence.Store] for one process. [Store.Run] must be running for replies to be durable. Create a
// Store with [Open]: the methods of the zero Store return [presence.ErrUnavailable]. It is safe for concurrent
// use.
type Store struct {
	lease   time.Duration
	log     *slog.Logger
	db      *database
	journal *journal

	mu     sync.RWMutex // guards the projects of groups, and floor; taken before a project's
	groups [groups]group
	seed   maphash.Seed // of the hash that assigns projects to groups
	// floor is at least every version published for a project that is no longer held.
	floor uint64

	timers *timerWheel
	// active and people are the numbers of projects with an occupant, and of their occupants.
	active, people atomic.Int64
	events         *events

	// Of compact; only Run uses them: the projects whose sessions are still to be written to their table, how many of them
	// a step writes at least, the batch of the last step, and when a compaction last began.
	toCompact      []presence.Project
	projectsInStep int
	compacting     *batch
	compacted      time.Time
}

// Options of a store. The zero value of each is its default.
type Options struct {
	// Lease is how long a session outlives its last update; the default is [presence.DefaultLease].
	Lease time.Duration
	// Log receives warnings and errors; the default discards them.
	Log *slog.Logger
}

// Open opens the store in a directory. It creates the directory (mode 0700) and the files in it (0600) if they do
// not exist. Sessions that were alive when the last process ended get a full lease from now, unless that process
// ended longer than [presence.Finality] ago.
//
// If another process uses the directory, or a file is damaged or of a newer version, Open returns an error that says
// what to do, and replaces nothing.
//
// [Store.Run] must be running while the store is used: it writes the journal, and changes wait for that.
func Open(dir string, o Options) (*Store, error) {
	if o.Lease == 0 {
		o.Lease = presence.DefaultLease
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db, err := openDatabase(dir, o.Lease, o.Log)
	if err != nil {
		return nil, err
	}
	s := newStore(o.Lease, o.Log, nil)
	s.db, s.journal.write, s.journal.check = db, s.write, db.check
	if err := s.load(time.Now()); err != nil {
		db.close()
		return nil, err
	}
	return s, nil
}

// newStore creates an empty store whose journal is written by a function.
func newStore(lease time.Duration, log *slog.Logger, write func(changes, uint64, time.Time) error) *Store {
	s := &Store{lease: lease, log: log, journal: newJournal(write, log), seed: maphash.MakeSeed(), timers: newTimerWheel(), events: newEvents(), compacted: time.Now()}
	for i := range s.groups {
		s.groups[i].projects = map[presence.Project]*project{}
	}
	return s
}

// Run writes the journal until the context ends, then writes the rest and closes the store. It
// returns an error if that last commit fails.
func (s *Store) Run(ctx context.Context) error {
	if s.journal == nil {
		return errNotOpen
	}
	var writing sync.WaitGroup
	stop := make(chan struct{})
	writing.Go(func() { s.journal.run(stop) })

	next := time.NewTimer(untilTick())
	defer next.Stop()
	for i := 0; ctx.Err() == nil; i = (i + 1) % groups {
		select {
		case <-next.C:
			next.Reset(untilTick())
			s.expireDue()
			s.sweep(&s.groups[i])
			s.compact()
		case <-ctx.Done():
		}
	}
	for i := range s.groups {
		s.sweep(&s.groups[i])
	}
	close(stop)
	writing.Wait()
	err := s.journal.commit()
	s.db.close()
	if err != nil {
		return fmt.Errorf("the last commit of the journal failed, and its changes are lost: %w", err)
	}
	return nil
}

// Update implements [presence.Store].
func (s *Store) Update(_ context.Context, name presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	if u.OnlyRenew && s.find(name) == nil { // do not create a project for an update that can only fail
		_, _, err := s.emptyRoster().Update(time.Now(), user, u)
		if err != nil {
			return presence.Reply{}, err
		}
	}
	p := s.lockProject(name)
	reply, changed, err := p.roster.Update(time.Now(), user, u)
	if err != nil {
		p.notifyAndUnlock()
		return reply, err
	}
	return s.queueAndWait(name, p, user.ID, changed, reply)
}

// Leave implements [presence.Store].
func (s *Store) Leave(_ context.Context, name presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	if s.find(name) == nil {
		if reply, changed := s.emptyRoster().Leave(time.Now(), user, l); !changed { // a leave that ends nothing creates no project
			reply.Durable = !s.journal.isFailing()
			return reply, nil
		}
	}
	p := s.lockProject(name)
	reply, changed := p.roster.Leave(time.Now(), user, l)
	return s.queueAndWait(name, p, user.ID, changed, reply)
}

// Move implements [presence.Store].
func (s *Store) Move(_ context.Context, name presence.Project, from, to presence.Section) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	if s.find(name) == nil { // there is nothing to move
		return presence.Reply{Version: s.emptyRoster().Version(), Durable: !s.journal.isFailing()}, nil
	}
	p := s.lockProject(name)
	move, err := p.roster.Move(time.Now(), from, to)
	if err != nil {
		p.notifyAndUnlock()
		return presence.Reply{}, err
	}
	if move != nil {
		u := allUnwritten(p.roster)
		u.moves = append(u.moves, move)
		p.changed = s.journal.add(name, p.roster.Clock(), u)
	}
	return s.unlockAndWait(p, move != nil, presence.Reply{Version: p.roster.Version()})
}

// Save implements [presence.Store].
func (s *Store) Save(_ context.Context, name presence.Project, user presence.User, saved presence.Saved) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	p := s.lockProject(name)
	changed := p.roster.Save(time.Now(), user, saved)
	return s.queueAndWait(name, p, user.ID, changed, presence.Reply{Version: p.roster.Version()})
}

// Remove implements [presence.Store].
func (s *Store) Remove(_ context.Context, name presence.Project, removal presence.Removal) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	p := s.lockProject(name)
	reply, err := p.roster.Remove(time.Now(), removal)
	if err != nil {
		p.notifyAndUnlock()
		return reply, err
	}
	return s.queueAndWait(name, p, removal.User, true, reply)
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(_ context.Context, name presence.Project) (*presence.Snapshot, error) {
	if s.journal == nil {
		return nil, errNotOpen
	}
	p := s.find(name)
	if p == nil {
		return s.emptyRoster().Snapshot(time.Now()), nil
	}
	p.mu.Lock()
	defer p.notifyAndUnlock()
	return p.roster.Snapshot(time.Now()), nil
}

// Sessions implements [presence.Store].
func (s *Store) Sessions(_ context.Context, name presence.Project) (*presence.Snapshot, []presence.Record, error) {
	if s.journal == nil {
		return nil, nil, errNotOpen
	}
	p := s.find(name)
	if p == nil {
		return s.emptyRoster().Snapshot(time.Now()), nil, nil
	}
	p.mu.Lock()
	defer p.notifyAndUnlock()
	now := time.Now()
	return p.roster.Snapshot(now), p.roster.Sessions(now), nil
}

// Watch implements [presence.Store].
func (s *Store) Watch(name presence.Project, wake func()) (stop func()) {
	if s.journal == nil {
		return func() {}
	}
	w := &watch{wake}
	p := s.lockProject(name)
	if p.watches == nil {
		p.watches = map[*watch]struct{}{}
	}
	p.watches[w] = struct{}{}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.watches, w)
		empty := p.isEmpty()
		p.notifyAndUnlock()
		if empty {
			s.removeIfEmpty(p)
		}
	}
}

// Ready implements [presence.Health]: while the disk fails the store is degraded.
func (s *Store) Ready(context.Context) error {
	if s.journal == nil {
		return errNotOpen
	}
	if fault := s.journal.fault.Load(); fault != nil {
		return fmt.Errorf("%w: the journal cannot be written; presence continues from memory, and is lost if this process ends: %w", presence.ErrDegraded, *fault)
	}
	return nil
}

// Figures implements [presence.Health].
func (s *Store) Figures() presence.Figures {
	if s.journal == nil {
		return presence.Figures{}
	}
	return presence.Figures{Projects: int(s.active.Load()), People: int(s.people.Load()), JournalLag: new(s.journal.lag())}
}

// queueAndWait queues the changes of a message, including other sessions that it ended or moved, unlocks
// the project, and waits for the commit of its last change, which the reply depends on.
func (s *Store) queueAndWait(name presence.Project, p *project, user presence.UserID, change bool, reply presence.Reply) (presence.Reply, error) {
	if change {
		p.changed = s.journal.add(name, p.roster.Clock(), unwrittenOf(p.roster, user))
	}
	return s.unlockAndWait(p, change, reply)
}

// unlockAndWait unlocks the project and waits for the commit of its last change; change says that it is that of the
// reply.
func (s *Store) unlockAndWait(p *project, change bool, reply presence.Reply) (presence.Reply, error) {
	changed := p.changed
	p.notifyAndUnlock()
	reply.Durable = s.journal.wait(changed) && (change || !s.journal.isFailing()) // while the disk fails a renewal is not written
	return reply, nil
}
