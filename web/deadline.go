package web

import (
	"context"
	"net"
	"sync"
	"time"
)

// deadlineEvery is how late a deadline may be.
const deadlineEvery = 250 * time.Millisecond

// deadlines is a listener whose connections keep their deadlines roughly. net/http moves
// each of them several times a request, and a timer of the runtime for each costs as much
// as everything that presence does with the request; here a deadline is a number, and
// one goroutine looks at all of them, a few times a second.
type deadlines struct {
	net.Listener
	mu    sync.Mutex
	conns map[*deadlineConn]struct{}
}

// deadlineConn is one of its connections.
type deadlineConn struct {
	net.Conn
	of          *deadlines
	mu          sync.Mutex
	read, write deadline
}

// deadline is one of a connection: a moment in nanoseconds of Unix time, 0 for none, and
// whether the connection itself knows that it is over.
type deadline struct {
	at   int64
	over bool
}

// longAgo makes what waits on a connection end now.
var longAgo = time.Unix(1, 0)

func newDeadlines(l net.Listener) *deadlines {
	return &deadlines{Listener: l, conns: map[*deadlineConn]struct{}{}}
}

// run watches the deadlines until the context ends.
func (d *deadlines) run(ctx context.Context) {
	tick := time.NewTicker(deadlineEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			d.expire(now.UnixNano())
		case <-ctx.Done():
			return
		}
	}
}

func (d *deadlines) expire(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		c.mu.Lock()
		if c.read.isOver(now) {
			c.Conn.SetReadDeadline(longAgo)
		}
		if c.write.isOver(now) {
			c.Conn.SetWriteDeadline(longAgo)
		}
		c.mu.Unlock()
	}
}

// isOver tells, once, that a deadline has come.
func (d *deadline) isOver(now int64) bool {
	if d.at == 0 || d.at > now || d.over {
		return false
	}
	d.over = true
	return true
}

// set moves a deadline. What is long ago is over at once; and what was over begins anew.
func (d *deadline) set(t time.Time, apply func(time.Time) error) error {
	d.at = 0
	if !t.IsZero() {
		d.at = t.UnixNano()
	}
	switch {
	case t.Equal(longAgo):
		d.over = true
		return apply(t)
	case d.over:
		d.over = false
		return apply(time.Time{})
	}
	return nil
}

func (d *deadlines) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &deadlineConn{Conn: conn, of: d}
	d.mu.Lock()
	d.conns[c] = struct{}{}
	d.mu.Unlock()
	return c, nil
}

func (c *deadlineConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read.set(t, c.Conn.SetReadDeadline)
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write.set(t, c.Conn.SetWriteDeadline)
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
