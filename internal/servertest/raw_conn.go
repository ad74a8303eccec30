package servertest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// RawConn is a WebSocket client that sends any bytes and collects all frames. It answers nothing.
type RawConn struct {
	T        *testing.T
	Name     string // the case, for failure messages
	Conn     net.Conn
	Response *http.Response
	Frames   chan Frame
	Done     chan struct{} // closed when the connection has ended
	Err      error         // why it ended, set before Done is closed
}

// RawHello is the hello of DialRaw.
const RawHello = `{"type": "hello", "session": "bare", "seq": 1, "section": "before"}`

// OpenRaw sends the text of a handshake and starts to collect frames.
func OpenRaw(t *testing.T, conn net.Conn, request string) *RawConn {
	t.Helper()
	go io.WriteString(conn, request)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no response to the handshake: %v", err)
	}
	b := &RawConn{T: t, Conn: conn, Response: answer, Frames: make(chan Frame, 10_000), Done: make(chan struct{})}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		close(b.Done)
		return b
	}
	go b.read(r)
	return b
}

// DialRaw opens a RawConn over TCP with the token of the client, and says hello.
func (c *Client) DialRaw(t *testing.T, host string) *RawConn {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	b := OpenRaw(t, conn, HandshakeRequest(host, LivePath, "Authorization", "Bearer "+c.Token))
	b.Send(MaskedFrame(FinBit|OpText, []byte(RawHello)))
	b.ExpectAck(1)
	return b
}

func (c *RawConn) read(r *bufio.Reader) {
	defer close(c.Done)
	for {
		var f Frame
		if f.FirstByte, f.Payload, c.Err = ReadFrame(r); c.Err != nil {
			return
		}
		c.Frames <- f
	}
}

// Errorf reports a test failure, with the name of the case in front.
func (c *RawConn) Errorf(format string, args ...any) {
	c.T.Helper()
	if c.Name != "" {
		format = c.Name + ": " + format
	}
	c.T.Errorf(format, args...)
}

// Send writes frames and returns how many bytes were written.
func (c *RawConn) Send(frames ...[]byte) int {
	n, _ := c.Conn.Write(slices.Concat(frames...))
	return n
}

// Next returns the next frame that is neither a snapshot, a delta nor a ping of the server. ok is false if the connection
// ended or no frame arrived within 20 s.
func (c *RawConn) Next() (f Frame, ok bool) {
	c.T.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case f = <-c.Frames:
		default:
			select {
			case f = <-c.Frames:
			case <-c.Done:
				select {
				case f = <-c.Frames:
				default:
					return f, false
				}
			case <-late:
				c.Errorf("got no frame within 20 s, want one or the end of the connection")
				return f, false
			}
		}
		if !f.IsState() && !(f.FirstByte == FinBit|OpPing && len(f.Payload) == 0) {
			return f, true
		}
	}
}

// NextWithPings returns the next frame that is neither a snapshot nor a delta.
func (c *RawConn) NextWithPings() (f Frame, ok bool) {
	c.T.Helper()
	for {
		select {
		case f := <-c.Frames:
			if !f.IsState() {
				return f, true
			}
		case <-time.After(20 * time.Second):
			c.Errorf("got no frame within 20 s")
			return f, false
		}
	}
}

// ExpectAck checks that the next frame is the ack of this seq.
func (c *RawConn) ExpectAck(seq uint64) {
	c.T.Helper()
	if f, _ := c.Next(); f.Message().Type != "ack" || f.Message().Seq != seq {
		c.Errorf("got %v, want the ack of %d", f, seq)
	}
}

// ExpectPong checks that the next frame is a pong with this payload.
func (c *RawConn) ExpectPong(payload []byte) {
	c.T.Helper()
	if f, _ := c.Next(); f.FirstByte != FinBit|OpPong || !bytes.Equal(f.Payload, payload) {
		c.Errorf("got %v, want a pong with %q", f, payload)
	}
}

// ExpectError checks that the next frame is the error with this code.
func (c *RawConn) ExpectError(code string) {
	c.T.Helper()
	if f, _ := c.Next(); f.Message().Type != "error" || f.Message().Code != code {
		c.Errorf("got %v, want the error %s", f, code)
	}
}

// ExpectClose checks that the next frame closes the connection with one of these codes, 0 for a frame without a code, and
// that nothing follows.
func (c *RawConn) ExpectClose(codes ...int) {
	c.T.Helper()
	f, ok := c.Next()
	code := f.CloseCode()
	switch {
	case !ok:
		c.Errorf("got %v and no close frame, want one with code %v", c.Err, codes)
		return
	case f.FirstByte != FinBit|OpClose || !slices.Contains(codes, code):
		c.Errorf("got %v with code %d, want a close frame with code %v", f, code, codes)
	case len(f.Payload) == 1 || len(f.Payload) > 125 || len(f.Payload) > 2 && !utf8.Valid(f.Payload[2:]):
		c.Errorf("got an invalid close frame %v", f)
	}
	select {
	case <-c.Done:
	case <-time.After(5 * time.Second):
		c.Errorf("the connection is open 5 s after the close frame")
		return
	}
	if c.Err != io.EOF {
		c.Errorf("got %v after the close frame, want EOF", c.Err)
	}
	for len(c.Frames) > 0 {
		c.Errorf("got %v after the close frame, want nothing", <-c.Frames)
	}
}
