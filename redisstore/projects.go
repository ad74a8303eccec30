package redisstore

import (
	"fmt"
	"maps"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// idleTime is how long a project without watchers stays cached after its last use.
	idleTime = time.Minute
	// maxProjects bounds the cached projects: above it, each new project evicts one without watchers.
	// If all are watched, more are cached.
	maxProjects = 20_000
	// removalKept is how long a removal is kept at least; see presence.Removal.
	removalKept = time.Minute
	// maxEvicted bounds the evicted projects whose observations are kept; see [cache.Map].
	maxEvicted = 100_000
)

// projectKey is the key of a project in Redis, and the channel of its wake-ups. A cluster places keys
// by the text in braces. The length keeps the keys of different projects apart, whatever their ids contain.
func projectKey(project presence.Project) string {
	return fmt.Sprintf("writer-presence:{%d:%s}", len(project), project)
}

// cachedProjects returns the projects that are cached at this moment.
func (s *Store) cachedProjects() []*projectCache {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.projects))
}

// project finds the cache of a project, or makes one. Unless add is set, a new one is not added to the
// cached projects until [Store.settle] finds that the project exists, so that reads of projects that do
// not exist use no memory.
func (s *Store) project(project presence.Project, add bool) *projectCache {
	s.mu.RLock()
	c := s.projects[project]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.projects[project]; c != nil {
		return c
	}
	key := projectKey(project)
	observed, _ := s.evicted.Get(project)
	c = &projectCache{store: s, project: project, key: key, shard: shardOf(key), observed: observed, watches: map[*watch]struct{}{}, lastUse: s.now()}
	if add {
		s.projects[project] = c
	}
	return c
}

// settle decides after an answer what to keep of its project: the cache if Redis has a roster;
// otherwise the observation, if a roster was ever seen.
func (s *Store) settle(c *projectCache, a *answer) {
	s.mu.RLock()
	cached := s.projects[c.project]
	s.mu.RUnlock()
	switch {
	case cached == c:
	case cached != nil: // another call added it meanwhile
		cached.mu.Lock()
		defer cached.mu.Unlock()
		cached.observe(a.version)
	case a.nextExpiry != noRoster:
		s.add(c)
	default:
		if observed := c.observation(); !observed.seen.IsZero() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.evicted.Set(c.project, observed)
		}
	}
}

// add adds a cache of a project unless there is one, and evicts another one if there are too many.
func (s *Store) add(c *projectCache) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.projects[c.project] != nil || len(s.projects) >= s.maxProjects && !s.evict() {
		return
	}
	s.projects[c.project] = c
}

// evict removes the least recently used of a few projects chosen at random. It reports whether one of
// them had no watchers. The caller holds s.mu.
func (s *Store) evict() bool {
	const sample = 16
	var oldest *projectCache
	var since time.Time
	seen := 0
	for _, c := range s.projects { // in random order
		if used, watched := c.lastUsed(); !watched && (oldest == nil || used.Before(since)) {
			oldest, since = c, used
		}
		if seen++; seen == sample {
			break
		}
	}
	if oldest == nil {
		return false
	}
	s.remove(oldest)
	return true
}

// removeIdle removes a project, unless it is used again meanwhile.
func (s *Store) removeIdle(c *projectCache, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.projects[c.project] == c && c.isIdle(now) {
		s.remove(c)
	}
}

// remove removes a project from the cache and keeps its observation. The caller holds s.mu.
func (s *Store) remove(c *projectCache) {
	delete(s.projects, c.project)
	wasSubscribed := c.close()
	s.evicted.Set(c.project, c.observation())
	if wasSubscribed {
		s.pubsub.left()
	}
}
