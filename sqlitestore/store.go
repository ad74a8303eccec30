// Package sqlitestore keeps presence on one machine: the rosters live in memory,
// and a journal in SQLite brings them back after a restart.
//
// A change (a session begins, ends, or changes its section or activity) is acknowledged
// after its commit; commits are grouped. A renewal is written within five seconds.
// While the disk fails, presence continues from memory, replies are not durable, and
// the journal writes what is missing when the disk works again.
package sqlitestore

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
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
	groups = 32
	// forgetEvery is how often sessions that ended [presence.Finality] ago are deleted.
	forgetEvery = time.Minute
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

	mu       sync.RWMutex // guards projects, watched and floor; taken before a project's
	projects [groups]map[presence.Project]*project
	seed     maphash.Seed // of the hash that assigns projects to groups
	watched  map[*project]struct{}
	// floor is at least every version published for a project that is no longer held.
	floor uint64

	counts [groups]count
}

// count holds the numbers of a group at its last sweep; counting on demand would cost a sweep.
type count struct{ projects, people atomic.Int64 }

// project is one roster with its watches and the batch of its last change.
type project struct {
	mu     sync.Mutex
	roster *presence.Roster
	gone   bool // no longer in projects: find it again
	// changed is the batch of the last change; nil if there was none since the start.
	changed *batch

	watches map[*watch]struct{}
	told    uint64 // the version that the watches were last woken for
}

// watch is one call of [Store.Watch].
type watch struct{ wake func() }

// release wakes the watches if the version has changed, and unlocks the project.
func (p *project) release() {
	if version := p.roster.Version(); version != p.told {
		p.told = version
		for w := range p.watches {
			w.wake()
		}
	}
	p.mu.Unlock()
}

// Options of a store; the zero value of each is its default.
type Options struct {
	Lease time.Duration // presence.DefaultLease
	Log   *slog.Logger  // none
}

