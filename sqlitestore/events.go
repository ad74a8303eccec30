package sqlitestore

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// scanInterval is how often [Store.Unannounced] checks the projects that may have to be announced.
	scanInterval = 5 * time.Second
	// maxLogged is how many events the log has; a tenth more before the oldest are removed.
	maxLogged = 10_000
)

// events is what the store keeps for [presence.EventStore].
type events struct {
	changed atomic.Pointer[func(presence.Project)] // nil without a sender of events

	mu        sync.Mutex
	announced map[presence.Project]presence.Announcement
	claims    map[presence.Project]claim
	scanned   time.Time
	// unannounced are the projects that changed, or were announced, since Unannounced found nothing to announce of them.
	// It is nil before the first call, which checks all projects.
	unannounced map[presence.Project]struct{}
	// log has the data of the newest events; the first one is number removed+1. Run names the log, which ends with the process.
	log     [][]byte
	removed int
	run     string
}

// claim is until when a holder has a project.
type claim struct {
	holder string
	until  time.Time
}

func newEvents() *events {
	return &events{announced: map[presence.Project]presence.Announcement{}, claims: map[presence.Project]claim{}, run: rand.Text()}
}

// note has the next Unannounced check a project.
func (e *events) note(project presence.Project) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unannounced != nil {
		e.unannounced[project] = struct{}{}
	}
}

// notify notes a project and calls the function of NotifyChanges.
func (e *events) notify(project presence.Project) {
	e.note(project)
	if changed := e.changed.Load(); changed != nil {
		(*changed)(project)
	}
}

// NotifyChanges implements [presence.EventStore].
func (s *Store) NotifyChanges(changed func(presence.Project)) (stop func()) {
	if s.journal == nil {
		return func() {}
	}
	e := s.events
	e.changed.Store(&changed)
	return func() {
		if e.changed.CompareAndSwap(&changed, nil) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.unannounced = nil // nobody may call Unannounced any more
		}
	}
}

// Unannounced implements [presence.EventStore]. It forgets the announcements of projects that are over.
func (s *Store) Unannounced(context.Context) (projects []presence.Project, err error) {
	if s.journal == nil {
		return nil, errNotOpen
	}
	e, now := s.events, time.Now()
	e.mu.Lock()
	if now.Sub(e.scanned) < scanInterval {
		e.mu.Unlock()
		return nil, nil
	}
	due := e.unannounced
	e.scanned, e.unannounced = now, map[presence.Project]struct{}{}
	e.mu.Unlock()
	if due == nil {
		due = s.announceable()
	}
	for name := range due {
		if s.isUnannounced(name) {
			projects = append(projects, name)
			e.note(name)
		}
	}
	return projects, nil
}

// announceable returns all projects that are held, or of which something was announced.
func (s *Store) announceable() map[presence.Project]struct{} {
	all := map[presence.Project]struct{}{}
	for i := range s.groups {
		for _, p := range s.projectsIn(&s.groups[i]) {
			all[p.name] = struct{}{}
		}
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	for name := range s.events.announced {
		all[name] = struct{}{}
	}
	return all
}

// isUnannounced reports whether a project has to be announced. It forgets the announcement of one that is over.
func (s *Store) isUnannounced(name presence.Project) bool {
	var version uint64 // 0 if the project is not held
	var visible bool
	if p := s.find(name); p != nil {
		p.mu.Lock()
		now := time.Now()
		p.roster.Expire(now)
		version = p.roster.Version()
		visible = p.roster.Count() > 0 || len(p.roster.Snapshot(now).Saves) > 0 // a snapshot that is read is kept, so few are
		p.notifyAndUnlock()
	}
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	a, announced := e.announced[name]
	switch {
	case version > 0 && announced:
		return a.Version != version
	case version > 0:
		return visible
	case announced && !a.Occupied && a.Version != 0:
		delete(e.announced, name)
		s.journal.addLater(name, 0, unwritten{announcement: &presence.Announcement{}})
		return false
	default:
		return announced
	}
}

// Claim implements [presence.EventStore].
func (s *Store) Claim(_ context.Context, project presence.Project, holder string, ttl time.Duration) (a presence.Announcement, ok bool, err error) {
	if s.journal == nil {
		return a, false, errNotOpen
	}
	e, now := s.events, time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Before(e.claims[project].until) {
		return a, false, nil
	}
	e.claims[project] = claim{holder, now.Add(ttl)}
	return e.announced[project], true, nil
}

// Renew implements [presence.EventStore].
func (s *Store) Renew(_ context.Context, project presence.Project, holder string, ttl time.Duration) (ok bool, err error) {
	if s.journal == nil {
		return false, errNotOpen
	}
	e, now := s.events, time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.has(project, holder, now) {
		return false, nil
	}
	if e.claims[project] = (claim{holder, now.Add(ttl)}); ttl == 0 {
		delete(e.claims, project)
	}
	return true, nil
}

// has reports whether the holder has the claim. mu must be held.
func (e *events) has(project presence.Project, holder string, now time.Time) bool {
	c := e.claims[project]
	return c.holder == holder && now.Before(c.until)
}

// Announce implements [presence.EventStore]. It waits for the commit, like a change.
func (s *Store) Announce(_ context.Context, project presence.Project, holder string, a presence.Announcement) (ok bool, err error) {
	if s.journal == nil {
		return false, errNotOpen
	}
	e := s.events
	e.mu.Lock()
	if !e.has(project, holder, time.Now()) {
		e.mu.Unlock()
		return false, nil
	}
	e.announced[project] = a
	if e.unannounced != nil {
		e.unannounced[project] = struct{}{}
	}
	batch := s.journal.add(project, 0, unwritten{announcement: &a})
	e.mu.Unlock()
	s.journal.wait(batch)
	return true, nil
}

// AppendEvents implements [presence.EventStore]. The log is in memory, and ends with the process.
func (s *Store) AppendEvents(_ context.Context, all [][]byte) error {
	if s.journal == nil {
		return errNotOpen
	}
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, all...)
	if over := len(e.log) - maxLogged; over > maxLogged/10 {
		if e.log = slices.Delete(e.log, 0, over); cap(e.log) > 4*maxLogged { // after very many at once
			e.log = slices.Clone(e.log)
		}
		e.removed += over
	}
	return nil
}

// id returns the id of the event with a number.
func (e *events) id(number int) string { return e.run + "-" + strconv.Itoa(number) }

// Events implements [presence.EventStore].
func (s *Store) Events(_ context.Context, after string, limit int) (page []presence.LoggedEvent, next string, known bool, err error) {
	if s.journal == nil {
		return nil, "", false, errNotOpen
	}
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	last := e.removed + len(e.log)
	from := last
	if known = after == ""; !known {
		run, number, _ := strings.Cut(after, "-")
		n, err := strconv.Atoi(number)
		known = err == nil && run == e.run && n >= e.removed && n <= last
		if from = e.removed; known {
			from = n
		}
	}
	to := min(last, from+max(limit, 1))
	for i := from; i < to; i++ {
		page = append(page, presence.LoggedEvent{ID: e.id(i + 1), Data: e.log[i-e.removed]})
	}
	return page, e.id(to), known, nil
}
