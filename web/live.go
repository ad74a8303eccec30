package web

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// subprotocol names docs/reference/protocol.md.
	subprotocol = "writer-presence.v1"
	maxMessage  = maxBody
	// helloTime is how long a connection may be open without saying whose it is.
	helloTime = 10 * time.Second
	// turnEvery is how far apart the turns of a connection are: when it is pinged, and when
	// it is asked again whether its user may. Less than the 30 s of rule 14.
	turnEvery = 25 * time.Second
	// turns are how many groups the connections have their turns in, one after the other:
	// a burst of pings would delay everybody else.
	turns = 250
	// closeTime is how long a last word may take.
	closeTime = time.Second
	// hearers are how many goroutines wait for messages. Their stacks have grown, as that of
	// a new goroutine would have to for each; where there are too few, there are new ones.
	hearers = 64
	// renewTime is how long before it is good no longer a token is to be renewed: of one with
	// a minute's leeway, a minute before its end.
	renewTime = 2 * time.Minute
	// gateTime is for a gate to say whether somebody may; a store keeps its own time.
	gateTime = 5 * time.Second
	// mostPings is how many pings and pongs of a client are read between two turns.
	mostPings = 100
)

// live holds the live connections, and what they are told.
type live struct {
	*Handler
	feeds feeds
	began time.Time

	// heard takes what came on a connection to one of the hearers that wait for it.
	heard chan heard

	mu     sync.Mutex
	conns  [turns]map[*liveConn]struct{}
	next   int // the group that the next connection comes into
	ending bool
	open   sync.WaitGroup
}

func newLive(s *Handler) *live {
	return &live{Handler: s, began: time.Now(), feeds: newFeeds(s.Tracker, s.Log), heard: make(chan heard)}
}

// Run sees to the live connections until the context ends: pings them, and asks again
// whether their users may. Then it tells each that it goes away, and returns when they
// have gone, within ten seconds.
func (s *Handler) Run(ctx context.Context) { s.live.run(ctx) }

func (l *live) run(ctx context.Context) {
	var hearing sync.WaitGroup
	for range hearers {
		hearing.Go(l.hear)
	}
	tick := time.NewTicker(turnEvery / turns)
	defer tick.Stop()
	for group := 0; ctx.Err() == nil; group = (group + 1) % turns {
		select {
		case <-tick.C:
			for _, c := range l.group(group) {
				go c.turn()
			}
		case <-ctx.Done():
		}
	}
	l.drain()
	close(l.heard)
	hearing.Wait()
}

// heard is a connection on which something has come, which began with these bytes.
type heard struct {
	on    *liveConn
	began []byte
}

func (l *live) hear() {
	for h := range l.heard {
		h.on.hear(h.began)
	}
}

// notEverything keeps what breaks in a goroutine from ending the process, as it does not
// where a request breaks.
func notEverything(log *slog.Logger) {
	if cause := recover(); cause != nil {
		log.Error("something broke beside the live connections", "cause", cause, "stack", string(debug.Stack()))
	}
}

// uptime is a clock that nobody sets.
func (l *live) uptime() time.Duration { return time.Since(l.began) }

func (l *live) group(i int) []*liveConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*liveConn, 0, len(l.conns[i]))
	for c := range l.conns[i] {
		conns = append(conns, c)
	}
	return conns
}

// drain tells every connection when to come back: spread out, so that whoever serves them
// next is not met by all at once.
func (l *live) drain() {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	var all []*liveConn
	for i := range turns {
		all = append(all, l.group(i)...)
	}
	spread := min(time.Second+time.Duration(len(all))*2*time.Millisecond, 20*time.Second)
	for _, c := range all {
		go c.drain(time.Second/2 + rand.N(spread))
	}
	gone := make(chan struct{})
	go func() {
		l.open.Wait()
		close(gone)
	}()
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
		for _, c := range all {
			c.conn.cut()
		}
		<-gone
	}
	l.feeds.end()
}

// enter counts a connection in, unless there is to be an end.
func (l *live) enter(c *liveConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return false
	}
	l.open.Add(1)
	l.Counts.Live.Add(1)
	c.group = l.next
	l.next = (l.next + 1) % turns
	if l.conns[c.group] == nil {
		l.conns[c.group] = map[*liveConn]struct{}{}
	}
	l.conns[c.group][c] = struct{}{}
	return true
}

func (l *live) forget(c *liveConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns[c.group], c)
	l.Counts.Live.Add(-1)
	l.open.Done()
}
