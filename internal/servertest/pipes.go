package servertest

import (
	"net"
	"sync"
)

// PipeListener is a listener in memory, so that a test can hold the time of its connections.
type PipeListener struct {
	Arrive chan net.Conn
	Closed chan struct{}
	once   sync.Once
}

func NewPipeListener() *PipeListener {
	return &PipeListener{Arrive: make(chan net.Conn), Closed: make(chan struct{})}
}

func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.Arrive:
		return c, nil
	case <-l.Closed:
		return nil, net.ErrClosed
	}
}

func (l *PipeListener) Close() error {
	l.once.Do(func() { close(l.Closed) })
	return nil
}

func (l *PipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// Dial connects; ok is false if nobody listens any more.
func (l *PipeListener) Dial() (c net.Conn, ok bool) {
	ours, theirs := net.Pipe()
	select {
	case l.Arrive <- theirs:
		return ours, true
	case <-l.Closed:
		return nil, false
	}
}
