// Package redisstore is a [presence.Store] on Redis, for any number of nodes. Redis holds the rosters,
// and each operation is one Lua script, which decides by Redis's clock.
//
//	store, err := redisstore.Open(ctx, "redis://127.0.0.1:6379/0", redisstore.Options{})
//	// …
//	go func() { stored <- store.Run(ctx) }() // returns after ctx ends; check its error
//	service := presence.NewService(store)
//
// The scripts follow roster.go; see roster.lua. A script that changes a project publishes the new
// version on the project's channel, which wakes the other nodes. Each node caches the projects that it
// uses. It returns them without asking Redis while it receives those wake-ups, and for five seconds at
// most (ADR 11).
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/cache"
)

const (
	// callTimeout bounds an operation. It is less than the five seconds that [presence.Store] allows.
	callTimeout = 4 * time.Second
	// maxCacheAge is how long a snapshot is returned without asking Redis. Its last_seen times may be
	// this old, and so may a change whose wake-up was lost.
	maxCacheAge = 5 * time.Second
)

// errNotOpen is the error of the zero Store.
var errNotOpen = fmt.Errorf("%w: this store is not open; create it with redisstore.Open", presence.ErrUnavailable)

// Store is a [presence.Store] on Redis, created by [Open]. [Store.Run] must be running: without it, nothing
// is returned from the cache, and watchers are not woken. The methods of the zero Store return
// [presence.ErrUnavailable]. It is safe for concurrent use.
type Store struct {
	client     rueidis.Client
	pubsub     *pubsub
	sharded    bool // a cluster with sharded pub/sub: each master passes on the messages of its own slots
	scripts    atomic.Pointer[scripts]
	durability *durability
	lease      time.Duration
	now        func() time.Time
	probe      *probe

	ctx       context.Context // of all background work; ends with Run
	cancel    context.CancelFunc
	running   sync.WaitGroup
	refreshes chan struct{} // holds one element for each refresh that is running

	maxProjects int
	mu          sync.RWMutex
	projects    map[presence.Project]*projectCache
	// evicted has the observations of projects that are no longer cached: a version must not be used
	// twice, even if Redis loses the project.
	evicted cache.Map[presence.Project, observation]

	changed atomic.Pointer[func(presence.Project)] // see [Store.NotifyChanges]

	outage             outage
	subscriptionOutage outage
	subscriptionErrors subscriptionErrors
}

// Options configure a store. The zero value of each field selects its default.
type Options struct {
	// Lease is how long a session outlives its last update; the default is [presence.DefaultLease]. All
	// nodes must use the same.
	Lease time.Duration
	// Heartbeat is the time between the updates of a page, and how long lists are marked as partial
	// after Redis lost data. The default is [presence.DefaultHeartbeat], or a quarter of a shorter lease.
	// All nodes must use the same.
	Heartbeat time.Duration
	// Durability is when a change counts as durable:
	//
	//	auto    (default) at once, on a single server that syncs each change before it answers
	//	        (appendonly yes, appendfsync always), if the user may run CONFIG GET; otherwise never
	//	none    never
	//	aof     once the server's disk has it
	//	wait:N  once N replicas have it
	//
	// With aof and wait:N, a change waits for that for up to two seconds. Renewals do not wait; they are
	// durable unless an earlier change is not known to be.
	Durability string
	// Log receives errors of Redis, at most one line a minute for each kind; the default discards them.
	Log *slog.Logger
}