// Open opens the store in a directory, and makes both if need be: the directory for
// its owner alone (0700), and the files in it likewise (0600). Sessions that lived
// when the last process ended get a full lease from now, unless it ended longer than
// [presence.Finality] ago. A directory that another process uses, and a file that is
// damaged or of a newer version, are errors that say what to do; nothing is replaced.
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
func newStore(lease time.Duration, log *slog.Logger, write func(map[key]presence.Record, uint64, time.Time) error) *Store {
	s := &Store{lease: lease, log: log, journal: newJournal(write, log), seed: maphash.MakeSeed(), watched: map[*project]struct{}{}}
	for i := range s.projects {
		s.projects[i] = map[presence.Project]*project{}
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

	sweep, forget := time.NewTicker(sweepEvery/groups), time.NewTicker(forgetEvery)
	defer sweep.Stop()
	defer forget.Stop()
	for group := 0; ctx.Err() == nil; {
		select {
		case <-sweep.C:
			s.lapse()
			s.sweep(group)
			group = (group + 1) % groups
		case <-forget.C:
			s.forget()
		case <-ctx.Done():
		}
	}
	for group := range groups {
		s.sweep(group)
	}
	close(stop)
	writing.Wait()
	err := s.journal.commit()
	s.db.close()
	if err != nil {
		return fmt.Errorf("the journal could not be written at the end, and what is not in it is lost: %w", err)
	}
	return nil
}

// Update implements [presence.Store].
func (s *Store) Update(_ context.Context, name presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	if u.OnlyRenew && s.find(name) == nil { // there is nothing to renew, and nothing to begin for it
		_, _, err := s.empty().Update(time.Now(), user, u)
		if err != nil {
			return presence.Reply{}, err
		}
	}
	p := s.hold(name)
	reply, changed, err := p.roster.Update(time.Now(), user, u)
	if err != nil {
		p.release()
		return reply, err
	}
	return s.settle(name, p, user.ID, changed, reply)
}

// Leave implements [presence.Store].
func (s *Store) Leave(_ context.Context, name presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	if s.journal == nil {
		return presence.Reply{}, errNotOpen
	}
	if s.find(name) == nil {
		if reply, changed := s.empty().Leave(time.Now(), user, l); !changed { // there is nothing to remember
			reply.Durable = !s.journal.isFailing()
			return reply, nil
		}
	}
	p := s.hold(name)
	reply, changed := p.roster.Leave(time.Now(), user, l)
	return s.settle(name, p, user.ID, changed, reply)
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(_ context.Context, name presence.Project) (*presence.Snapshot, error) {
	if s.journal == nil {
		return nil, errNotOpen
	}
	p := s.find(name)
	if p == nil {
		return s.empty().Snapshot(time.Now()), nil
	}
	p.mu.Lock()
	defer p.release()
	return p.roster.Snapshot(time.Now()), nil
}

// Watch implements [presence.Store].
func (s *Store) Watch(name presence.Project, wake func()) (stop func()) {
	if s.journal == nil {
		return func() {}
	}
	w := &watch{wake}
	p := s.hold(name)
	if p.watches == nil {
		p.watches = map[*watch]struct{}{}
	}
	p.watches[w] = struct{}{}
	p.mu.Unlock()
	s.setWatched(p)
	return func() {
		p.mu.Lock()
		delete(p.watches, w)
		empty := p.isEmpty()
		p.mu.Unlock()
		s.setWatched(p)
		if empty {
			s.drop(name, p)
		}
	}
}

// Ready implements [presence.Health]: while the disk fails the store is degraded.
func (s *Store) Ready(context.Context) error {
	if s.journal == nil {
		return errNotOpen
	}
	if fault := s.journal.fault.Load(); fault != nil {
		return fmt.Errorf("%w: the journal cannot be written; presence goes on from memory, and would be lost if this process ended: %w", presence.ErrDegraded, *fault)
	}
	return nil
}

// Figures implements [presence.Health].
func (s *Store) Figures() presence.Figures {
	if s.journal == nil {
		return presence.Figures{}
	}
	f := presence.Figures{JournalLag: new(s.journal.lag())}
	for group := range groups {
		f.Projects += int(s.counts[group].projects.Load())
		f.People += int(s.counts[group].people.Load())
	}
	return f
}

// setWatched adds the project to watched, or removes it if it has no watches.
func (s *Store) setWatched(p *project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.watches) > 0 {
		s.watched[p] = struct{}{}
	} else {
		delete(s.watched, p)
	}
}

// settle queues the changes of a message, including sessions of the user that it ended, unlocks
// the project, and waits for the commit of its last change, which the reply depends on.
func (s *Store) settle(name presence.Project, p *project, user presence.UserID, change bool, reply presence.Reply) (presence.Reply, error) {
	if change {
		p.changed = s.journal.add(name, p.roster.Clock(), p.roster.RecordsOf(user))
	}
	changed := p.changed
	p.release()
	reply.Durable = s.journal.wait(changed) && (change || !s.journal.isFailing()) // while the disk fails a renewal is not written
	return reply, nil
}

// find returns the project, or nil if it is not held.
func (s *Store) find(name presence.Project) *project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groupOf(name)[name]
}

// empty returns a new roster for a project that is not held.
func (s *Store) empty() *presence.Roster {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return presence.NewRoster(s.lease, s.floor)
}

