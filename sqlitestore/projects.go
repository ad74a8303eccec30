package sqlitestore

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// group is a part of the projects.
type group struct {
	projects map[presence.Project]*project // guarded by Store.mu
	most     int                           // the largest number of projects since the map was made; likewise

	mu        sync.Mutex // taken after a project's
	unwritten []*project // have something for the journal
}

// project is one roster with its watches and the batch of its last change.
type project struct {
	name   presence.Project
	store  *Store
	group  *group
	mu     sync.Mutex
	roster *presence.Roster
	gone   bool // no longer held: find it again
	// changed is the batch of the last change; nil once that is known to be written, and if there was none since the
	// start.
	changed *batch

	watches  map[*watch]struct{}
	notified uint64 // the version that the watches were last woken for

	people    int   // those whom Store.people includes
	unwritten bool  // in the unwritten of its group
	isInTable bool  // the table of sessions may have some of its
	due       int64 // its first tick in the timer wheel; 0 if it is not there
}

// watch is one call of [Store.Watch].
type watch struct{ wake func() }

// notifyAndUnlock wakes the watches and the sender of events if the version has changed, and unlocks the project. It
// enters the project where the store finds what has to be done with it, so it must follow each use of the roster.
func (p *project) notifyAndUnlock() {
	defer p.mu.Unlock()
	p.count()
	p.schedule()
	if !p.unwritten && p.roster.HasUnwritten() {
		p.unwritten = true
		p.group.addUnwritten(p)
	}
	if version := p.roster.Version(); version != p.notified {
		p.notified = version
		for w := range p.watches {
			w.wake()
		}
		p.store.events.notify(p.name)
	}
}

// count updates the numbers of the store.
func (p *project) count() {
	people := p.roster.Count()
	if people == p.people {
		return
	}
	p.store.people.Add(int64(people - p.people))
	if people == 0 {
		p.store.active.Add(-1)
	} else if p.people == 0 {
		p.store.active.Add(1)
	}
	p.people = people
}

// schedule enters the project into the timer wheel, unless it is there for an earlier tick: then it will be entered
// again.
func (p *project) schedule() {
	at, timers := int64(math.MaxInt64), p.store.timers
	expiry, expires := p.roster.NextExpiry()
	if expires {
		at = timers.after(expiry)
	}
	forget, forgets := p.roster.NextForget()
	if forgets {
		at = min(at, timers.after(forget.Add(forgetAfter)))
	}
	if !expires && !forgets {
		if len(p.watches) > 0 || p.gone {
			return
		}
		at = 1 // it is empty, and removed at the next tick
	}
	if p.due == 0 || at < p.due {
		p.due = at
		timers.add(p, at)
	}
}

func (g *group) addUnwritten(p *project) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unwritten = append(g.unwritten, p)
}

func (g *group) takeUnwritten() (all []*project) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all, g.unwritten = g.unwritten, nil
	return all
}

// find returns the project, or nil if it is not held.
func (s *Store) find(name presence.Project) *project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groupOf(name).projects[name]
}

// emptyRoster returns a new roster for a project that is not held.
func (s *Store) emptyRoster() *presence.Roster {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return presence.NewRoster(s.lease, s.floor)
}

// lockProject finds or creates the project and locks it.
func (s *Store) lockProject(name presence.Project) *project {
	for {
		p := s.find(name)
		if p == nil {
			s.mu.Lock()
			p = s.findOrCreate(name)
			s.mu.Unlock()
		}
		p.mu.Lock()
		if !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

// findOrCreate returns the project, a new one if it is not held. mu must be held.
func (s *Store) findOrCreate(name presence.Project) *project {
	g := s.groupOf(name)
	p := g.projects[name]
	if p == nil {
		p = &project{name: name, store: s, group: g, roster: presence.NewRoster(s.lease, s.floor)}
		g.projects[name] = p
		g.most = max(g.most, len(g.projects))
	}
	return p
}

// groupOf returns the group that a project belongs to.
func (s *Store) groupOf(name presence.Project) *group {
	return &s.groups[maphash.String(s.seed, string(name))%groups]
}

// expireDue ends expired sessions, forgets what can be forgotten, and removes the projects that are then empty.
func (s *Store) expireDue() {
	now := s.timers.now()
	for _, p := range s.timers.take(now) {
		p.mu.Lock()
		if p.due == 0 || p.due > now { // it was entered twice
			p.mu.Unlock()
			continue
		}
		p.due = 0
		if forget, ok := p.roster.NextForget(); ok && time.Now().After(forget) {
			s.journal.purgeBefore(time.Now().Add(-presence.Finality))
		}
		empty := p.isEmpty()
		p.notifyAndUnlock()
		if empty {
			s.removeIfEmpty(p)
		}
	}
}

// sweep queues the renewals and ends of a group of projects for the journal.
func (s *Store) sweep(g *group) {
	for _, p := range g.takeUnwritten() {
		p.mu.Lock()
		p.unwritten = false
		if p.changed != nil && s.journal.isWritten(p.changed) {
			p.changed = nil // it need not be kept: nil stands for what is written
		}
		s.journal.addLater(p.name, p.roster.Clock(), allUnwritten(p.roster))
		p.notifyAndUnlock()
	}
	s.journal.flush()
}

// unwrittenWithSessions returns what allUnwritten does, and all sessions, which replace those in their table. They are
// left out if there are none in either place. mu must be held.
func (p *project) unwrittenWithSessions() unwritten {
	u := allUnwritten(p.roster) // to the log, since that must not be older than the table
	if sessions := p.roster.AllRecords(); len(sessions) > 0 || p.isInTable {
		u.sessions = append([]presence.Record{}, sessions...)
		p.isInTable = len(sessions) > 0
	}
	return u
}

// removeIfEmpty removes a project, unless it is in use again.
func (s *Store) removeIfEmpty(p *project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || !p.isEmpty() {
		return
	}
	p.gone = true
	// Saves and removals that isEmpty has dropped, and active rows of sessions whose ends may be only in the log, which the
	// next compaction deletes.
	s.journal.addLater(p.name, p.roster.Clock(), p.unwrittenWithSessions())
	s.floor = max(s.floor, p.roster.Clock())
	s.events.note(p.name)
	delete(p.group.projects, p.name)
	if len(p.group.projects) < p.group.most/2 { // a map does not shrink, and a clone is as large
		left := make(map[presence.Project]*project, len(p.group.projects))
		maps.Copy(left, p.group.projects)
		p.group.projects, p.group.most = left, len(left)
	}
}

// isEmpty reports whether the project has no sessions, no recent ends, no saves, no moves, no removals and no watches.
func (p *project) isEmpty() bool { return p.roster.Forget(time.Now()) && len(p.watches) == 0 }

// projectsIn returns the projects of a group.
func (s *Store) projectsIn(g *group) []*project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.AppendSeq(make([]*project, 0, len(g.projects)), maps.Values(g.projects))
}
