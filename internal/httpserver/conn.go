package httpserver

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/netio"
)

// The phases of a connection.
const (
	idle    int32 = iota
	waiting       // accepted, but above the limit of open connections
	opened        // accepted, and no byte has arrived; its time is part of reading
	reading
	answering   // its time counts from the start of reading, or from the last progress of a write
	readingBody // part of answering: the handler waits for more of the request's body
	hijacked    // a live connection, which sets its own deadlines
)

// Conn is a connection of a listener.
//
// While a request is answered, net/http reads one more byte in another goroutine to notice that
// the client has gone. Nothing here needs that, since a handler waits for 5 s at most. So Read does
// not pass this read on: it waits until net/http aborts it. That saves a system call and the
// wake-up of a goroutine for each request.
type Conn struct {
	netio.Socket // to which Read and Write of a hijacked connection pass unchanged
	listener     *listener
	counted      connlimit.Conn
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
	changed sync.Cond   // with mu: aborted or closed has changed
	aborted atomic.Bool // net/http waits for its read to end
	closed  bool
}

// enter starts a phase and its time.
func (c *Conn) enter(phase int32) {
	c.since.Store(c.listener.now.Load())
	c.phase.Store(phase)
}

// beginRequest begins a request if none has begun. The time of a connection's first one began with the connection.
func (c *Conn) beginRequest() {
	switch c.phase.Load() {
	case idle:
		c.enter(reading)
	case opened:
		c.phase.Store(reading)
	}
}

// unregister takes the connection out of the sweeps.
func (c *Conn) unregister() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.listener.remove(c)
}

func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 1 && c.phase.Load() == answering {
		return 0, c.waitForAbort()
	}
	body := c.phase.CompareAndSwap(answering, readingBody)
	n, err := c.Socket.Read(b)
	if body {
		c.phase.CompareAndSwap(readingBody, answering)
	}
	if n > 0 {
		c.beginRequest()
	}
	return n, err
}

// Write writes all of b. It closes the connection of a client that takes nothing for netio.StallTimeout, or
// that has not taken all within netio.WriteTimeout of the start of the request. For a hijacked connection it has
// no timeouts.
func (c *Conn) Write(b []byte) (int, error) {
	if c.phase.Load() == hijacked {
		return c.Socket.Write(b)
	}
	c.wrote.Store(c.listener.now.Load())
	c.writing.Store(true)
	n, err := netio.WriteAll(&c.Socket, b, c.mayContinue)
	c.wrote.Store(c.listener.now.Load())
	c.writing.Store(false)
	return n, err
}

// mayContinue reports whether a Write continues after n more bytes. An interrupt may be left over from
// the Write before, so no progress since the start of this one does not end it before netio.StallTimeout.
func (c *Conn) mayContinue(n int, interrupted bool) bool {
	switch {
	case n > 0:
		c.wrote.Store(c.listener.now.Load())
	case c.listener.elapsed(c.wrote.Load()) >= netio.StallTimeout:
		c.close()
		return false
	}
	if interrupted {
		c.Conn.SetWriteDeadline(time.Time{})
	}
	return true
}

// waitForAbort waits until net/http aborts its read or the connection is closed.
func (c *Conn) waitForAbort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.aborted.Load():
			return os.ErrDeadlineExceeded
		}
		c.changed.Wait()
	}
}

// SetReadDeadline aborts the read of waitForAbort, or lets the next one wait: net/http calls it
// with a time in the past and with none. For a hijacked connection it sets the deadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.phase.Load() == hijacked {
		return c.Conn.SetReadDeadline(t)
	}
	abort := !t.IsZero()
	if c.aborted.Load() == abort {
		return nil // net/http clears a deadline more often than it sets one
	}
	c.mu.Lock()
	c.aborted.Store(abort)
	c.mu.Unlock()
	c.changed.Broadcast()
	return nil
}

// Evictable reports whether the connection can be closed to make room for a newer one: while it is idle
// between two requests, when it has had connlimit.MinAge to send a request, and when answering takes longer
// than Options.AnswerTimeout.
func (c *Conn) Evictable() bool {
	phase := c.phase.Load() // before since, which enter stores first: a new phase must not get an old time
	age := c.listener.elapsed(c.since.Load())
	switch phase {
	case idle:
		return true
	case answering:
		return age >= c.listener.o.AnswerTimeout
	case waiting, hijacked:
		return false
	default:
		return age >= connlimit.MinAge
	}
}

// CloseWrite closes the writing side, where the connection can do that.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and frees its place. It may be called twice.
func (c *Conn) Close() error {
	c.unregister()
	return c.close()
}

// Release frees the place of a connection that is about to be closed, so that a new connection need not wait
// until it is: closing TLS may block. It may be called twice.
func (c *Conn) Release() {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	if first {
		c.listener.uncount(c)
		c.listener.freePlace()
	}
}

// close is Close without unregister. It holds no lock while it closes.
func (c *Conn) close() error {
	c.Release()
	return c.Conn.Close()
}
