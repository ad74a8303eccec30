package live

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// maxBatchTime is how long a room waits after a broadcast for further changes, to send them together. It waits less
	// if the broadcast took less than a quarter of that: see pauseAfter.
	maxBatchTime = 50 * time.Millisecond
	// maxUserConnections is how many connections one user has in one project: twice the number of
	// sessions, because a broken connection is noticed late.
	maxUserConnections = 2 * presence.MaxSessions
	// retryTime is how long a room waits before it asks a store again that was unavailable.
	retryTime = time.Second
)

// rooms holds one room for each project that has live connections.
//
// While rooms.mu or Hub.mu is held no other lock is taken and no store is called, so that one room's work
// delays no other. The other locks are taken in this order: those of a store, room.mu, conn.mu. A store calls
// room.mark while it holds the lock of a project, so no store is called while room.mu or conn.mu is held.
type rooms struct {
	service      *presence.Service
	log          *slog.Logger
	broadcasters *workers[*room]
	running      sync.WaitGroup // rooms that broadcast

	mu sync.Mutex
	of map[presence.Project]*room
}

// room is the set of live connections of one project. It is level-triggered: a change marks it, then it
// reads the newest snapshot and broadcasts what is new. There is no queue of changes.
type room struct {
	rooms   *rooms
	project presence.Project
	holders int       // connections that have reserved a place; guarded by rooms.mu
	watch   sync.Once // sets stop
	stop    func()    // ends watching the store

	mu      sync.Mutex
	conns   map[*conn]struct{}
	places  map[presence.UserID]int // places that each user has reserved
	current *state                  // nil before the first broadcast
	marked  bool
	running bool
	wanted  uint64 // newest version that a client reported since the last read

	next time.Time // earliest time of the next broadcast; used by run only
}

// state is the newest snapshot of a project, with the delta from the one before. It never changes.
type state struct {
	version  uint64
	snapshot *presence.Snapshot // nil while the store is unavailable
	before   *presence.Snapshot // that the delta starts from; nil if there is no delta
	frames   *frames            // a pointer, because broadcast copies a state to change asked
	// asked is the oldest version that was acceptable when the snapshot was read. A client that reports a
	// newer one is not sent this state.
	asked uint64
}

// frames are those of a state. Each is encoded once, when a connection first needs it.
type frames struct{ whole, delta frame }

// frame is a text frame that is encoded once. It is safe for concurrent use.
type frame struct {
	once  sync.Once
	bytes []byte
}

// get returns the frame. The first call encodes it.
func (f *frame) get(appendMessage func([]byte) []byte) []byte {
	f.once.Do(func() { f.bytes = textFrame(appendMessage) })
	if f.bytes == nil {
		panic("encoding this frame has panicked before") // for the log: without a frame a connection would wait silently
	}
	return f.bytes
}

// unavailable is the version of a state while the store is unavailable. No snapshot has it.
const unavailable = math.MaxUint64

func newState(before *state, snapshot *presence.Snapshot) *state {
	s := &state{version: snapshot.Version, snapshot: snapshot, frames: &frames{}}
	// A delta has no field partial, so a change of partial is sent as a snapshot.
	if before != nil && before.snapshot != nil && before.snapshot.Partial == snapshot.Partial {
		s.before = before.snapshot
	}
	return s
}

func newUnavailable(err error) *state {
	return &state{version: unavailable, frames: &frames{whole: frame{bytes: errorFrame(err, 0)}}}
}

// frame returns the frame for a client that has a version: the delta if it starts there, otherwise the whole.
// It counts the frame.
func (s *state) frame(have uint64, m *metrics.HTTP) []byte {
	switch {
	case s.version == unavailable:
		m.Failure("unavailable")
		return s.frames.whole.bytes
	case s.before != nil && have == s.before.Version:
		m.Deltas.Inc()
		return s.frames.delta.get(func(b []byte) []byte { return wire.AppendDelta(b, s.before, s.snapshot) })
	}
	m.Snapshots.Inc()
	return s.frames.whole.get(func(b []byte) []byte { return wire.AppendSnapshot(b, s.snapshot) })
}

func newRooms(s *presence.Service, log *slog.Logger) rooms {
	return rooms{service: s, log: log, broadcasters: newWorkers((*room).run), of: map[presence.Project]*room{}}
}

// reserve reserves a place in the room of a project for a connection of the user, and returns the room, or
// nil if the user has maxUserConnections there. The room sends nothing to the connection before join. leave
// releases the place, whether join was called or not.
func (r *rooms) reserve(project presence.Project, user presence.UserID) *room {
	r.mu.Lock()
	room, ok := r.of[project]
	if !ok {
		room = newRoom(r, project)
		r.of[project] = room
	}
	room.holders++
	r.mu.Unlock()
	room.watch.Do(func() { room.stop = r.service.Watch(project, room.mark) })
	if !room.reserve(user) {
		r.release(room)
		return nil
	}
	return room
}

