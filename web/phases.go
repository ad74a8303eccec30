package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The phases of a connection, each with its end: nobody holds one by being slow. A
// request begins with its first byte, and a connection begins as if a request had.
const (
	// readTime is for a request's header and its body together.
	readTime = 5 * time.Second
	// answerTime is for all of a request and its answer. It leaves time to say that the
	// body came too slowly.
	answerTime = readTime + 5*time.Second
	// idleTime is for the wait between two requests.
	idleTime = 2 * time.Minute
	// phaseEvery is how late an end may be.
	phaseEvery = 250 * time.Millisecond
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

	mu    sync.Mutex
	conns map[*phasedConn]struct{}
}

// phasedConn is one of its connections.
type phasedConn struct {
	net.Conn
	of   *phases
	idle atomic.Bool
	// since is the look before the phase began.
	since atomic.Int64
}

func newPhases(l net.Listener) *phases {
	return &phases{Listener: l, conns: map[*phasedConn]struct{}{}}
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

func (p *phases) look() {
	now := p.now.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		switch age := time.Duration(now-c.since.Load()) * phaseEvery; {
		case c.idle.Load():
			if age >= idleTime {
				c.Conn.Close()
			}
		case age >= answerTime:
			c.Conn.Close()
		case age >= readTime:
			c.Conn.SetReadDeadline(longAgo)
		}
	}
}

func (p *phases) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &phasedConn{Conn: conn, of: p}
	c.begin(false)
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	return c, nil
}

// changed is what net/http calls when it has answered a request, and when it begins one
// whose bytes were there already.
func (p *phases) changed(conn net.Conn, state http.ConnState) {
	c := conn.(*phasedConn)
	switch state {
	case http.StateIdle:
		c.begin(true)
	case http.StateActive:
		c.wake()
	case http.StateHijacked:
		c.forget()
	}
}

func (c *phasedConn) begin(idle bool) {
	c.since.Store(c.of.now.Load())
	c.idle.Store(idle)
}

// wake begins a request, unless one has begun.
func (c *phasedConn) wake() {
	if c.idle.Load() {
		c.begin(false)
	}
}

func (c *phasedConn) forget() {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
}

func (c *phasedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.wake()
	}
	return n, err
}

func (c *phasedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