// Update implements [presence.Store].
func (s *Store) Update(ctx context.Context, project presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	if s.client == nil {
		return presence.Reply{}, errNotOpen
	}
	c := s.project(project, false)
	floor, cached, fresh := c.state()
	if !fresh {
		cached = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout) // applied even if the caller stops waiting
	defer cancel()
	a, err := s.call(ctx, c, s.scripts.Load().update, updateArgs(floor, cached, user, u)...)
	if err != nil {
		s.noteFailure(c.key)
		return presence.Reply{}, err
	}
	switch a.text(3) {
	case "sessions":
		return presence.Reply{}, presence.ErrTooManySessions
	case "changes":
		return presence.Reply{}, presence.ErrTooManyChanges
	case "removed":
		return presence.Reply{}, &presence.RemovedError{After: time.Duration(a.number(4)) * time.Microsecond}
	}
	own, err := appendMember(nil, user.ID, a.text(0))
	if err != nil {
		return presence.Reply{}, unavailable(err)
	}
	reply := presence.Reply{Version: a.version, Stale: a.is(2), Partial: a.partial, Durable: s.durable(ctx, c.key, a.number(4))}
	for _, session := range own {
		if session.Session == u.Session {
			reply.Activity = session.Activity
		}
	}
	if len(own) > 0 {
		c.setOccupied()
		reply.You = presence.Aggregate(0, own, nil).Occupants[0]
	} else {
		reply.You = &presence.Occupant{User: user, Activity: presence.Viewing, LastSeen: a.now}
	}
	conflicts, wanted := a.is(1), u.Poll && u.Known != a.version
	if !conflicts && !wanted {
		return reply, nil
	}
	snapshot := a.snapshot
	if !a.complete {
		snapshot = cached
	}
	if versionOf(snapshot) != a.version {
		return presence.Reply{}, unavailable(errIncomplete)
	}
	if conflicts {
		reply.Conflicts = snapshot.Conflicts(user.ID, presence.Section(a.text(5)))
	}
	if wanted {
		reply.Snapshot = snapshot
	}
	return reply, nil
}

// updateArgs returns the arguments of the script; see update_args.lua. Cached is the snapshot that the node
// has, nil for none.
func updateArgs(floor string, cached *presence.Snapshot, user presence.User, u presence.Update) []string {
	args := append(make([]string, 0, 16),
		floor, number(versionOf(cached)), memberField(user.ID), user.Name, u.Session, number(u.Seq), string(u.Section), string(u.Activity),
		flags(user.Visitor, u.UnlessOccupied, u.OnlyRenew, u.Unsaved, user.Agent, u.Poll), number(u.Known), number(u.Connection))
	if u.WaitingFor != "" || user.AvatarURL != "" || u.Saved != (presence.Saved{}) || u.Lease > 0 {
		args = append(args, string(u.WaitingFor), user.AvatarURL, string(u.Saved.Section), u.Saved.Revision, number(uint64(max(u.Lease, 0).Microseconds())))
	}
	return args
}

// Leave implements [presence.Store].
func (s *Store) Leave(ctx context.Context, project presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	if s.client == nil {
		return presence.Reply{}, errNotOpen
	}
	c := s.project(project, false)
	floor, _, _ := c.state()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	a, err := s.call(ctx, c, s.scripts.Load().leave,
		floor, memberField(user.ID), user.Name, l.Session, number(l.Seq), flags(user.Visitor, l.Hidden, l.Broken, l.OnlyLiving), number(l.Connection))
	if err != nil {
		s.noteFailure(c.key)
		return presence.Reply{}, err
	}
	return presence.Reply{Version: a.version, Stale: a.is(0), Durable: s.durable(ctx, c.key, a.number(1))}, nil
}

// Move implements [presence.Store].
func (s *Store) Move(ctx context.Context, project presence.Project, from, to presence.Section) (presence.Reply, error) {
	if s.client == nil {
		return presence.Reply{}, errNotOpen
	}
	return s.record(ctx, s.project(project, false), s.scripts.Load().move, string(from), string(to))
}

// Save implements [presence.Store].
func (s *Store) Save(ctx context.Context, project presence.Project, user presence.User, saved presence.Saved) (presence.Reply, error) {
	if s.client == nil {
		return presence.Reply{}, errNotOpen
	}
	c := s.project(project, false)
	reply, err := s.record(ctx, c, s.scripts.Load().save, string(user.ID), user.Name, string(saved.Section), saved.Revision)
	if err == nil {
		c.setOccupied()
	}
	return reply, err
}

