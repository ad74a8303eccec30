package sqlitestore

import (
	"hash/maphash"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// project is one roster with its watches and the batch of its last change.
type project struct {
	name   presence.Project
	events *events
	mu     sync.Mutex
	roster *presence.Roster
	gone   bool // no longer in projects: find it again
	// changed is the batch of the last change; nil if there was none since the start.
	changed *batch

	watches  map[*watch]struct{}
	notified uint64 // the version that the watches were last woken for

	// nextExpiry is how long after began, at least, the first session expires. It can be read without mu.
	nextExpiry atomic.Int64
}

// began is a time whose distance to others does not change when the system's clock is set.
var began = time.Now()

// watch is one call of [Store.Watch].
type watch struct{ wake func() }

// notifyAndUnlock wakes the watches and the sender of events if the version has changed, and unlocks the project.
func (p *project) notifyAndUnlock() {
	next := int64(math.MaxInt64)
	if t, ok := p.roster.NextExpiry(); ok {
		next = int64(t.Sub(began))
	}
	p.nextExpiry.Store(next)
	if version := p.roster.Version(); version != p.notified {
		p.notified = version
		for w := range p.watches {
			w.wake()
		}
		p.events.notify(p.name)
	}
	p.mu.Unlock()
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

// find returns the project, or nil if it is not held.
func (s *Store) find(name presence.Project) *project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groupOf(name)[name]
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
		s.mu.RLock()
		p := s.groupOf(name)[name]
		s.mu.RUnlock()
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
	p := s.groupOf(name)[name]
	if p == nil {
		p = &project{name: name, events: s.events, roster: presence.NewRoster(s.lease, s.floor)}
		s.groupOf(name)[name] = p
	}
	return p
}

// groupOf returns the group that a project belongs to.
func (s *Store) groupOf(name presence.Project) map[presence.Project]*project {
	return s.projects[maphash.String(s.seed, string(name))%groups]
}

// expireWatched ends expired sessions in watched projects. It locks only those where one may have expired.
func (s *Store) expireWatched() {
	now := int64(time.Since(began))
	var due []*project
	s.mu.RLock()
	for p := range s.watched {
		if p.nextExpiry.Load() < now {
			due = append(due, p)
		}
	}
	s.mu.RUnlock()
	for _, p := range due {
		p.mu.Lock()
		p.roster.Expire(time.Now())
		p.notifyAndUnlock()
	}
}

// sweep ends expired sessions in a group of projects, queues its renewals and ends for the
// journal, and counts the users online.
func (s *Store) sweep(group int) {
	var projects, people int
	for name, p := range s.projectsIn(group) {
		p.mu.Lock()
		p.roster.Expire(time.Now())
		s.journal.addLater(name, p.roster.Clock(), allUnwritten(p.roster))
		if n := p.roster.Count(); n > 0 {
			projects, people = projects+1, people+n
		}
		p.notifyAndUnlock()
	}
	s.counts[group].projects.Store(int64(projects))
	s.counts[group].people.Store(int64(people))
	s.journal.flush()
}

// forgetEnded removes projects without sessions and saves, and deletes old ended sessions from the journal.
func (s *Store) forgetEnded() {
	for group := range groups {
		for name, p := range s.projectsIn(group) {
			p.mu.Lock()
			empty := p.isEmpty()
			p.notifyAndUnlock()
			if empty {
				s.removeIfEmpty(name, p)
			}
		}
		s.mu.Lock()
		left := make(map[presence.Project]*project, len(s.projects[group])) // a map does not shrink, and a clone is as large
		maps.Copy(left, s.projects[group])
		s.projects[group] = left
		s.mu.Unlock()
	}
	s.journal.purgeBefore(time.Now().Add(-presence.Finality))
}

// removeIfEmpty removes a project, unless it is in use again.
func (s *Store) removeIfEmpty(name presence.Project, p *project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone && p.isEmpty() {
		p.gone = true
		s.journal.addLater(name, p.roster.Clock(), allUnwritten(p.roster)) // saves and removals that isEmpty has dropped
		s.floor = max(s.floor, p.roster.Clock())
		delete(s.groupOf(name), name)
	}
}

// isEmpty reports whether the project has no sessions, no recent ends, no saves, no removals and no watches.
func (p *project) isEmpty() bool { return p.roster.Forget(time.Now()) && len(p.watches) == 0 }

// projectsIn returns a copy of a group.
func (s *Store) projectsIn(group int) map[presence.Project]*project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.projects[group])
}
