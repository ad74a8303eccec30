package live_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// halves is a connection in memory with a half-close, as TCP has and net.Pipe has not.
type halves struct {
	net.Conn // from the other side
	out      net.Conn
	writing  chan struct{} // a lock for which synctest can wait
}

func twoWay() (ours, theirs halves) {
	up, up2 := net.Pipe()
	down, down2 := net.Pipe()
	return halves{down, up, make(chan struct{}, 1)}, halves{up2, down2, make(chan struct{}, 1)}
}

func (c halves) Write(b []byte) (int, error) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	return c.out.Write(b)
}

func (c halves) CloseWrite() error { return c.out.Close() }

func (c halves) Close() error {
	c.out.Close()
	return c.Conn.Close()
}

func (c halves) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

func (c halves) SetDeadline(t time.Time) error {
	return errors.Join(c.Conn.SetReadDeadline(t), c.out.SetWriteDeadline(t))
}

// frameServer is a server with live connections in memory that can be half-closed, with a fake clock.
type frameServer struct {
	*servertest.Server
	l *servertest.PipeListener
}

func runFrames(t *testing.T, test func(*testing.T, *frameServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &frameServer{servertest.New(t, servertest.Direct), servertest.NewPipeListener()}
		w.ListenOn(w.l)
		test(t, w)
	})
}

// dialRaw opens a connection in memory.
func (w *frameServer) dialRaw() net.Conn {
	w.T.Helper()
	ours, theirs := twoWay()
	w.T.Cleanup(func() { ours.Close() })
	if !w.l.Offer(theirs, time.Minute) {
		w.T.Fatal("the listener is closed")
	}
	return ours
}

// raw returns a connection before its hello.
func (w *frameServer) raw(p *servertest.Client) *servertest.RawConn {
	w.T.Helper()
	b := servertest.OpenRaw(w.T, w.dialRaw(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+p.Token))
	if b.Response.StatusCode != http.StatusSwitchingProtocols {
		w.T.Fatalf("handshake: got %d, want 101", b.Response.StatusCode)
	}
	return b
}

// rawJoined returns a connection after its hello.
func (w *frameServer) rawJoined(p *servertest.Client) *servertest.RawConn {
	w.T.Helper()
	b := w.raw(p)
	b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
	b.ExpectAck(1)
	return b
}

// neighbours are users whom no frame of another connection may disturb: Bob has a live connection, and gets
// the changes of Carol, who polls.
type neighbours struct {
	bob   *servertest.RawConn
	carol *servertest.Client
	seq   uint64
}

func (w *frameServer) neighbours() *neighbours {
	w.T.Helper()
	return &neighbours{bob: w.rawJoined(w.As("Bob", "901")), carol: w.As("Carol", "900"), seq: 1}
}

// expectUndisturbed checks that Bob gets an ack of his update and Carol's change.
func (n *neighbours) expectUndisturbed(t *testing.T) {
	t.Helper()
	section := fmt.Sprintf("change-%d", n.seq)
	n.carol.Update(fmt.Sprintf(`{"session": "c", "seq": %d, "section": %q}`, n.seq, section))
	seq := n.renew()
	late := time.After(20 * time.Second)
	for acked, seen := false, false; !acked || !seen; {
		select {
		case f := <-n.bob.Frames:
			m := f.Message()
			acked = acked || m.Type == "ack" && m.Seq == seq
			for _, u := range slices.Concat(m.Users, m.Changed) {
				seen = seen || u.Section == section
			}
		case <-n.bob.Done:
			t.Fatalf("the neighbour's connection has ended: %v", n.bob.Err)
		case <-late:
			t.Fatalf("neighbour: got the ack: %v, the change: %v, want both", acked, seen)
		}
	}
}

// renew sends Bob's heartbeat and returns its number.
func (n *neighbours) renew() uint64 {
	n.seq++
	n.bob.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, fmt.Appendf(nil, `{"type": "update", "seq": %d, "section": "s"}`, n.seq)))
	return n.seq
}

// stealing is an update that must not be stored; see nothingStolen.
const stealing = `{"type": "update", "seq": 2, "section": "stolen"}`

