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

// The phases of a connection, each with its end: nobody holds one by being slow. A
// request begins with its first byte, and a connection begins as if a request had.
const (
	// readTime is for a request's header and its body together.
	readTime = 5 * time.Second
	// answerTime is for a request until its answer begins. It leaves time to say that the
	// body came too slowly. From then on stallTime and writeLimit hold.
	answerTime = readTime + 5*time.Second
	// idleTime is for the wait between two requests.
	idleTime = 2 * time.Minute
	// phaseEvery is how late an end may be.
	phaseEvery = 250 * time.Millisecond
)

const (
	idle int32 = iota
	reading
	answering // its time counts from when reading began, or from the last progress of a write
	// readingBody is a part of answering: it waits for more of the request's body.
	readingBody
	hijacked
)

// longAgo makes what waits on a connection end now.
var longAgo = time.Unix(1, 0)

// phases is a listener that ends the phases of its connections. net/http would move a
// timer of the runtime several times a request for that, at the price of everything that
// presence does with it; here one goroutine looks at all connections, a few times a
// second, and time is counted in its looks.
type phases struct {
	net.Listener
	now atomic.Int64 // looks so far
	// last is the look at which answers that are still being written are cut, so that a server
	// that ends does so in time; 0 while it does not end.
	last atomic.Int64
	// room has a place for each connection that may be open; nil has no end of them.
	room chan struct{}
	// handler bounds the connections of each address; nil bounds none.
	handler *Handler
	// rejections has a place for each connection that is being rejected.
	rejections chan struct{}
	rejecting  sync.WaitGroup
	ended      chan struct{}
	end        sync.Once

	mu    sync.Mutex
	conns map[*phasedConn]struct{}
}

// phasedConn is one of its connections.
//
// While a request is answered, net/http reads one byte more, to hear of a client that
// goes away: a call of the kernel, and a goroutine that is put to sleep and woken. Nobody
// here asks, since all that a request waits for ends within five seconds. So that read
// waits here, until net/http ends it.
type phasedConn struct {
	net.Conn
	of   *phases
	held heldConn
	// phase is what the connection does, since the look before that began.
	phase atomic.Int32
	since atomic.Int64
	// writing is set during a Write; wrote is the look of its last progress, or of its end.
	writing atomic.Bool
	wrote   atomic.Int64
	// late is set when a look has ended the reading of the request, for good unless it is undone.
	late atomic.Bool

	mu      sync.Mutex
	changed sync.Cond // with mu: one of those below
	aborted bool      // net/http waits for its read to end
	closed  bool
}

func newPhases(l net.Listener, most int, h *Handler) *phases {
	p := &phases{
		Listener: l, handler: h, rejections: make(chan struct{}, maxRejections), ended: make(chan struct{}), conns: map[*phasedConn]struct{}{},
	}
	if most > 0 {
		p.room = make(chan struct{}, most)
	}
	return p
}

// run looks until the context ends.
func (p *phases) run(ctx context.Context) {
	tick := time.NewTicker(phaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.look()
		case <-ctx.Done():
			return
		}
	}
}

// look applies the timeouts to every connection. It interrupts a write without progress, and
// Write decides whether that is the end: some of its bytes may have been taken.
func (p *phases) look() {
	now := p.now.Add(1)
	last := p.last.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		switch age := p.sinceLook(c.since.Load()); {
		case c.phase.Load() == idle:
			if age >= idleTime {
				c.close()
			}
		case age >= writeLimit, c.writing.Load() && last > 0 && now >= last:
			c.close()
		case min(age, p.sinceLook(c.wrote.Load())) >= answerTime:
			if !c.writing.Load() {
				c.close()
				continue
			}
			c.Conn.SetWriteDeadline(longAgo)
		case age >= readTime:
			c.late.Store(true)
			c.Conn.SetReadDeadline(longAgo)
		}
	}
}

// sinceLook returns the time from a look until the newest one.
func (p *phases) sinceLook(look int64) time.Duration {
	return time.Duration(p.now.Load()-look) * phaseEvery
}

// cutAfter cuts the answers that are still being written after d.
func (p *phases) cutAfter(d time.Duration) { p.last.Store(p.now.Load() + int64(d/phaseEvery)) }

// Accept returns the next connection. While as many connections are open as may be, it closes
// one that can be closed, or waits. Connections above the limit of their address are rejected.
// Accept ends with the listener.
func (p *phases) Accept() (net.Conn, error) {
	for {
		if err := p.enterRoom(); err != nil {
			return nil, err
		}
		conn, err := p.Listener.Accept()
		if err != nil {
			p.leaveRoom()
			return nil, err
		}
		c := &phasedConn{Conn: conn, of: p}
		c.changed.L = &c.mu
		c.begin(reading)
		if p.handler != nil {
			c.held.conn = c
			if err := p.handler.accept(&c.held); err != nil {
				p.leaveRoom()
				p.reject(conn, err)
				continue
			}
		}
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		return c, nil
	}
}

// enterRoom takes a place for a connection, and makes room for it if need be.
func (p *phases) enterRoom() error {
	if p.room == nil {
		return nil
	}
	for {
		select {
		case p.room <- struct{}{}:
			return nil
		case <-p.ended:
			return net.ErrClosed
		default:
		}
		if p.handler != nil {
			p.handler.connLimits.evict()
		}
		select {
		case p.room <- struct{}{}:
			return nil
		case <-p.ended:
			return net.ErrClosed
		case <-time.After(phaseEvery): // by now there may be one that can be closed
		}
	}
}

// reject answers a connection in another goroutine. Above maxRejections it closes the
// connection without an answer.
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

func (p *phases) leaveRoom() {
	if p.room != nil {
		<-p.room
	}
}

func (p *phases) Close() error {
	p.end.Do(func() { close(p.ended) })
	return p.Listener.Close()
}

// changed is what net/http calls when it has read the header of a request, when it has
// answered it, and when the connection is its own no longer.
func (p *phases) changed(conn net.Conn, state http.ConnState) {
	c := conn.(*phasedConn)
	switch state {
	case http.StateIdle:
		if c.late.Swap(false) { // the next request may be read
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

func (c *phasedConn) begin(phase int32) {
	c.since.Store(c.of.now.Load())
	c.phase.Store(phase)
}

// wake begins a request, unless one has begun.
func (c *phasedConn) wake() {
	if c.phase.Load() == idle {
		c.begin(reading)
	}
}

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

// Write writes all of b for as long as the client takes some of it every stallTime, within
// writeLimit of the request's begin. It closes the connection of a client that does not. A
// hijacked connection has deadlines of its own.
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

// mayGoOn decides whether a Write goes on that has written n bytes since it last asked. An
// interrupt may be left from a Write before, so that none of this one is not enough to end it.
func (c *phasedConn) mayGoOn(n int, interrupted bool) bool {
	switch {
	case n > 0:
		c.wrote.Store(c.of.now.Load())
	case c.of.sinceLook(c.wrote.Load()) >= stallTime:
		c.close()
		return false
	}
	if interrupted {
		c.Conn.SetWriteDeadline(time.Time{})
	}
	return true
}

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

// SetReadDeadline is how net/http ends its read, with a time that is long ago, and is
// ready for the next one, with none.
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

// CloseWrite lets the other side read to the end.
func (c *phasedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *phasedConn) Close() error {
	c.forget()
	return c.close()
}

func (c *phasedConn) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		if c.of.handler != nil {
			c.of.handler.connLimits.remove(&c.held)
		}
		c.of.leaveRoom()
		c.changed.Broadcast()
	}
	return c.Conn.Close()
}
