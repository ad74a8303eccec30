package httpserver

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writer-presence/writer-presence/internal/netio"
)

// Each phase of an HTTP connection has a timeout, so that slow clients do not hold connections. A
// request begins with its first byte; the first request of a connection begins when Accept returns it.
const (
	// readTimeout is the timeout for reading a request, header and body together.
	readTimeout = 5 * time.Second
	// answerTimeout is the default of Options.AnswerTimeout. It is longer than readTimeout, so that the answer to a
	// slow body (408) can still be sent. While the answer is being written, netio.StallTimeout and netio.WriteTimeout
	// hold instead.
	answerTimeout = readTimeout + 5*time.Second
	// idleTimeout is the timeout between two requests.
	idleTimeout = 2 * time.Minute
	// firstByteTimeout is the timeout for the first byte of a connection's first request while the server ends. Browsers
	// open connections before they have a request, and those would hold up a restart until readTimeout.
	firstByteTimeout = time.Second
	// sweepEvery is the interval of the sweeps, and how late a timeout may be.
	sweepEvery = 250 * time.Millisecond
)

// listener is a net.Listener that bounds the number of open connections and enforces the timeouts of their
// phases. One goroutine sweeps all connections every sweepEvery while there are any, and time is counted in sweeps:
// deadlines of net/http would reset a runtime timer several times for each request, which costs more than all that
// presence does for a heartbeat.
type listener struct {
	net.Listener
	o   Options
	now atomic.Int64 // number of sweeps so far
	// last is the sweep that cuts off the answers that are still being written at the end; 0 before the end.
	last atomic.Int64
	// places holds one value for each open connection; its capacity is the limit. Nil is no limit.
	places chan struct{}
	// rejections holds one value for each connection that is being rejected.
	rejections chan struct{}
	rejecting  sync.WaitGroup
	ended      chan struct{} // closed by Close
	end        sync.Once

	mu    sync.Mutex // held only for short operations that do not wait for a client
	conns map[*Conn]struct{}
	begun chan struct{} // holds an element when conns may not be empty any more
	// isEmpty is closed when conns is empty; nil before the call of empty.
	isEmpty chan struct{}
}

func newListener(l net.Listener, o Options) *listener {
	o.AnswerTimeout = cmp.Or(o.AnswerTimeout, answerTimeout)
	p := &listener{
		Listener: l, o: o, rejections: make(chan struct{}, maxRejections), ended: make(chan struct{}), conns: map[*Conn]struct{}{},
		begun: make(chan struct{}, 1),
	}
	if o.Connections > 0 {
		p.places = make(chan struct{}, o.Connections)
	}
	return p
}

// run sweeps until the context ends.
func (l *listener) run(ctx context.Context) {
	for {
		select {
		case <-l.begun:
			l.sweepWhileOpen(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// sweepWhileOpen sweeps every sweepEvery while there are connections: a process whose connections are all live ones need
// not wake up for this.
func (l *listener) sweepWhileOpen(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for l.isOpen() {
		select {
		case <-tick.C:
			l.sweep()
		case <-ctx.Done():
			return
		}
	}
}

func (l *listener) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) > 0
}

// sweep applies the timeouts to every connection. It interrupts a write without progress, and
// Write decides whether to go on, since the client may have taken a part of it. It closes
// connections in goroutines of their own: closing TLS blocks for up to 5 s when the client does
// not read.
func (l *listener) sweep() {
	for _, c := range l.takeOverdue() {
		go c.close()
	}
}

// takeOverdue removes the connections that have to be closed now, and returns them. It sets the
// deadlines of the others.
func (l *listener) takeOverdue() (overdue []*Conn) {
	now := l.now.Add(1)
	last := l.last.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		closes := false
		phase := c.phase.Load() // before since, as in Evictable
		switch age := l.elapsed(c.since.Load()); {
		case phase == idle:
			closes = age >= idleTimeout
		case phase == opened && last > 0 && age >= firstByteTimeout:
			closes = true
		case age >= netio.WriteTimeout, c.writing.Load() && last > 0 && now >= last:
			closes = true
		case min(age, l.elapsed(c.wrote.Load())) >= l.o.AnswerTimeout:
			if closes = !c.writing.Load(); !closes {
				c.Conn.SetWriteDeadline(netio.LongAgo)
			}
		case age >= readTimeout:
			c.late.Store(true)
			c.Conn.SetReadDeadline(netio.LongAgo)
		}
		if closes {
			l.remove(c)
			overdue = append(overdue, c)
		}
	}
	return overdue
}

// add adds a connection to the sweeps.
func (l *listener) add(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	if len(l.conns) > 1 {
		return
	}
	select {
	case l.begun <- struct{}{}:
	default:
	}
}

// remove takes a connection out of the sweeps. mu must be held.
func (l *listener) remove(c *Conn) {
	delete(l.conns, c)
	l.signalEmpty()
}

// empty returns a channel that is closed once all connections have ended, but for hijacked ones. Call it once, after the
// last Accept.
func (l *listener) empty() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isEmpty = make(chan struct{})
	l.signalEmpty()
	return l.isEmpty
}

