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
type Fair struct{ net.Listener }

func (l Fair) Accept() (net.Conn, error) {
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
type Line struct {
	FairConn
	Ears chan struct{} // full while nothing is read
}

func (c *Line) Read(b []byte) (int, error) {
	for {
		select {
		case c.Ears <- struct{}{}:
			<-c.Ears
		case <-c.closed:
			return 0, net.ErrClosed
		}
		n, err := c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// StopReading makes a socket read nothing any more, until it hears again.
func (s *Socket) StopReading() {
	c := s.Conn.(*Line)
	c.Ears <- struct{}{}
	c.SetReadDeadline(time.Unix(1, 0))
	synctest.Wait()
}

func (s *Socket) ResumeReading() {
	c := s.Conn.(*Line)
	c.SetReadDeadline(time.Time{})
	<-c.Ears
}
