package redisstore

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// room is what this node knows of a project that it has to do with.
type room struct {
	store   *Store
	project presence.Project
	key     string
	shard   int // in which the key is

	mu      sync.Mutex
	watches map[*watch]struct{}
	known   *known // the newest; nil at first
	told    told
	// heard says that wake-ups come, since a moment: what was asked after that and is known
	// is what there is.
	heard  bool
	since  time.Time
	listen context.CancelFunc // nil if nobody listens for wake-ups
	used   time.Time
	due    time.Time // to look for those who watch
}

// told is the highest version that this node has shown or heard of.
type told struct {
	version uint64
	missing bool // there was no roster then
	// seen is when the node last saw a roster, and people whether somebody was in it.
	seen   time.Time
	people bool
}

// floor is the version as scripts take it; see read.lua. Where a roster was seen lately, a
// missing one means that Redis lost it. Later it may have expired, which it does two leases after
// the last read at the soonest, and [presence.Finality] after the last person.
func (t told) floor(now time.Time, lease time.Duration) string {
	certain := lease
	if t.people {
		certain = presence.Finality
	}
	if t.missing || t.version > 0 && now.Sub(t.seen) >= certain {
		return "-" + number(t.version)
	}
	return number(t.version)
}

// watch is somebody who wants to be woken.
type watch struct{ wake func() }

// known is a snapshot, and until when it can be told without asking.
type known struct {
	snapshot *presence.Snapshot
	until    time.Time
}

// learn takes in, with the lock, that a version is there, and wakes who watches if that is
// news.
func (r *room) learn(version uint64) {
	if version > r.told.version {
		r.told.version, r.told.missing = version, false
		r.wakeAll()
	}
}

// wakeAll is called with the lock.
func (r *room) wakeAll() {
	for w := range r.watches {
		w.wake()
	}
}

// wake has those who watch look.
func (r *room) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeAll()
}

// take takes in what was answered at a moment of this node, and completes it with the
// snapshot. It tells whether Redis no longer has what it had.
func (r *room) take(asked time.Time, a *answer) (lost bool) {
	hears := r.store.probe.hears(r.shard)
	if a.whole {
		a.snapshot = presence.Aggregate(a.version, a.living)
		a.snapshot.Partial, a.snapshot.Loss = a.partial, a.loss
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.whole {
		lost = a.lapse == noRoster && r.known != nil && r.known.snapshot.Count > 0
		if r.known == nil || a.version >= r.known.snapshot.Version {
			r.known = &known{snapshot: a.snapshot, until: asked.Add(freshness)}
		}
		if asked.Before(r.since) {
			r.known.until = r.since
		}
	}
	r.due = asked.Add(checkEvery)
	switch {
	case asked.Before(r.since):
		r.due = r.since
	case !r.heard || !hears:
		r.due = asked.Add(deafEvery)
	}
	r.lapses(a.lapse, asked)
	r.learn(a.version)
	if a.version == r.told.version {
		r.told.missing = a.lapse == noRoster
	}
	if a.lapse != noRoster && asked.After(r.told.seen) {
		r.told.seen = asked
		if a.whole {
			r.told.people = len(a.living) > 0
		}
	}
	return lost
}

// inhabited notes that somebody was there just now.
func (r *room) inhabited() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.people = true
}

// lapses takes in, with the lock, in how long from a moment somebody lapses, at the soonest.
func (r *room) lapses(in time.Duration, from time.Time) {
	if in == noRoster {
		return
	}
	lapse := from.Add(in + time.Millisecond)
	if lapse.Before(r.due) {
		r.due = lapse
	}
	if r.known != nil && lapse.Before(r.known.until) {
		r.known.until = lapse
	}
}

// have is what to tell the scripts: the version below which nothing can be, as they take it, the
// snapshot that is known, and whether it may be told, or has signs of life that are too old.
func (r *room) have() (floor string, known *presence.Snapshot, fresh bool) {
	now := r.store.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = now
	if r.known != nil {
		known, fresh = r.known.snapshot, now.Before(r.known.until)
	}
	return r.told.floor(now, r.store.lease), known, fresh
}

// current gives what is known if that is all that there is, as far as anybody can tell
// without asking.
func (r *room) current() *presence.Snapshot {
	now, hears := r.store.now(), r.store.probe.hears(r.shard)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = now
	if r.known == nil || !r.heard || !hears || r.known.snapshot.Version < r.told.version || !now.Before(r.known.until) {
		return nil
	}
	return r.known.snapshot
}

// listens sees to it that wake-ups are listened for, and passed on to those who watch.
func (r *room) listens(watches []*watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range watches {
		r.watches[w] = struct{}{}
	}
	if r.listen != nil || r.store.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.store.ctx)
	r.listen = cancel
	r.store.running.Go(func() { r.store.subscribe(ctx, r.key, r.shard, r.hears, r.wokenBy) })
}

// hears takes in whether wake-ups come. What happened before they did may be news, and an
// answer that is on its way may not have it.
func (r *room) hears(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = yes
	r.askAnew()
}

// missed takes in that wake-ups come, and that some may not have come.
func (r *room) missed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.askAnew()
}

// askAnew has what is known count for nothing, with the lock.
func (r *room) askAnew() {
	r.since, r.due = r.store.now(), time.Time{}
	if r.known != nil {
		r.known.until = time.Time{}
	}
}

// wokenBy takes in what a script published: a version, and in how many microseconds
// somebody lapses.
func (r *room) wokenBy(message string) {
	text, rest, _ := strings.Cut(message, " ")
	version, err := strconv.ParseUint(text, 10, 64)
	lapse, failed := strconv.ParseInt(rest, 10, 64)
	if err != nil || failed != nil {
		return
	}
	now := r.store.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lapses(time.Duration(lapse)*time.Microsecond, now)
	r.learn(version)
	r.told.seen = now
}

// people counts those who are there, as far as is known.
func (r *room) people() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		return 0
	}
	return r.known.snapshot.Count
}

// isDue tells whether it is time to look for those who watch.
func (r *room) isDue(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.watches) > 0 && !now.Before(r.due)
}

func (r *room) setDue(due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due = due
}

// observe takes in that a version is there.
func (r *room) observe(version uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learn(version)
}

// lastUsed gives when the room was last used, and whether somebody watches it.
func (r *room) lastUsed() (used time.Time, watched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used, len(r.watches) > 0
}

func (r *room) whatWasTold() told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// isIdle tells that nobody watches, and nobody has used the room for a while.
func (r *room) isIdle(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.watches) == 0 && now.Sub(r.used) >= keepFor
}

// deafen ends what listens began, and gives what was told and whether the room listened.
func (r *room) deafen() (told told, listened bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listen != nil {
		r.listen()
	}
	return r.told, r.listen != nil
}

// isListening tells whether the room subscribes to wake-ups.
func (r *room) isListening() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listen != nil
}
