package live_test

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/live"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// The kernel resets a connection that is closed with unread input, and the client then loses the close frame.
func TestCloseFrameArrivesWithUnreadInput(t *testing.T) {
	w, host := overTCP(t)
	n := neighboursTCP(t, w, host)
	for _, c := range []struct {
		name   string
		sent   []byte
		errors []string
		code   int
	}{
		{"message too large", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<20), strings.Repeat("x", 32<<10)), nil, 1009},
		{"binary", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, make([]byte, 100)), 300)...), []string{"not_text"}, 1003},
		{"mistakes", bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "x"}`)), 1000), slices.Repeat([]string{"unknown_type"}, 10), 1008},
		{"no frame", bytes.Repeat([]byte{0xff}, 32<<10), nil, 1002},
		{"not UTF-8", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte{0xff}), make([]byte, 32<<10)...), nil, 1007},
		{"a length with its top bit", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<63), strings.Repeat("x", 32<<10)), nil, 1002},
		{"a close", append(closeFrame(1000, ""), make([]byte, 32<<10)...), nil, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range 10 {
				b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
				b.T = t
				if sent := b.Send(c.sent); sent < len(c.sent) {
					t.Errorf("sent %d bytes of %d, want all", sent, len(c.sent))
				}
				for _, code := range c.errors {
					b.ExpectError(code)
				}
				b.ExpectClose(c.code)
				b.Conn.Close()
			}
			n.expectUndisturbed(t)
		})
	}
}

// watched is a listener that also sends its connections to the test.
type watched struct {
	net.Listener
	conns chan *watchedConn
}

func (l watched) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &watchedConn{TCPConn: conn.(*net.TCPConn), closed: make(chan struct{})}
	l.conns <- c
	return c, nil
}

// watchedConn records when it is closed, and then closes a channel.
type watchedConn struct {
	*net.TCPConn
	closed   chan struct{}
	closedAt time.Time
	mu       sync.Mutex
}

func (c *watchedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
	default:
		c.closedAt = time.Now()
		close(c.closed)
	}
	return c.TCPConn.Close()
}

// RFC 6455, 5.5.1. A frame after it could reset the connection before the client has read the close frame.
func TestCloseFrameIsTheLastFrame(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan *watchedConn, 10)
	host := w.ListenOn(watched{l, conns})
	n := neighboursTCP(t, w, host)
	<-conns // Bob's
	for i, c := range []struct {
		name string
		sent []byte
		code int
	}{
		{"a leave", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 2}`)), 1000},
		{"binary", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), 1003},
		{"no frame", servertest.MaskedFrame(0xf, nil), 1002},
		{"not UTF-8", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte{0xff}), 1007},
		{"a close", closeFrame(1001, ""), 1001},
		{"a second hello", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "other"}`)), 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
			conn := <-conns
			n.expectUndisturbed(t) // Mallory gets deltas from now on
			sent := time.Now()
			b.Send(c.sent)
			last, ok := b.Next()
			for ok && last.FirstByte != servertest.FinBit|servertest.OpClose {
				last, ok = b.Next()
			}
			for range 3 {
				n.expectUndisturbed(t)
			}
			select {
			case <-conn.closed:
				if after := conn.closedAt.Sub(sent); after < live.CloseTimeout {
					t.Errorf("a delta closed the connection after %v, before its close frame could be read", after)
				}
			default:
			}
			if then, ok := b.Next(); ok {
				t.Errorf("after the close frame: got %v, want nothing", then)
			}
			b.Conn.Close()
			select {
			case <-conn.closed:
			case <-time.After(20 * time.Second):
				t.Fatal("the connection stays open")
			}
			if got := last.CloseCode(); got != c.code {
				t.Errorf("last frame: got %v, want a close frame with code %d", last, c.code)
			}
		})
	}
}

func TestResetConnectionAffectsNobodyElse(t *testing.T) {
	w, host := overTCP(t)
	n := neighboursTCP(t, w, host)
	half := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))[:20]
	for i, sent := range [][]byte{nil, half, servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil), 50), servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), closeFrame(1000, "")} {
		b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
		b.Send(sent)
		b.Conn.(*net.TCPConn).SetLinger(0)
		b.Conn.Close()
		n.expectUndisturbed(t)
	}
	nothingStolen(t, w)
}

func TestFrameFloodIsBounded(t *testing.T) {
	const many = 100_000
	tooMany := func(t *testing.T, b *servertest.RawConn) {
		if f, _ := b.Next(); !bytes.Contains(f.Payload, []byte("too_many_requests")) {
			t.Errorf("got %v, want too_many_requests", f)
		}
		b.ExpectClose(1008)
	}
	empty := servertest.MaskedFrame(servertest.OpContinuation, nil)
	for name, c := range map[string]struct {
		before, flood, end []byte
		check              func(t *testing.T, b *servertest.RawConn)
	}{
		"empty fragments": {
			servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), bytes.Repeat(empty, 5000), nil,
			func(_ *testing.T, b *servertest.RawConn) { b.ExpectClose(1009) },
		},
		"fragments of a byte": {
			servertest.MaskedFrame(servertest.OpText, []byte("{")), bytes.Repeat(servertest.MaskedFrame(servertest.OpContinuation, []byte("x")), many), nil,
			func(_ *testing.T, b *servertest.RawConn) { b.ExpectClose(1009) },
		},
		"pongs": {
			nil, bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, []byte("x")), 1000), nil, tooMany,
		},
		"pongs of 125 bytes within a message": {
			servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, make([]byte, 125)), 200), nil, tooMany,
		},
		"pings": {
			nil, bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("x")), many), nil,
			func(t *testing.T, b *servertest.RawConn) {
				// A client that sends more than 64 KiB after the close frame may not get it.
				pongs := 0
				for f, ok := b.Next(); ok; f, ok = b.Next() {
					switch {
					case f.FirstByte == servertest.FinBit|servertest.OpPong:
						pongs++
					case f.Message().Code == "too_many_requests", f.FirstByte == servertest.FinBit|servertest.OpClose:
					default:
						t.Errorf("got %v, want a pong or too_many_requests", f)
					}
				}
				if pongs > 100 {
					t.Errorf("got %d pongs, want 100 at most", pongs)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, host := overTCP(t)
			n := neighboursTCP(t, w, host)
			b := w.As("Mallory", "1").DialRaw(t, host)
			b.T = t
			n.expectUndisturbed(t)
			before := heapInUse()
			b.Send(c.before)
			flooded := make(chan struct{})
			go func() {
				defer close(flooded)
				b.Send(c.flood)
			}()
			for range 3 {
				n.expectUndisturbed(t)
			}
			<-flooded
			if grown := heapInUse() - before; grown > 4<<20 {
				t.Errorf("the heap has grown by %d KiB, want 4096 at most", grown>>10)
			}
			b.Send(c.end)
			c.check(t, b)
			n.expectUndisturbed(t)
			b.Conn.Close()
		})
	}
}

// heapInUse returns the size of the reachable heap in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // sync.Pool is empty after two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
