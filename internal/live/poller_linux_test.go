package live

import (
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pollerFixture has a poller, and a connection with a socket. got receives the connections that are ready.
type pollerFixture struct {
	poller *poller
	got    chan *conn
	conn   *conn
	client net.Conn
}

func newPollerFixture(t *testing.T) *pollerFixture {
	f := &pollerFixture{got: make(chan *conn, 10), conn: &conn{}}
	f.poller = newPoller(func(c *conn) { f.got <- c })
	f.poller.allow()
	t.Cleanup(f.poller.stop)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f.client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.client.Close(); server.Close() })
	f.conn.out.open(server, prometheus.NewCounter(prometheus.CounterOpts{Name: "sent"}), func() { f.poller.interrupt(f.conn) })
	return f
}

func (f *pollerFixture) wait(t *testing.T) {
	t.Helper()
	if !f.poller.wait(f.conn) {
		t.Fatal("the connection cannot wait")
	}
}

func (f *pollerFixture) expectReady(t *testing.T, after string) {
	t.Helper()
	select {
	case <-f.got:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: not ready after 10 s", after)
	}
	if n := len(f.got); n > 0 {
		t.Errorf("%s: ready %d times more", after, n)
	}
}

func TestPollerReportsArrivedBytesOnceForEachWait(t *testing.T) {
	f := newPollerFixture(t)
	f.client.Write([]byte("a"))
	f.wait(t)
	f.expectReady(t, "bytes that arrived before")
	f.client.Write([]byte("b"))
	f.wait(t)
	f.expectReady(t, "bytes that are not read yet")
	if _, err := f.conn.out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	f.wait(t)
	if n := len(f.got); n > 0 {
		t.Errorf("got ready without new bytes, %d times", n)
	}
	f.client.Write([]byte("c"))
	f.expectReady(t, "new bytes")
	f.client.Close()
	f.wait(t)
	f.expectReady(t, "the end of the connection")
	f.poller.interrupt(f.conn)
	if n := len(f.got); n > 0 {
		t.Errorf("got ready by interrupt, %d times, after it was ready", n)
	}
}

func TestPollerReportsConnectionThatIsClosedHere(t *testing.T) {
	for name, close := range map[string]func(*writer){
		"cut":               func(w *writer) { w.cut() },
		"with a last frame": func(w *writer) { w.close([]byte{closeHeader, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newPollerFixture(t)
			f.wait(t)
			close(&f.conn.out)
			f.expectReady(t, "a close while it waits")
			if f.poller.wait(f.conn) {
				t.Error("the connection waits after its close")
			}
			if _, err := f.conn.out.Read(make([]byte, 1)); err == nil {
				t.Error("Read after the close returns no error")
			}
		})
	}
}

func TestPollerTakesSocketsOnlyAndOnlyUntilItStops(t *testing.T) {
	f := newPollerFixture(t)
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	pipe := &conn{}
	pipe.out.open(ours, nil, nil)
	if f.poller.wait(pipe) {
		t.Error("a connection without a socket waits")
	}
	f.wait(t)
	f.poller.interrupt(f.conn)
	f.expectReady(t, "interrupt")
	f.poller.stop()
	f.conn.interrupted = false
	if f.poller.wait(f.conn) {
		t.Error("a connection waits after stop")
	}
	f.poller.stop()
}

// A host's server may close a connection without telling the poller, and the next one gets its descriptor.
func TestPollerReportsConnectionWhoseDescriptorAnotherOneHas(t *testing.T) {
	f := newPollerFixture(t)
	f.wait(t)
	f.conn.out.Conn.Close()
	other := &conn{}
	f.poller.put(other, int(f.conn.socket))
	if got := <-f.got; got != f.conn {
		t.Error("the connection that waits is ready; want the one that was closed")
	}
	f.poller.interrupt(other)
	if got := <-f.got; got != other {
		t.Error("the connection that was closed is ready twice")
	}
}
