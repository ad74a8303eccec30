package servertest

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// FairConn lets concurrent writers to a net.Pipe wait for each other on a channel. The mutex of net.Pipe would stop the
// clock of the synctest bubble while they wait.
type FairConn struct {
	net.Conn
	writing chan struct{} // full while a writer is active
	closed  chan struct{}
	once    *sync.Once
}

func NewFairConn(conn net.Conn) FairConn {
	return FairConn{conn, make(chan struct{}, 1), make(chan struct{}), new(sync.Once)}
}

func (c FairConn) Write(b []byte) (int, error) {
	select {
	case c.writing <- struct{}{}:
	case <-c.closed:
		return 0, net.ErrClosed
	}
	defer func() { <-c.writing }()
	return c.Conn.Write(b)
}

func (c FairConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// PausableConn is the client's end of a connection that can stop reading.
type PausableConn struct {
	FairConn
	reading chan struct{} // full while reading is stopped
}

func NewPausableConn(conn net.Conn) *PausableConn {
	return &PausableConn{FairConn: NewFairConn(conn), reading: make(chan struct{}, 1)}
}

func (c *PausableConn) Read(b []byte) (int, error) {
	for {
		select {
		case c.reading <- struct{}{}:
			<-c.reading
		case <-c.closed:
			return 0, net.ErrClosed
		}
		n, err := c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// SlowReader is a connection that reads PerSecond bytes a second, in pieces of a tenth of a second.
type SlowReader struct {
	net.Conn
	PerSecond int
}

func (r SlowReader) Read(b []byte) (int, error) {
	n := min(max(1, r.PerSecond/10), len(b))
	time.Sleep(time.Duration(n) * time.Second / time.Duration(r.PerSecond))
	return r.Conn.Read(b[:n])
}
