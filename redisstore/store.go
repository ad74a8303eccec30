// Package redisstore keeps presence in Redis, for any number of nodes: Redis has the rosters,
// and decides about them by its own clock, in one script for each operation.
//
// The scripts say what roster.go says; see roster.lua. A change wakes the nodes that have to
// do with its project. What a node knows of a project it tells again without asking Redis, for
// as long as it hears wake-ups and for five seconds at most.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/cache"
)

const (
	// callTime is how long an operation may take: less than the five seconds that
	// [presence.Store] promises.
	callTime = 4 * time.Second
	// freshness is how long what is known is told without asking: so old may the last signs
	// of life be that it shows, and what a lost wake-up told of.
	freshness = 5 * time.Second
	// tickTime is how often rooms are looked through for what is due.
	tickTime = 250 * time.Millisecond
	// checkEvery is how often a project is looked at that is watched, for wake-ups that were
	// lost, as often as a page polls; deafEvery is how often where none come.
	checkEvery = presence.DefaultHeartbeat
	deafEvery  = time.Second
	// keepFor is how long a room is kept that nobody uses, mostRooms from how many on one that
	// nobody watches is let go for each that comes, and mostTold of how many more it is known what was told.
	keepFor   = time.Minute
	mostRooms = 20_000
	mostTold  = 100_000
	// looksAtOnce bounds what is under way for those who watch.
	looksAtOnce = 1024
)

// Store is a [presence.Store] on Redis. Its [Store.Run] must be running for those who watch
// to hear of what lapses, and for what is known to be told again.
type Store struct {
	client     rueidis.Client
	pubsub     *pubsub
	sharded    bool // a cluster whose wake-ups go to those nodes only that have the key
	scripts    atomic.Pointer[scripts]
	durability *durability
	lease      time.Duration
	now        func() time.Time

	ctx     context.Context // ends with Run, and with it all that listens
	end     context.CancelFunc
	running sync.WaitGroup
	looks   chan struct{} // as many as go on at once
	probe   *probe

	most  int // rooms; above that, one is let go for each that is kept
	mu    sync.RWMutex
	rooms map[presence.Project]*room
	// told is what was told of rooms that were let go: no version may come again, also if
	// Redis loses them later.
	told cache.Map[presence.Project, told]

	outage outage
	mute   outage             // of subscriptions
	deaf   subscriptionErrors // of subscriptions that do not hear at present
}

// Options of a store; the zero value of each is its default.
type Options struct {
	Lease time.Duration // presence.DefaultLease; the same on all nodes
	// Heartbeat is how far apart the updates of a page are, and for how long people may be
	// missing after Redis lost data: presence.DefaultHeartbeat, or a quarter of a shorter lease.
	// The same on all nodes.
	Heartbeat time.Duration
	// Durability says when a change counts as durable: "none" is never, "aof" once the disk of its
	// server has it, and "wait:N" once N replicas have it. The last two wait up to two seconds for
	// that; renewals do not wait, and are durable unless an earlier change is not known to be. "auto",
	// the default, waits for nothing: changes are durable on a single server that syncs each of them
	// before it answers (appendonly yes, appendfsync always), if the user may run CONFIG GET.
	Durability string
	Log        *slog.Logger // none
}

// Run does what has to be done from time to time until the context ends, and closes the
// store.
func (s *Store) Run(ctx context.Context) error {
	for i := range s.probe.channels {
		s.running.Go(func() {
			c := &s.probe.channels[i]
			s.subscribe(s.ctx, c.name, i, func(yes bool) {
				if yes { // perhaps to another server
					s.running.Go(s.findOut)
				}
			}, func(text string) {
				if c.hear(text) {
					for _, r := range s.held() {
						if s.probe.tellsOf(i, r.shard) {
							r.missed()
						}
					}
				}
			})
		})
	}
	ticker := time.NewTicker(tickTime)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s.tick()
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock() // so that nothing begins to listen any more
	s.end()
	s.mu.Unlock()
	s.running.Wait()
	s.client.Close()
	s.pubsub.client.Close()
	s.durability.close()
	return nil
}

