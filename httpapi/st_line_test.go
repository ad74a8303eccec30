package httpapi_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing/synctest"
	"time"
)

// fair is a listener in a bubble whose connections may be written to by several at once
// while nobody reads. Time in the bubble goes on where one writer waits for the other by a
// channel, and stands still where it is by the lock that net.Pipe has.
type fair struct{ net.Listener }

func (l fair) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newFairConn(conn), nil
}

type fairConn struct {
	net.Conn
	writing chan struct{} // full while somebody writes
	closed  chan struct{}
	once    *sync.Once
}

func newFairConn(conn net.Conn) fairConn {
	return fairConn{conn, make(chan struct{}, 1), make(chan struct{}), new(sync.Once)}
}

func (c fairConn) Write(b []byte) (int, error) {
	select {
	case c.writing <- struct{}{}:
	case <-c.closed:
		return 0, net.ErrClosed
	}
	defer func() { <-c.writing }()
	return c.Conn.Write(b)
}

func (c fairConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// line is the client's end of a connection, which may stop reading.
type line struct {
	fairConn
	ears chan struct{} // full while nothing is read
}

func (c *line) Read(b []byte) (int, error) {
	for {
		select {
		case c.ears <- struct{}{}:
			<-c.ears
		case <-c.closed:
			return 0, net.ErrClosed
		}
		n, err := c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// deaf makes a socket read nothing any more, until it hears again.
func (s *socket) deaf() {
	c := s.conn.(*line)
	c.ears <- struct{}{}
	c.SetReadDeadline(time.Unix(1, 0))
	synctest.Wait()
}

func (s *socket) hears() {
	c := s.conn.(*line)
	c.SetReadDeadline(time.Time{})
	<-c.ears
}