// hold finds or creates the project and locks it.
func (s *Store) hold(name presence.Project) *project {
	for {
		s.mu.RLock()
		p := s.groupOf(name)[name]
		s.mu.RUnlock()
		if p == nil {
			s.mu.Lock()
			if p = s.groupOf(name)[name]; p == nil {
				p = s.begin(name)
			}
			s.mu.Unlock()
		}
		p.mu.Lock()
		if !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

func (s *Store) begin(name presence.Project) *project {
	p := &project{roster: presence.NewRoster(s.lease, s.floor)}
	s.groupOf(name)[name] = p
	return p
}

// groupOf returns the group that a project belongs to.
func (s *Store) groupOf(name presence.Project) map[presence.Project]*project {
	return s.projects[maphash.String(s.seed, string(name))%groups]
}

// lapse ends expired sessions in watched projects.
func (s *Store) lapse() {
	s.mu.RLock()
	watched := slices.Collect(maps.Keys(s.watched))
	s.mu.RUnlock()
	for _, p := range watched {
		p.mu.Lock()
		p.roster.Expire(time.Now())
		p.release()
	}
}

// sweep ends expired sessions in a group of projects, queues its renewals and ends for the
// journal, and counts the users online.
func (s *Store) sweep(group int) {
	var projects, people int
	for name, p := range s.held(group) {
		p.mu.Lock()
		p.roster.Expire(time.Now())
		s.journal.addLater(name, p.roster.Clock(), p.roster.Records())
		if n := p.roster.Count(); n > 0 {
			projects, people = projects+1, people+n
		}
		p.release()
	}
	s.counts[group].projects.Store(int64(projects))
	s.counts[group].people.Store(int64(people))
	s.journal.flush()
}

// forget drops projects without sessions, and deletes old ended sessions from the journal.
func (s *Store) forget() {
	for group := range groups {
		for name, p := range s.held(group) {
			p.mu.Lock()
			empty := p.isEmpty()
			p.release()
			if empty {
				s.drop(name, p)
			}
		}
		s.mu.Lock()
		left := make(map[presence.Project]*project, len(s.projects[group])) // a map does not shrink, and a clone is as large
		maps.Copy(left, s.projects[group])
		s.projects[group] = left
		s.mu.Unlock()
	}
	s.journal.forget(time.Now().Add(-presence.Finality))
}

// drop removes a project, unless it is in use again.
func (s *Store) drop(name presence.Project, p *project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone && p.isEmpty() {
		p.gone = true
		s.floor = max(s.floor, p.roster.Clock())
		delete(s.groupOf(name), name)
	}
}

// isEmpty reports whether the project has no sessions, no recent ends and no watches.
func (p *project) isEmpty() bool { return p.roster.Forget(time.Now()) && len(p.watches) == 0 }

// held returns a copy of a group.
func (s *Store) held(group int) map[presence.Project]*project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.projects[group])
}

// write writes the journal's records. After its files were lost it writes all sessions into new ones.
func (s *Store) write(records map[key]presence.Record, clock uint64, purge time.Time) error {
	if !s.db.isLost {
		err := s.db.write(records, clock, purge)
		if lost := s.db.check(); lost != nil {
			return lost
		}
		return err
	}
	if err := s.db.reopen(s.log); err != nil {
		return err
	}
	all := maps.Clone(records)
	for group := range groups {
		for name, p := range s.held(group) {
			p.mu.Lock()
			sessions := p.roster.AllRecords()
			for _, r := range sessions {
				all[key{name, r.User.ID, r.Session}] = r
			}
			s.journal.replacePending(name, sessions)
			clock = max(clock, p.roster.Clock())
			p.mu.Unlock()
		}
	}
	if err := s.db.write(all, clock, time.Time{}); err != nil {
		return err
	}
	s.db.isLost = false
	return s.db.check()
}

// load restores the sessions in the journal and deletes those that ended longer than
// [presence.Finality] ago.
func (s *Store) load(now time.Time) error {
	clock, err := s.db.clock()
	if err != nil {
		return s.db.errUnusable(err)
	}
	// Versions follow the clock, so now is above them all unless the clock was set back or
	// versions have overtaken it.
	s.floor = uint64(now.UnixMilli())
	if clock >= s.floor {
		s.floor = clock + clockSlack
	}
	rows, err := s.db.rows(now.Add(-presence.Finality))
	if err != nil {
		return s.db.errUnusable(err)
	}
	if err := s.db.prune(rows); err != nil {
		s.log.Warn("the journal keeps rows of sessions that ended long ago, since they could not be deleted; look for a full disk", "error", err)
	}
	slices.SortFunc(rows, func(a, b row) int { return a.Compare(b.Record) })
	var last time.Time // the last sign of life of the previous process
	for i := range rows {
		r := &rows[i]
		if r.LastSeen.After(now) { // the clock was set back
			r.LastSeen = now
		}
		if r.Active && r.LastSeen.After(last) {
			last = r.LastSeen
		}
	}
	for _, r := range rows {
		if now.Sub(last) > presence.Finality || last.Sub(r.LastSeen) > s.lease {
			r.Active = false
		}
		p := s.groupOf(r.project)[r.project]
		if p == nil {
			p = s.begin(r.project)
		}
		p.roster.Restore(now, r.Record)
	}
	return nil
}
