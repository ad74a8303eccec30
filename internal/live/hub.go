// Package live serves live connections: WebSocket connections over which clients send updates and receive
// snapshots and deltas. docs/reference/protocol.md describes the messages.
//
// A [Hub] holds all connections, and one room for each project that has connections. A change marks the
// room of its project; the room reads the newest snapshot and sends each connection the delta or the snapshot.
package live

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/connlimit"
)

const (
	// helloTimeout is how long a connection may be open before its hello.
	helloTimeout = 10 * time.Second
	// checkEvery is the interval at which the access of a connection is checked. Rule 14 allows 30 s.
	checkEvery = 25 * time.Second
	// pingEvery is the interval at which it is checked whether a connection is alive. It divides checkEvery.
	pingEvery = 5 * time.Second
	// groups is the number of groups into which connections are divided. The groups are checked one after
	// the other, because checking all connections at once would delay messages.
	groups = 100
	// pingGroups is how many ticks of Run there are in pingEvery.
	pingGroups = int(groups * pingEvery / checkEvery)
	// drainTimeout is how long draining waits for connections to end.
	drainTimeout = 10 * time.Second
)

// Hub holds the live connections. Its methods are safe for concurrent use. Run must be running.
type Hub struct {
	access *access.Control
	limits *connlimit.Limits
	rooms  rooms
	began  time.Time

	poller   *poller
	readers  *workers[arrival] // read from connections with incoming bytes
	checkers *workers[*checks]

	mu       sync.Mutex
	conns    [groups][]*conn
	next     int // group of the next connection
	draining bool
	open     sync.WaitGroup
}

// arrival is a connection with incoming bytes, and the first of them.
type arrival struct {
	conn  *conn
	first []byte
}

// New returns a hub without connections.
func New(service *access.Control, limits *connlimit.Limits) *Hub {
	h := &Hub{
		access: service, limits: limits, began: time.Now(), rooms: newRooms(service.Presence, service.Log),
		readers: newWorkers(func(a arrival) { a.conn.read(a.first) }), checkers: newWorkers((*checks).run),
	}
	h.poller = newPoller(func(c *conn) { h.readers.do(arrival{c, nil}) })
	return h
}

// Run pings silent connections and checks the access of all until ctx ends. Then it tells each client when to
// reconnect, and returns when all connections have ended, within ten seconds. Call it once.
func (h *Hub) Run(ctx context.Context) {
	h.readers.start()
	defer h.readers.stop()
	h.poller.allow()
	defer h.poller.stop()
	h.checkers.start()
	defer h.checkers.stop()
	h.rooms.broadcasters.start()
	defer h.rooms.broadcasters.stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { h.access.WatchRemovals(ctx, h.closeRemoved) })
	next := time.NewTimer(untilTick())
	defer next.Stop()
	var conns []*conn
	current := &checks{}
	defer func() { current.cancel() }()
	for group := 0; ctx.Err() == nil; group = (group + 1) % groups {
		select {
		case <-next.C:
			next.Reset(untilTick())
			for range current.left() {
				h.checkers.do(current)
			}
			current = &checks{conns: h.appendGroup(nil, group)}
			h.checkers.do(current)
			conns = conns[:0]
			for i := group % pingGroups; i < groups; i += pingGroups {
				conns = h.appendGroup(conns, i)
			}
			now := h.uptime()
			var silent []*conn // the next tick uses conns again
			for _, c := range conns {
				if c.needsPing(now) {
					silent = append(silent, c)
				}
			}
			go ping(silent)
			clear(conns[:cap(conns)]) // or they would stay in memory once they have ended
		case <-ctx.Done():
		}
	}
	h.drain()
}

// untilTick returns the time until the next tick of Run. Ticks are at multiples of 250 ms of the wall clock, as in
// sqlitestore, so that both wake an idle process at once: waking it costs more than they do.
func untilTick() time.Duration {
	const tick = checkEvery / groups
	now := time.Now()
	return now.Truncate(tick).Add(tick).Sub(now)
}

// Draining reports whether the hub rejects new connections because it is shutting down.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

// uptime is the time since the hub was made. It is monotonic.
func (h *Hub) uptime() time.Duration { return time.Since(h.began) }

// appendGroup appends the connections of a group.
func (h *Hub) appendGroup(conns []*conn, i int) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(conns, h.conns[i]...)
}

// drain tells each client when to reconnect. The times are spread, so that the clients do not reconnect all
// at once.
func (h *Hub) drain() {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	var all []*conn
	for i := range groups {
		all = h.appendGroup(all, i)
	}
	spread := min(time.Second+time.Duration(len(all))*2*time.Millisecond, 20*time.Second)
	for _, c := range all {
		go c.drain(time.Second/2 + rand.N(spread))
	}
	timeout := time.AfterFunc(drainTimeout, func() {
		for _, c := range all {
			c.out.cut()
		}
	})
	defer timeout.Stop()
	h.open.Wait()
	h.rooms.wait()
}

// add registers a connection. It returns false while the hub drains.
func (h *Hub) add(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return false
	}
	h.open.Add(1)
	h.access.Metrics.Live.Inc()
	c.group = int32(h.next)
	h.next = (h.next + 1) % groups
	c.place = int32(len(h.conns[c.group]))
	h.conns[c.group] = append(h.conns[c.group], c)
	return true
}

func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	group := h.conns[c.group]
	last := group[len(group)-1]
	group[c.place], last.place = last, c.place
	h.conns[c.group] = slices.Delete(group, len(group)-1, len(group))
	h.access.Metrics.Live.Dec()
	h.open.Done()
}

// recoverAndLog must be deferred. It logs a panic, which would otherwise end the process.
func recoverAndLog(log *slog.Logger) {
	if cause := recover(); cause != nil {
		log.Error("a goroutine of package live panicked", "cause", cause, "stack", string(debug.Stack()))
	}
}
