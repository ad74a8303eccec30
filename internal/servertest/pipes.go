package servertest

import (
	"net"
	"sync"
	"time"
)

// PipeListener is a listener in memory, so that a test can hold the time of its connections.
type PipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func NewPipeListener() *PipeListener {
	return &PipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *PipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *PipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// Dial returns the client's end of a new connection once the server accepted the other end; ok is false if the
// listener is closed before.
func (l *PipeListener) Dial() (c net.Conn, ok bool) {
	ours, theirs := net.Pipe()
	return ours, l.offer(theirs, nil)
}

// Offer gives the listener the server's end of a connection. It reports whether the server accepted it in this time.
func (l *PipeListener) Offer(theirs net.Conn, timeout time.Duration) (accepted bool) {
	return l.offer(theirs, time.After(timeout))
}

func (l *PipeListener) offer(theirs net.Conn, timeout <-chan time.Time) bool {
	select {
	case l.accepted <- theirs:
		return true
	case <-l.closed:
	case <-timeout:
	}
	return false
}
