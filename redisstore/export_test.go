package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Clock is the time of the stores under test, in the scripts and in the nodes. It stands still between calls of Advance, so
// that a busy machine does not use up leases.
type Clock struct {
	stores []shifted
	now    atomic.Int64 // in microseconds of Unix time; 0 before it is first used
}

// shifted is a store and the texts of its scripts, which take milliseconds to build.
type shifted struct {
	*Store
	texts scriptTexts
}

// Attach makes a store use the clock. It must be called before [Store.Run].
func (c *Clock) Attach(s *Store) {
	shifted := shifted{s, newScriptTexts(presence.DefaultLease, presence.DefaultHeartbeat, s.publishCommand())}
	c.stores = append(c.stores, shifted)
	s.now = c.Now
	shifted.set(c.Now())
}

// set sets the time of the scripts, which is that of Redis plus the difference.
func (s shifted) set(now time.Time) {
	s.scripts.Store(s.texts.scripts(fmt.Sprintf("(%d - time[1] * 1000000 - time[2])", now.UnixMicro())))
}

// Now returns the time by the clock, which begins with the system's.
func (c *Clock) Now() time.Time {
	c.now.CompareAndSwap(0, time.Now().UnixMicro())
	return time.UnixMicro(c.now.Load())
}

// Advance moves the clock, runs the refreshes that are due then, and waits until the nodes have received
// the wake-ups of all changes before.
func (c *Clock) Advance(d time.Duration) {
	if d > 0 {
		c.now.Store(c.Now().Add(d).UnixMicro())
		for _, s := range c.stores {
			s.set(c.Now())
		}
	}
	for range 2 { // the second time, with what the first refreshes published
		for _, s := range c.stores {
			s.tick()
			for range maxRefreshes { // waits until no refresh is running
				s.refreshes <- struct{}{}
			}
			for range maxRefreshes {
				<-s.refreshes
			}
			s.receiveAll()
		}
	}
}

// receiveAll waits until the subscribed projects have observed the versions in Redis.
func (s *Store) receiveAll() {
	for _, c := range s.cachedProjects() {
		packed, _ := s.client.Do(context.Background(), s.client.B().Hget().Key(c.key).Field("roster").Build()).AsBytes()
		version := uint64(0)
		if len(packed) > 0 {
			version = uint64(math.Float64frombits(binary.BigEndian.Uint64(packed)))
		}
		for c.isSubscribed() && c.observation().version < version {
			runtime.Gosched()
		}
	}
}

// ProjectKey returns the key of a project in Redis.
func ProjectKey(project presence.Project) string { return projectKey(project) }

// SetMaxProjects sets how many projects are cached. It must be called before the store is used.
func (s *Store) SetMaxProjects(n int) { s.maxProjects = n }

// EvictedProjects returns of how many projects only the observation is kept.
func (s *Store) EvictedProjects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.evicted.Len()
}

// CachedProjects returns how many projects are cached.
func (s *Store) CachedProjects() int { return len(s.cachedProjects()) }

// MajorVersion is majorVersion.
func MajorVersion(version string) (int, error) { return majorVersion(version) }

// Confirms reports whether a change that left the project's roster at a clock becomes durable.
func (s *Store) Confirms(ctx context.Context, project presence.Project, clock uint64) bool {
	return s.durable(ctx, projectKey(project), clock)
}

// SubscriptionError returns the error of a project's subscription, nil if it has none.
func (s *Store) SubscriptionError(project presence.Project) error {
	return s.subscriptionErrors.get(projectKey(project))
}

// Receives reports whether Redis has confirmed the subscription of a watched project.
func (s *Store) Receives(project presence.Project) bool {
	c := s.project(project, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.receiving
}