// release removes a holder of a room. Without holders the room is dropped.
func (r *rooms) release(room *room) {
	r.mu.Lock()
	room.holders--
	last := room.holders == 0
	if last {
		delete(r.of, room.project)
	}
	r.mu.Unlock()
	if last {
		room.stop()
	}
}

// wait returns when no broadcast is running. All connections must have left.
func (r *rooms) wait() { r.running.Wait() }

func newRoom(r *rooms, project presence.Project) *room {
	return &room{rooms: r, project: project, conns: map[*conn]struct{}{}, places: map[presence.UserID]int{}}
}

func (r *room) reserve(user presence.UserID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places[user] >= maxUserConnections {
		return false
	}
	r.places[user]++
	return true
}

// join adds a connection with a reserved place. The room sends it the current snapshot unless it has it.
func (r *room) join(c *conn) {
	r.mu.Lock()
	r.conns[c] = struct{}{}
	current := r.current
	r.mu.Unlock()
	if current != nil && current.version == unavailable {
		c.send(current) // at once, not only after the next read
	}
	r.mark()
}

// leave removes a connection and releases its place.
func (r *room) leave(c *conn, user presence.UserID) {
	r.mu.Lock()
	delete(r.conns, c)
	if r.places[user]--; r.places[user] == 0 {
		delete(r.places, user)
	}
	r.mu.Unlock()
	r.rooms.release(r)
}

// mark makes the room read the newest snapshot soon. It is called when the project may have changed.
func (r *room) mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marked = true
	if !r.running {
		r.running = true
		r.rooms.running.Add(1)
		r.rooms.broadcasters.do(r)
	}
}

// markSince is mark for a client that reports a version. This process may not have read that version yet.
func (r *room) markSince(version uint64) {
	r.mu.Lock()
	r.wanted = max(r.wanted, version)
	r.mu.Unlock()
	r.mark()
}

// run broadcasts while the room is marked: the first change at once, then those of each pause together.
func (r *room) run() {
	defer r.rooms.running.Done()
	for r.takeMark() {
		time.Sleep(time.Until(r.next))
		began := time.Now()
		ok := r.broadcast()
		ended := time.Now()
		pause := pauseAfter(ended.Sub(began))
		if !ok {
			pause = retryTime
			r.mark()
		}
		r.next = ended.Add(pause)
	}
}

// pauseAfter returns how long a room waits after a broadcast that took some time. It grows with the number of
// connections, and with the load of the process, and is less than a millisecond in a small room.
func pauseAfter(took time.Duration) time.Duration { return min(4*took, maxBatchTime) }

func (r *room) takeWanted() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := r.wanted
	r.wanted = 0
	return wanted
}

func (r *room) takeMark() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = r.marked && len(r.conns) > 0
	r.marked = false
	if !r.running && r.current != nil && r.current.snapshot != nil {
		r.current = newState(nil, r.current.snapshot) // frees the encoded frames
	}
	return r.running
}

// broadcast reads the newest snapshot and sends it to all connections. It returns false if the store is
// unavailable.
func (r *room) broadcast() (ok bool) {
	defer recoverAndLog(r.rooms.log)
	wanted := r.takeWanted()
	snapshot, err := r.rooms.service.SnapshotSince(context.Background(), r.project, wanted)

	r.mu.Lock()
	switch {
	case err != nil:
		r.wanted = max(r.wanted, wanted)
		if r.current == nil || r.current.version != unavailable {
			r.rooms.log.Error("could not read a snapshot for live connections; their pages show that presence is unknown", "project", r.project, "error", err)
			r.current = newUnavailable(err)
		}
	case r.current == nil || r.current.version != snapshot.Version:
		r.current = newState(r.current, snapshot)
		r.current.asked = wanted
	case wanted > r.current.asked:
		again := *r.current
		again.asked = wanted
		r.current = &again
	}
	current := r.current
	conns := slices.AppendSeq(make([]*conn, 0, len(r.conns)), maps.Keys(r.conns))
	r.mu.Unlock() // before sending, so that marking does not wait for it
	if err == nil {
		closeRemoved(snapshot, conns)
	}
	for _, c := range conns {
		c.send(current)
	}
	return err == nil
}

// closeRemoved closes the connections of users whom the host removed from the project after their hello.
func closeRemoved(snapshot *presence.Snapshot, conns []*conn) {
	if len(snapshot.Removals) == 0 {
		return
	}
	newest := snapshot.Removals[len(snapshot.Removals)-1].Version
	for _, c := range conns {
		if c.since >= newest {
			continue
		}
		if user := c.identified().ID; snapshot.RemovedSince(c.since, user) {
			go c.closeRemoved(access.Removed(snapshot, user))
		}
		c.since = newest
	}
}
