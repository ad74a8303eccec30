package httpserver

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/netio"
)

// stuckConn is a connection whose Close blocks, as that of TLS does when the client does not read.
type stuckConn struct {
	net.Conn
	closing chan struct{} // receives a value for each Close that has begun
	release chan struct{} // closed to let them end
}

func (c stuckConn) Close() error {
	c.closing <- struct{}{}
	<-c.release
	return nil
}

// soon waits for a value, and fails the test after 10 s.
func soon[T any](t *testing.T, from <-chan T, what string) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(10 * time.Second):
		t.Fatalf("got no %s within 10 s", what)
	}
}

func TestBlockedCloseDoesNotStopOtherConnections(t *testing.T) {
	arrivals := &oneListener{conns: make(chan net.Conn, 1)}
	p := newListener(arrivals, Options{})
	stuck := stuckConn{closing: make(chan struct{}, 2), release: make(chan struct{})}
	defer close(stuck.release)
	for range 2 {
		c := &Conn{Socket: netio.NewSocket(stuck), listener: p}
		c.changed.L = &c.mu
		p.conns[c] = struct{}{}
	}
	p.now.Store(int64(idleTimeout / sweepEvery)) // both are idle for too long
	swept := make(chan struct{})
	go func() {
		p.sweep()
		close(swept)
	}()
	for range 2 {
		soon(t, stuck.closing, "close of both idle connections")
	}
	soon(t, swept, "end of the sweep while a Close is blocked")
	arrivals.conns <- &net.TCPConn{}
	accepted := make(chan struct{})
	go func() {
		p.Accept()
		close(accepted)
	}()
	soon(t, accepted, "new connection while a Close is blocked")
	p.sweep()
	if n := len(stuck.closing); n != 0 {
		t.Errorf("next sweep: got %d connections closed again, want 0", n)
	}
}

func TestAnswerMayTakeAsLongAsTheOptionSays(t *testing.T) {
	for name, c := range map[string]struct {
		option, age time.Duration
		closed      bool
	}{
		"default":        {0, answerTimeout, true},
		"longer":         {time.Minute, answerTimeout, false},
		"longer, at end": {time.Minute, time.Minute, true},
	} {
		p := newListener(&oneListener{}, Options{AnswerTimeout: c.option})
		conn := &Conn{Socket: netio.NewSocket(&net.TCPConn{}), listener: p}
		conn.enter(answering)
		p.conns[conn] = struct{}{}
		p.now.Store(int64(c.age/sweepEvery) - 1)
		if closed := len(p.takeOverdue()) == 1; closed != c.closed || conn.Evictable() != c.closed {
			t.Errorf("%s: after %v closed is %t, evictable %t; want %t", name, c.age, closed, conn.Evictable(), c.closed)
		}
	}
}

// oneListener returns the connections of a channel.
type oneListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *oneListener) Accept() (net.Conn, error) { return <-l.conns, nil }

func TestListenerSweepsOnlyWhileItHasConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(&oneListener{conns: make(chan net.Conn, 1)}, Options{})
		go l.run(t.Context())
		sweeps := func(d time.Duration) int64 {
			before := l.now.Load()
			time.Sleep(d)
			return l.now.Load() - before
		}
		for range 2 {
			if n := sweeps(time.Hour); n != 0 {
				t.Errorf("without connections: got %d sweeps in an hour, want none", n)
			}
			l.Listener.(*oneListener).conns <- &net.TCPConn{}
			conn, _ := l.Accept()
			if n := sweeps(time.Second + sweepEvery/2); n != 4 {
				t.Errorf("with a connection: got %d sweeps in a second, want 4", n)
			}
			conn.(*Conn).unregister()
			time.Sleep(sweepEvery)
		}
	})
}