// signalEmpty closes isEmpty if there is no connection left. mu must be held.
func (l *listener) signalEmpty() {
	if l.isEmpty == nil || len(l.conns) > 0 {
		return
	}
	select {
	case <-l.isEmpty: // closed before
	default:
		close(l.isEmpty)
	}
}

// elapsed returns the time from a sweep to the latest one.
func (l *listener) elapsed(sweep int64) time.Duration {
	return time.Duration(l.now.Load()-sweep) * sweepEvery
}

// cutAfter cuts the answers that are still being written after d.
func (l *listener) cutAfter(d time.Duration) { l.last.Store(l.now.Load() + int64(d/sweepEvery)) }

// Accept returns the next connection. It rejects connections above the limit of their address. At
// the limit of all connections it evicts one for the new connection, or waits until one ends, with
// the new connection open beyond the limit. It returns net.ErrClosed after Close.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Socket: netio.NewSocket(conn), listener: l}
		c.changed.L = &c.mu
		c.phase.Store(waiting)
		if err := l.count(c); err != nil { // before a place is taken, which could evict another connection
			l.reject(conn, err)
			continue
		}
		if !l.takePlace() {
			l.uncount(c)
			conn.Close()
			return nil, net.ErrClosed
		}
		c.enter(opened)
		l.add(c)
		return c, nil
	}
}

// count counts a connection to its remote address, unless a trusted proxy is there. It returns an error over
// the limit of the address.
func (l *listener) count(c *Conn) error {
	if l.o.Limits == nil {
		return nil
	}
	l.o.Limits.Add(&c.counted, c)
	key, ok := l.o.Address(c.RemoteAddr())
	if !ok {
		return nil
	}
	err := l.o.Limits.AddTo(&c.counted, key)
	if err != nil {
		l.uncount(c)
	}
	return err
}

func (l *listener) uncount(c *Conn) {
	if l.o.Limits != nil {
		l.o.Limits.Remove(&c.counted)
	}
}

// takePlace takes a place for an accepted connection. While there is none, it evicts a connection,
// or waits. It returns false if the listener was closed.
func (l *listener) takePlace() bool {
	if l.places == nil {
		return true
	}
	for {
		select {
		case l.places <- struct{}{}:
			return true
		default:
		}
		if l.o.Limits != nil {
			l.o.Limits.Evict()
		}
		select {
		case l.places <- struct{}{}:
			return true
		case <-l.ended:
			return false
		case <-time.After(sweepEvery): // another connection may be evictable by now
		}
	}
}

func (l *listener) freePlace() {
	if l.places != nil {
		<-l.places
	}
}

// Close closes the listener. It may be called twice.
func (l *listener) Close() error {
	l.end.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// changed is the ConnState hook of net/http: active after a request's header was read, idle after
// its answer, hijacked when a live connection takes it over.
func (l *listener) changed(conn net.Conn, state http.ConnState) {
	c := conn.(*Conn)
	switch state {
	case http.StateIdle:
		if c.late.Swap(false) {
			c.Conn.SetReadDeadline(time.Time{})
		}
		c.enter(idle)
	case http.StateActive:
		c.beginRequest()
		c.phase.Store(answering)
	case http.StateHijacked:
		c.phase.Store(hijacked)
		c.unregister()
		c.counted.Memo = nil // live connections have no more requests
	}
}