func nothingStolen(t *testing.T, w *servertest.Server) {
	t.Helper()
	if list := w.As("watcher", "999").GetList().Body; strings.Contains(list, "stolen") {
		t.Errorf("a message that had to be rejected was stored: %s", list)
	}
}

// fragments cuts a message into frames of size bytes.
func fragments(message string, size int) []byte {
	var all []byte
	first := byte(servertest.OpText)
	for len(message) > size {
		all = append(all, servertest.MaskedFrame(first, []byte(message[:size]))...)
		first, message = servertest.OpContinuation, message[size:]
	}
	return append(all, servertest.MaskedFrame(servertest.FinBit|first, []byte(message))...)
}

// longFrame returns a frame with a length of 16 or 64 bits, which may not be that of the payload.
func longFrame(first byte, length []byte, payload string) []byte {
	kind := byte(126)
	if len(length) == 8 {
		kind = 127
	}
	return slices.Concat([]byte{first, 0x80 | kind}, length, []byte{0, 0, 0, 0}, []byte(payload)) // a mask of zeros masks nothing
}

func bits16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

func bits64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// padTo returns an update of size bytes.
func padTo(size int, section string) string {
	m := `{"type": "update", "seq": 2, "section": "` + section + `", "padding": "`
	return m + strings.Repeat("x", size-len(m)-2) + `"}`
}

func closeFrame(code int, reason string) []byte {
	return servertest.MaskedFrame(servertest.FinBit|servertest.OpClose, append(bits16(code), reason...))
}

// frameCase is what a client sends, and the codes of the close frame that may answer it.
type frameCase struct {
	name  string
	sent  []byte
	codes []int // of the close frame
}

// framesRejected checks each case, sent at once and in small pieces.
func framesRejected(t *testing.T, cases []frameCase, before ...string) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		n := w.neighbours()
		for i, c := range cases {
			for how, size := range map[string]int{"at once": len(c.sent), "in pieces": 1 + len(c.sent)/5000} {
				b := w.rawJoined(w.As("Mallory", presence.UserID(fmt.Sprintf("%d-%d", i, size))))
				b.Name = c.name + ", " + how
				for sent := range slices.Chunk(c.sent, max(size, 1)) {
					if b.Send(sent) == 0 {
						break // closed, as it should be
					}
				}
				for _, code := range before {
					b.ExpectError(code)
				}
				b.ExpectClose(c.codes...)
				n.expectUndisturbed(t)
				nothingStolen(t, w.Server)
				if list := n.carol.List(); !strings.Contains(servertest.Names(*list.Users), "Mallory") {
					b.Errorf("the session ended with its connection, want 15 s later")
				}
				time.Sleep(16 * time.Second)
				if list := n.carol.List(); strings.Contains(servertest.Names(*list.Users), "Mallory") {
					b.Errorf("the session is listed 16 s after its connection, want not")
				}
				b.Conn.Close()
			}
		}
	})
}

// framesAccepted checks that each case is the update of seq 2 to the section "after".
func framesAccepted(t *testing.T, cases []frameCase) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		for i, c := range cases {
			for how, size := range map[string]int{"at once": len(c.sent), "byte by byte": 1} {
				b := w.rawJoined(w.As("Alice", presence.UserID(fmt.Sprintf("%d-%d", i, size))))
				b.Name = c.name + ", " + how
				for sent := range slices.Chunk(c.sent, size) {
					b.Send(sent)
				}
				b.ExpectAck(2)
				if list := w.As("watcher", "999").GetList().Body; !strings.Contains(list, "after") {
					b.Errorf("the message was acked, but is not stored: %s", list)
				}
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 3}`)))
				b.ExpectAck(3)
				b.ExpectClose(1000)
				b.Conn.Close()
			}
		}
	})
}

const moveAfter = `{"type": "update", "seq": 2, "section": "after"}`

// overTCP returns a server with live connections over TCP, and its host.
func overTCP(t *testing.T) (w *servertest.Server, host string) {
	t.Helper()
	w = servertest.New(t, servertest.Direct)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return w, w.ListenOn(l)
}

// neighboursTCP returns neighbours over TCP.
func neighboursTCP(t *testing.T, w *servertest.Server, host string) *neighbours {
	t.Helper()
	return &neighbours{bob: w.As("Bob", "901").DialRaw(t, host), carol: w.As("Carol", "900"), seq: 1}
}
