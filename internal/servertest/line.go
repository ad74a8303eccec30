package servertest

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing/synctest"
	"time"
)

// Fair is a listener in a bubble whose connections may be written to by several at once
// while nobody reads. Time in the bubble goes on where one writer waits for the other by a
// channel, and stands still where it is by the lock that net.Pipe has.
type FairListener struct{ net.Listener }

func (l FairListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return NewFairConn(conn), nil
}

type FairConn struct {
	net.Conn
	writing chan struct{} // full while somebody writes
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

// Line is the client's end of a connection, which may stop reading.
type PausableConn struct {
	FairConn
	reading chan struct{} // full while nothing is read
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

func NewPausableConn(conn net.Conn) *PausableConn {
	return &PausableConn{FairConn: NewFairConn(conn), reading: make(chan struct{}, 1)}
}

// StopReading makes a socket read nothing any more, until it hears again.
func (s *Socket) StopReading() {
	c := s.Conn.(*PausableConn)
	c.reading <- struct{}{}
	c.SetReadDeadline(time.Unix(1, 0))
	synctest.Wait()
}

func (s *Socket) ResumeReading() {
	c := s.Conn.(*PausableConn)
	c.SetReadDeadline(time.Time{})
	<-c.reading
}
