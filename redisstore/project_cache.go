package redisstore

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// projectCache is what this node knows of one project: its newest snapshot, and the highest version
// that the node has returned or received. Its methods are safe to call concurrently.
type projectCache struct {
	store   *Store
	project presence.Project
	key     string
	shard   int // of the key

	mu       sync.Mutex
	watches  map[*watch]struct{}
	cached   *cachedSnapshot // the newest one; nil at first
	observed observation
	// receiving says that Redis has confirmed the subscription to wake-ups, and it has not ended. An
	// answer to a call that began before validFrom may lack a change whose wake-up was not received.
	receiving       bool
	validFrom       time.Time
	endSubscription context.CancelFunc // nil without a subscription
	lastUse         time.Time
	refreshAt       time.Time // when to ask Redis for the watchers
}

// observation is the highest version of a project that this node has returned or received.
type observation struct {
	version uint64
	absent  bool // Redis had no roster at that version
	// seen is when the node last saw a roster, and occupied whether it had sessions or saves.
	seen     time.Time
	occupied bool
}

// floor encodes the version for the scripts; see read.lua. It is negative if a missing roster may have
// expired. Otherwise, a missing roster means that Redis lost it: a roster expires two leases after the
// last read at the soonest, and [presence.Finality] after the last read that found sessions or saves (see
// expire_saves in save.lua).
func (o observation) floor(now time.Time, lease time.Duration) string {
	kept := lease
	if o.occupied {
		kept = presence.Finality
	}
	if o.absent || o.version > 0 && now.Sub(o.seen) >= kept {
		return "-" + number(o.version)
	}
	return number(o.version)
}

// watch is one call of [Store.Watch]. It is a struct because functions are not comparable.
type watch struct{ wake func() }

// cachedSnapshot is a snapshot, and until when it may be returned without asking Redis.
type cachedSnapshot struct {
	snapshot *presence.Snapshot
	until    time.Time
}

// observe records a version, and wakes the watchers if it is higher than all before. It reports whether it is. The
// caller holds mu.
func (c *projectCache) observe(version uint64) (isNew bool) {
	if version <= c.observed.version {
		return false
	}
	c.observed.version, c.observed.absent = version, false
	c.wakeAll()
	return true
}

// wakeAll wakes the watchers. The caller holds mu.
func (c *projectCache) wakeAll() {
	for w := range c.watches {
		w.wake()
	}
}

// apply records the answer to a call that began at a time, and sets the answer's snapshot. It reports
// whether Redis lost sessions or saves that the cache has.
func (c *projectCache) apply(began time.Time, a *answer) (lost bool) {
	receives := c.store.probe.receives(c.shard)
	if a.complete {
		a.snapshot = presence.Aggregate(a.version, a.records, a.saves)
		a.snapshot.Moves, a.snapshot.Removals, a.snapshot.Partial, a.snapshot.Loss = a.moves, a.removals, a.partial, a.loss
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.complete {
		lost = a.nextExpiry == noRoster && c.cached != nil && c.cached.snapshot.Count+len(c.cached.snapshot.Saves) > 0
		if c.cached == nil || a.version >= c.cached.snapshot.Version {
			c.cached = &cachedSnapshot{snapshot: a.snapshot, until: began.Add(maxCacheAge)}
		}
		if began.Before(c.validFrom) {
			c.cached.until = c.validFrom
		}
	}
	c.refreshAt = began.Add(refreshInterval)
	switch {
	case began.Before(c.validFrom):
		c.refreshAt = c.validFrom
	case !c.receiving || !receives:
		c.refreshAt = began.Add(refreshIntervalWithoutWakeUps)
	}
	c.expire(a.nextExpiry, began)
	// A project without a roster has nothing to announce, and its version is new to each cache of it. If Redis lost the
	// roster, the scan for events finds that.
	if c.observe(a.version) && a.nextExpiry != noRoster {
		c.store.notify(c.project)
	}
	if a.version == c.observed.version {
		c.observed.absent = a.nextExpiry == noRoster
	}
	if a.nextExpiry != noRoster && began.After(c.observed.seen) {
		c.observed.seen = began
		if a.complete {
			c.observed.occupied = len(a.records)+len(a.saves) > 0
		}
	}
	return lost
}

// expire limits the age of the cached snapshot, and of the watchers' view, to the next time at which a
// session may expire. The caller holds mu.
func (c *projectCache) expire(in time.Duration, from time.Time) {
	if in == noRoster {
		return
	}
	at := from.Add(in + time.Millisecond)
	if at.Before(c.refreshAt) {
		c.refreshAt = at
	}
	if c.cached != nil && at.Before(c.cached.until) {
		c.cached.until = at
	}
}

// setOccupied records that the project has a session.
func (c *projectCache) setOccupied() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observed.occupied = true
}

