package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Each phase of an HTTP connection has a timeout, so that slow clients do not hold connections. A
// request begins with its first byte; the first request of a connection begins when Accept returns it.
const (
	// readTime is the timeout for reading a request, header and body together.
	readTime = 5 * time.Second
	// answerTime is the timeout from the begin of a request to the begin of its answer. It is
	// longer than readTime, so that the answer to a slow body (408) can still be sent. While the
	// answer is being written, stallTime and writeLimit hold instead.
	answerTime = readTime + 5*time.Second
	// idleTime is the timeout between two requests.
	idleTime = 2 * time.Minute
	// phaseEvery is the interval of the sweeps, and how late a timeout may be.
	phaseEvery = 250 * time.Millisecond
)

// The phases of a connection.
const (
	idle    int32 = iota
	waiting       // accepted, but above the limit of open connections
	reading
	answering   // its time counts from the begin of reading, or from the last progress of a write
	readingBody // part of answering: the handler waits for more of the request's body
	hijacked    // a live connection, which sets its own deadlines
)

// longAgo is a deadline that interrupts a read or a write at once.
var longAgo = time.Unix(1, 0)

// phases is a listener that limits the number of open connections and enforces the timeouts of
// their phases. One goroutine sweeps all connections every phaseEvery, and time is counted in
// sweeps: deadlines of net/http would reset a runtime timer several times for each request, which
// costs more than all that presence does for a heartbeat.
type phases struct {
	net.Listener
	now atomic.Int64 // number of sweeps so far
	// last is the sweep that cuts the answers that are still being written at a shutdown; 0 before
	// the shutdown.
	last atomic.Int64
	// places holds one value for each open connection; its capacity is the limit. Nil means no limit.
	places chan struct{}
	// handler limits the connections of each address; nil means no such limit.
	handler *Handler
	// rejections holds one value for each connection that is being rejected.
	rejections chan struct{}
	rejecting  sync.WaitGroup
	ended      chan struct{} // closed by Close
	end        sync.Once

	mu    sync.Mutex // held only for short operations that do not wait for a client
	conns map[*phasedConn]struct{}
}

// phasedConn is a connection of phases.
//
// While a request is answered, net/http reads one more byte in another goroutine to notice that
// the client has gone. Nothing here needs that, since a handler waits for 5 s at most. So Read does
// not pass this read on: it waits until net/http aborts it. That saves a system call and the
// wake-up of a goroutine for each request.
type phasedConn struct {
	net.Conn
	of   *phases
	held heldConn
	// phase is the current phase, and since the sweep before it began.
	phase atomic.Int32
	since atomic.Int64
	// writing is true during Write; wrote is the sweep of the last progress or end of a Write.
	writing atomic.Bool
	wrote   atomic.Int64
	// late is true when a sweep has set a read deadline because the request came too slowly. The
	// next idle phase clears it.
	late atomic.Bool

	mu      sync.Mutex
	changed sync.Cond // with mu: aborted or closed has changed
	aborted bool      // net/http waits for its read to end
	closed  bool
}

func newPhases(l net.Listener, most int, h *Handler) *phases {
	p := &phases{
		Listener: l, handler: h, rejections: make(chan struct{}, maxRejections), ended: make(chan struct{}), conns: map[*phasedConn]struct{}{},
	}
	if most > 0 {
		p.places = make(chan struct{}, most)
	}
	return p
}

// run sweeps every phaseEvery until the context ends.
func (p *phases) run(ctx context.Context) {
	tick := time.NewTicker(phaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.sweep()
		case <-ctx.Done():
			return
		}
	}
}

// sweep applies the timeouts to every connection. It interrupts a write without progress, and
// Write decides whether to go on, since the client may have taken a part of it. It closes
// connections in goroutines of their own: closing TLS blocks for up to 5 s when the client does
// not read.
func (p *phases) sweep() {
	for _, c := range p.takeOverdue() {
		go c.close()
	}
}

// takeOverdue removes the connections that have to be closed now, and returns them. It sets the
// deadlines of the others.
func (p *phases) takeOverdue() (overdue []*phasedConn) {
	now := p.now.Add(1)
	last := p.last.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		closes := false
		switch age := p.elapsed(c.since.Load()); {
		case c.phase.Load() == idle:
			closes = age >= idleTime
		case age >= writeLimit, c.writing.Load() && last > 0 && now >= last:
			closes = true
		case min(age, p.elapsed(c.wrote.Load())) >= answerTime:
			if closes = !c.writing.Load(); !closes {
				c.Conn.SetWriteDeadline(longAgo)
			}
		case age >= readTime:
			c.late.Store(true)
			c.Conn.SetReadDeadline(longAgo)
		}
		if closes {
			delete(p.conns, c)
			overdue = append(overdue, c)
		}
	}
	return overdue
}

// elapsed returns the time from a sweep to the latest one.
func (p *phases) elapsed(sweep int64) time.Duration {
	return time.Duration(p.now.Load()-sweep) * phaseEvery
}

// cutAfter cuts the answers that are still being written after d.
func (p *phases) cutAfter(d time.Duration) { p.last.Store(p.now.Load() + int64(d/phaseEvery)) }