// Remove implements [presence.Store].
func (s *Store) Remove(ctx context.Context, project presence.Project, removal presence.Removal) (presence.Reply, error) {
	if s.client == nil {
		return presence.Reply{}, errNotOpen
	}
	c := s.project(project, false)
	floor, _, _ := c.state()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	a, err := s.call(ctx, c, s.scripts.Load().remove, floor, string(removal.User), strconv.FormatInt(max(0, removal.Until.UnixMicro()), 10))
	if err != nil {
		s.noteFailure(c.key)
		return presence.Reply{}, err
	}
	if a.is(0) {
		return presence.Reply{}, presence.ErrTooManyRemovals
	}
	return presence.Reply{Version: a.version, Durable: s.durable(ctx, c.key, a.number(1))}, nil
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	if s.client == nil {
		return nil, errNotOpen
	}
	c := s.project(project, false)
	if snapshot := c.current(); snapshot != nil {
		return snapshot, nil
	}
	s.subscribeTo(c)
	snapshot, err := s.readSnapshot(ctx, c, 0)
	if err == nil {
		s.subscribeTo(c) // again: the answer may have added the project to the cache
	}
	return snapshot, err
}

// FreshSnapshot implements [presence.Store].
func (s *Store) FreshSnapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	if s.client == nil {
		return nil, errNotOpen
	}
	return s.readSnapshot(ctx, s.project(project, false), 0)
}

// Sessions implements [presence.Store].
func (s *Store) Sessions(ctx context.Context, project presence.Project) (*presence.Snapshot, []presence.Record, error) {
	if s.client == nil {
		return nil, nil, errNotOpen
	}
	c := s.project(project, false)
	floor, _, _ := c.state()
	a, err := s.call(ctx, c, s.scripts.Load().snapshot, floor, number(0))
	if err == nil && a.snapshot == nil {
		err = unavailable(errIncomplete)
	}
	return a.snapshot, a.records, err
}

// Watch implements [presence.Store].
func (s *Store) Watch(project presence.Project, wake func()) (stop func()) {
	if s.client == nil {
		return func() {}
	}
	w := &watch{wake}
	c := s.project(project, true)
	for !s.subscribeTo(c, w) { // evicted meanwhile
		c = s.project(project, true)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watches, w)
	}
}

// record runs the script of a change that the host makes; see section_move.lua and save_call.lua.
func (s *Store) record(ctx context.Context, c *projectCache, script *rueidis.Lua, args ...string) (presence.Reply, error) {
	floor, _, _ := c.state()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	a, err := s.call(ctx, c, script, append([]string{floor}, args...)...)
	switch {
	case err != nil:
		s.noteFailure(c.key)
		return presence.Reply{}, err
	case a.is(1):
		return presence.Reply{}, presence.ErrSectionTooLong
	}
	return presence.Reply{Version: a.version, Durable: s.durable(ctx, c.key, a.number(0))}, nil
}

// subscribeTo subscribes to the wake-ups of a project and adds watchers, if the project is cached.
func (s *Store) subscribeTo(c *projectCache, watches ...*watch) (cached bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.projects[c.project] != c {
		return false
	}
	c.subscribe(watches)
	return true
}

// readSnapshot asks Redis for the snapshot of a project. It returns nil if its version is still known, the one
// that the caller has; 0 stands for none.
func (s *Store) readSnapshot(ctx context.Context, c *projectCache, known uint64) (*presence.Snapshot, error) {
	floor, _, _ := c.state()
	a, err := s.call(ctx, c, s.scripts.Load().snapshot, floor, number(known))
	if err == nil && a.snapshot == nil && known != a.version {
		err = unavailable(errIncomplete)
	}
	return a.snapshot, err
}

// call runs a script on a project, and applies the answer to the project's cache.
func (s *Store) call(ctx context.Context, c *projectCache, script *rueidis.Lua, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := s.now()
	a, err := readAnswer(script.Exec(ctx, s.client, []string{c.key}, args))
	s.outage.note(err)
	if err != nil {
		return a, unavailable(err)
	}
	lost := c.apply(began, &a)
	s.settle(c, &a)
	if lost {
		// The script found no roster and published nothing, so the node wakes the others itself. If this
		// message is lost too, they notice within a refreshInterval.
		s.client.Do(ctx, s.publication(c.key, fmt.Sprintf("%d %d", a.version, presence.Finality.Microseconds())))
	}
	return a, nil
}

var errIncomplete = errors.New("a script left out the snapshot that was due")

// unavailable wraps an error of Redis in [presence.ErrUnavailable].
func unavailable(err error) error { return fmt.Errorf("%w: Redis: %w", presence.ErrUnavailable, err) }

func versionOf(snapshot *presence.Snapshot) uint64 {
	if snapshot == nil {
		return 0
	}
	return snapshot.Version
}