// state returns what a script needs: the floor, as [observation.floor] encodes it, and the cached
// snapshot. Fresh is false if the times in the snapshot are too old to be returned. It counts as a use.
func (c *projectCache) state() (floor string, snapshot *presence.Snapshot, fresh bool) {
	now := c.store.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastUse = now
	if c.cached != nil {
		snapshot, fresh = c.cached.snapshot, now.Before(c.cached.until)
	}
	return c.observed.floor(now, c.store.lease), snapshot, fresh
}

// current returns the cached snapshot if it may be returned without asking Redis, nil otherwise. It
// counts as a use.
func (c *projectCache) current() *presence.Snapshot {
	now, receives := c.store.now(), c.store.probe.receives(c.shard)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastUse = now
	if c.cached == nil || !c.receiving || !receives || c.cached.snapshot.Version < c.observed.version || !now.Before(c.cached.until) {
		return nil
	}
	return c.cached.snapshot
}

// subscribe adds watchers, and subscribes to the project's wake-ups unless that was done before.
func (c *projectCache) subscribe(watches []*watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range watches {
		c.watches[w] = struct{}{}
	}
	if c.endSubscription != nil || c.store.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(c.store.ctx)
	c.endSubscription = cancel
	c.store.running.Go(func() { c.store.subscribe(ctx, c.key, c.shard, c.setReceiving, c.receive) })
}

// setReceiving records whether wake-ups are received. When that begins, changes before it may be missing
// in the cache, and in the answers to calls that are under way.
func (c *projectCache) setReceiving(receiving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = receiving
	c.invalidateLocked()
}

// invalidate makes the next read and the next tick ask Redis, because a wake-up may have been lost.
func (c *projectCache) invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invalidateLocked()
}

// invalidateLocked is invalidate for callers that hold mu.
func (c *projectCache) invalidateLocked() {
	c.validFrom, c.refreshAt = c.store.now(), time.Time{}
	if c.cached != nil {
		c.cached.until = time.Time{}
	}
}

// receive handles a wake-up: the version, and in how many microseconds a session may expire.
func (c *projectCache) receive(message string) {
	first, second, _ := strings.Cut(message, " ")
	version, err := strconv.ParseUint(first, 10, 64)
	expiry, err2 := strconv.ParseInt(second, 10, 64)
	if err != nil || err2 != nil {
		return
	}
	now := c.store.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(time.Duration(expiry)*time.Microsecond, now)
	if c.observe(version) {
		c.store.notify(c.project)
	}
	c.observed.seen = now
}

// people returns how many people the cached snapshot counts.
func (c *projectCache) people() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cached == nil {
		return 0
	}
	return c.cached.snapshot.Count
}

// wantsRefresh reports whether it is time to ask Redis for the watchers.
func (c *projectCache) wantsRefresh(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.watches) > 0 && !now.Before(c.refreshAt)
}

// postponeRefresh sets the time of the next refresh, unless an answer sets an earlier one.
func (c *projectCache) postponeRefresh(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshAt = at
}

// wake wakes the watchers.
func (c *projectCache) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeAll()
}

// isIdle reports whether the project has not been used for a while and nobody watches it.
func (c *projectCache) isIdle(now time.Time) bool {
	last, watched := c.lastUsed()
	return !watched && now.Sub(last) >= idleTime
}

// lastUsed returns when the project was last used, and whether somebody watches it.
func (c *projectCache) lastUsed() (last time.Time, watched bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastUse, len(c.watches) > 0
}

// isSubscribed reports whether a subscription was begun; Redis may not have confirmed it yet.
func (c *projectCache) isSubscribed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endSubscription != nil
}

// observation returns what the node has observed of the project.
func (c *projectCache) observation() observation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.observed
}

// close ends the subscription, and reports whether there was one.
func (c *projectCache) close() (wasSubscribed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endSubscription != nil {
		c.endSubscription()
	}
	return c.endSubscription != nil
}