// Accept returns the next connection. It rejects connections above the limit of their address. At
// the limit of all connections it evicts one for the new connection, or waits until one ends, with
// the new connection open beyond the limit. It returns net.ErrClosed after Close.
func (p *phases) Accept() (net.Conn, error) {
	for {
		conn, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &phasedConn{Conn: conn, of: p}
		c.changed.L = &c.mu
		c.phase.Store(waiting)
		if p.handler != nil {
			c.held.conn = c
			if err := p.handler.accept(&c.held); err != nil { // before a place is taken, which could evict another one
				p.reject(conn, err)
				continue
			}
		}
		if !p.takePlace() {
			if p.handler != nil {
				p.handler.connLimits.remove(&c.held)
			}
			conn.Close()
			return nil, net.ErrClosed
		}
		c.begin(reading)
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		return c, nil
	}
}

// takePlace takes a place for an accepted connection. While there is none, it evicts a connection,
// or waits. It returns false if the listener was closed.
func (p *phases) takePlace() bool {
	if p.places == nil {
		return true
	}
	for {
		select {
		case p.places <- struct{}{}:
			return true
		default:
		}
		if p.handler != nil {
			p.handler.connLimits.evict()
		}
		select {
		case p.places <- struct{}{}:
			return true
		case <-p.ended:
			return false
		case <-time.After(phaseEvery): // another connection may be evictable by now
		}
	}
}

func (p *phases) freePlace() {
	if p.places != nil {
		<-p.places
	}
}

// reject answers a connection with err in another goroutine, and closes it. If maxRejections are
// being answered already, it closes the connection without an answer.
func (p *phases) reject(conn net.Conn, err error) {
	select {
	case p.rejections <- struct{}{}:
		p.rejecting.Go(func() {
			p.handler.reject(conn, err)
			<-p.rejections
		})
	default:
		conn.Close()
	}
}

// Close closes the listener. It may be called twice.
func (p *phases) Close() error {
	p.end.Do(func() { close(p.ended) })
	return p.Listener.Close()
}

// changed is the ConnState hook of net/http: active after a request's header was read, idle after
// its answer, hijacked when a live connection takes it over.
func (p *phases) changed(conn net.Conn, state http.ConnState) {
	c := conn.(*phasedConn)
	switch state {
	case http.StateIdle:
		if c.late.Swap(false) {
			c.Conn.SetReadDeadline(time.Time{})
		}
		c.begin(idle)
	case http.StateActive:
		c.wake()
		c.phase.Store(answering)
	case http.StateHijacked:
		c.phase.Store(hijacked)
		c.forget()
	}
}

// begin starts a phase, and its time.
func (c *phasedConn) begin(phase int32) {
	c.since.Store(c.of.now.Load())
	c.phase.Store(phase)
}

// wake begins a request if the connection is idle.
func (c *phasedConn) wake() {
	if c.phase.Load() == idle {
		c.begin(reading)
	}
}

// forget takes the connection out of the sweeps.
func (c *phasedConn) forget() {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
}

func (c *phasedConn) Read(b []byte) (int, error) {
	if len(b) == 1 && c.phase.Load() == answering {
		return 0, c.waitForAbort()
	}
	body := c.phase.CompareAndSwap(answering, readingBody)
	n, err := c.Conn.Read(b)
	if body {
		c.phase.CompareAndSwap(readingBody, answering)
	}
	if n > 0 {
		c.wake()
	}
	return n, err
}

// Write writes all of b. It closes the connection of a client that takes nothing for stallTime, or
// that has not taken all within writeLimit of the request's begin. For a hijacked connection it has
// no timeouts.
func (c *phasedConn) Write(b []byte) (int, error) {
	if c.phase.Load() == hijacked {
		return c.Conn.Write(b)
	}
	c.wrote.Store(c.of.now.Load())
	c.writing.Store(true)
	n, err := writeAll(c.Conn, b, c.mayGoOn)
	c.wrote.Store(c.of.now.Load())
	c.writing.Store(false)
	return n, err
}

// mayGoOn reports whether a Write continues after n more bytes. An interrupt may be left over from
// the Write before, so no progress since the begin of this one does not end it before stallTime.
func (c *phasedConn) mayGoOn(n int, interrupted bool) bool {
	switch {
	case n > 0:
		c.wrote.Store(c.of.now.Load())
	case c.of.elapsed(c.wrote.Load()) >= stallTime:
		c.close()
		return false
	}
	if interrupted {
		c.Conn.SetWriteDeadline(time.Time{})
	}
	return true
}

// waitForAbort waits until net/http aborts its read or the connection is closed.
func (c *phasedConn) waitForAbort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.aborted:
			return os.ErrDeadlineExceeded
		}
		c.changed.Wait()
	}
}

// SetReadDeadline aborts the read of waitForAbort, or lets the next one wait: net/http calls it
// with a time in the past and with none. For a hijacked connection it sets the deadline.
func (c *phasedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.Load() == hijacked {
		return c.Conn.SetReadDeadline(t)
	}
	c.aborted = !t.IsZero()
	c.changed.Broadcast()
	return nil
}

// CloseWrite closes the writing side, where the connection can do that.
func (c *phasedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and frees its place. It may be called twice.
func (c *phasedConn) Close() error {
	c.forget()
	return c.close()
}

// close is Close without forget. It holds no lock while it closes, since closing TLS may block.
func (c *phasedConn) close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	if first {
		if c.of.handler != nil {
			c.of.handler.connLimits.remove(&c.held)
		}
		c.of.freePlace()
	}
	return c.Conn.Close()
}