// tick looks at the projects for which it is time, and lets go of those that nobody uses.
func (s *Store) tick() {
	s.sound()
	now, listening := s.now(), 0
	for _, r := range s.held() {
		if r.isListening() {
			listening++
		}
		switch {
		case r.isDue(now):
			select {
			case s.looks <- struct{}{}:
				r.setDue(now.Add(callTime))
				s.running.Go(func() {
					defer func() { <-s.looks }()
					_, known, _ := r.have()
					if _, err := s.look(s.ctx, r, versionOf(known)); err != nil {
						r.wake() // and those who watch will find out, too
					}
				})
			default: // so many go on that it has to wait
			}
		case r.isIdle(now):
			s.close(r, now)
		}
	}
	s.pubsub.sweep(listening)
}

// close lets go of a room, unless somebody came meanwhile.
func (s *Store) close(r *room, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.project] == r && r.isIdle(now) {
		s.letGo(r)
	}
}

// held gives the rooms as they are at this moment.
func (s *Store) held() []*room {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.rooms))
}

// room finds the room of a project, or makes one. One that is not to be kept yet is kept by
// [Store.keep] when Redis turns out to know the project, so that reading projects that do not exist
// costs no memory.
func (s *Store) room(project presence.Project, keep bool) *room {
	s.mu.RLock()
	r := s.rooms[project]
	s.mu.RUnlock()
	if r != nil {
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[project]; r != nil {
		return r
	}
	key := keyOf(project)
	told, _ := s.told.Get(project)
	r = &room{store: s, project: project, key: key, shard: shardOf(key), told: told, watches: map[*watch]struct{}{}, used: s.now()}
	if keep {
		s.rooms[project] = r
	}
	return r
}

// keep keeps a room of a project that exists, if there is none, and drops an unused one where
// there are too many.
func (s *Store) keep(r *room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.project] != nil || len(s.rooms) >= s.most && !s.evict() {
		return
	}
	s.rooms[r.project] = r
}

// evict lets go of the room that was not used for the longest time of a few chosen at random, and
// tells whether there was one that nobody watches. It is called with the lock.
func (s *Store) evict() bool {
	const chosen = 16
	var oldest *room
	var since time.Time
	seen := 0
	for _, r := range s.rooms {
		if used, watched := r.lastUsed(); !watched && (oldest == nil || used.Before(since)) {
			oldest, since = r, used
		}
		if seen++; seen == chosen {
			break
		}
	}
	if oldest == nil {
		return false
	}
	s.letGo(oldest)
	return true
}

// letGo forgets a room but for what was told of it, with the lock.
func (s *Store) letGo(r *room) {
	delete(s.rooms, r.project)
	told, listened := r.deafen()
	s.told.Set(r.project, told)
	if listened {
		s.pubsub.left()
	}
}

// settle keeps the room of a project after an answer about it: with all that is known if there is a
// roster, and otherwise no more than which version was told, if it had one.
func (s *Store) settle(r *room, a *answer) {
	s.mu.RLock()
	kept := s.rooms[r.project]
	s.mu.RUnlock()
	switch {
	case kept == r:
	case kept != nil: // made meanwhile
		kept.observe(a.version)
	case a.lapse != noRoster:
		s.keep(r)
	default:
		if told := r.whatWasTold(); !told.seen.IsZero() {
			s.mu.Lock()
			s.told.Set(r.project, told)
			s.mu.Unlock()
		}
	}
}

// keyOf is the key of a project, and its channel. The braces have a cluster keep together
// what is between them; the length keeps names apart whatever they are made of.
func keyOf(project presence.Project) string {
	return fmt.Sprintf("writer-presence:{%d:%s}", len(project), project)
}

// Update implements [presence.Store].
func (s *Store) Update(ctx context.Context, project presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	r := s.room(project, false)
	floor, known, fresh := r.have()
	if !fresh {
		known = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime) // what a page has said is taken in though it does not wait for the answer
	defer cancel()
	asked := ""
	if u.Poll {
		asked = number(u.Known)
	}
	a, err := s.do(ctx, r, s.scripts.Load().update,
		floor, number(versionOf(known)), field(user.ID), user.Name, u.Session, number(u.Seq), string(u.Section), string(u.Activity),
		flags(user.Visitor, u.UnlessOccupied, u.OnlyRenew), asked, number(u.Connection))
	if err != nil {
		s.failed(r.key)
		return presence.Reply{}, err
	}
	switch a.text(3) {
	case "sessions":
		return presence.Reply{}, presence.ErrTooManySessions
	case "changes":
		return presence.Reply{}, presence.ErrTooManyChanges
	}
	own, err := appendMember(nil, user.ID, a.text(0))
	if err != nil {
		return presence.Reply{}, unavailable(err)
	}
	reply := presence.Reply{Version: a.version, Stale: a.is(2), Partial: a.partial, Durable: s.durable(ctx, r.key, a.number(4))}
	for _, session := range own {
		if session.Session == u.Session {
			reply.Activity = session.Activity
		}
	}
	if len(own) > 0 {
		r.inhabited()
		reply.You = presence.Aggregate(0, own).Occupants[0]
	} else {
		reply.You = presence.NewOccupant(presence.Occupant{User: user, Activity: presence.Viewing, LastSeen: a.now})
	}
	taken, wanted := a.is(1), u.Poll && u.Known != a.version
	if !taken && !wanted {
		return reply, nil
	}
	snapshot := a.snapshot
	if !a.whole {
		snapshot = known
	}
	if versionOf(snapshot) != a.version {
		return presence.Reply{}, unavailable(errLeftOut)
	}
	if taken {
		reply.Conflicts = snapshot.Conflicts(user.ID, u.Section)
	}
	if wanted {
		reply.Snapshot = snapshot
	}
	return reply, nil
}

