package httpapi_test

import (
	"net"
	"sync"
)

// pipes is a listener in memory, so that a test can hold the time of its connections.
type pipes struct {
	arrive chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{arrive: make(chan net.Conn), closed: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.arrive:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// dial connects; ok is false if nobody listens any more.
func (l *pipes) dial() (c net.Conn, ok bool) {
	ours, theirs := net.Pipe()
	select {
	case l.arrive <- theirs:
		return ours, true
	case <-l.closed:
		return nil, false
	}
}