// Leave implements [presence.Store].
func (s *Store) Leave(ctx context.Context, project presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	r := s.room(project, false)
	floor, _, _ := r.have()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	a, err := s.do(ctx, r, s.scripts.Load().leave,
		floor, field(user.ID), user.Name, l.Session, number(l.Seq), flags(user.Visitor, l.Hidden, l.Broken, l.OnlyLiving), number(l.Connection))
	if err != nil {
		s.failed(r.key)
		return presence.Reply{}, err
	}
	return presence.Reply{Version: a.version, Stale: a.is(0), Durable: s.durable(ctx, r.key, a.number(1))}, nil
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	r := s.room(project, false)
	if snapshot := r.current(); snapshot != nil {
		return snapshot, nil
	}
	s.listenFor(r)
	snapshot, err := s.look(ctx, r, 0)
	if err == nil {
		s.listenFor(r) // where Redis turned out to know the project
	}
	return snapshot, err
}

// FreshSnapshot implements [presence.Store].
func (s *Store) FreshSnapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	return s.look(ctx, s.room(project, false), 0)
}

// Watch implements [presence.Store].
func (s *Store) Watch(project presence.Project, wake func()) (stop func()) {
	w := &watch{wake}
	r := s.room(project, true)
	for !s.listenFor(r, w) { // it was let go of meanwhile
		r = s.room(project, true)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watches, w)
	}
}

// listenFor has wake-ups listened for, for a room, and others watch it, if it is kept.
func (s *Store) listenFor(r *room, watches ...*watch) (kept bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.rooms[r.project] != r {
		return false
	}
	r.listens(watches)
	return true
}

// look asks for all that is visible, unless it is what we have.
func (s *Store) look(ctx context.Context, r *room, have uint64) (*presence.Snapshot, error) {
	floor, _, _ := r.have()
	a, err := s.do(ctx, r, s.scripts.Load().snapshot, floor, number(have))
	if err == nil && a.snapshot == nil && have != a.version {
		err = unavailable(errLeftOut)
	}
	return a.snapshot, err
}

// do runs an operation, and takes in what it answers.
func (s *Store) do(ctx context.Context, r *room, script *rueidis.Lua, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	asked := s.now()
	a, err := readAnswer(script.Exec(ctx, s.client, []string{r.key}, args))
	s.outage.note(err)
	if err != nil {
		return a, unavailable(err)
	}
	lost := r.take(asked, &a)
	s.settle(r, &a)
	if lost {
		// No script was there to wake the others. If this is lost, too, they look in a while.
		s.client.Do(ctx, s.publication(r.key, fmt.Sprintf("%d %d", a.version, presence.Finality.Microseconds())))
	}
	return a, nil
}

var errLeftOut = errors.New("a script left out what it was to give")

// unavailable says that the store does not know, and why.
func unavailable(err error) error { return fmt.Errorf("%w: Redis: %w", presence.ErrUnavailable, err) }

func versionOf(known *presence.Snapshot) uint64 {
	if known == nil {
		return 0
	}
	return known.Version
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// flags are the bits of a number, the first one first.
func flags(bits ...bool) string {
	n := uint64(0)
	for i, bit := range bits {
		if bit {
			n |= 1 << i
		}
	}
	return number(n)
}

// field is where a member is in the hash of a project; see read.lua.
func field(id presence.UserID) string { return "u" + string(id) }
