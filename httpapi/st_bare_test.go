package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/writer-presence/writer-presence/httpapi"
)

// bare is a WebSocket client that sends whatever a test wants it to, and shows every frame
// that comes. It answers nothing.
type bare struct {
	t      *testing.T
	name   string // of the case, in errors
	conn   net.Conn
	answer *http.Response
	in     chan bareFrame
	over   chan struct{} // when nothing more comes
	err    error         // why, once over
}

type bareFrame struct {
	first   byte
	payload []byte
}

func (f bareFrame) String() string { return fmt.Sprintf("[%#x %q]", f.first, f.payload) }

// open sends a handshake as it stands, and reads what comes.
func openBare(t *testing.T, conn net.Conn, request string) *bare {
	t.Helper()
	go io.WriteString(conn, request)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("the handshake: %v", err)
	}
	b := &bare{t: t, conn: conn, answer: answer, in: make(chan bareFrame, 10_000), over: make(chan struct{})}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		close(b.over)
		return b
	}
	go b.read(r)
	return b
}

func (b *bare) errorf(format string, args ...any) {
	b.t.Helper()
	if b.name != "" {
		format = b.name + ": " + format
	}
	b.t.Errorf(format, args...)
}

func (b *bare) read(r *bufio.Reader) {
	defer close(b.over)
	for {
		var f bareFrame
		if f.first, f.payload, b.err = readFrame(r); b.err != nil {
			return
		}
		b.in <- f
	}
}

const bareHello = `{"type": "hello", "session": "bare", "seq": 1, "section": "before"}`

// send gives how much could be sent.
func (b *bare) send(frames ...[]byte) int {
	n, _ := b.conn.Write(slices.Concat(frames...))
	return n
}

// next gives the next frame, other than news and the server's own pings.
func (b *bare) next() (f bareFrame, ok bool) {
	b.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case f = <-b.in:
		default:
			select {
			case f = <-b.in:
			case <-b.over:
				select {
				case f = <-b.in:
				default:
					return f, false
				}
			case <-late:
				b.errorf("nothing came, nor did the connection end")
				return f, false
			}
		}
		if !f.isNews() && !(f.first == finBit|opPing && len(f.payload) == 0) {
			return f, true
		}
	}
}

// code is that of a close frame, 0 for none.
func (f bareFrame) code() int {
	if f.first != finBit|opClose || len(f.payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.payload))
}

func (f bareFrame) message() (m message) {
	if f.first == finBit|opText {
		json.Unmarshal(f.payload, &m)
	}
	return m
}

func (f bareFrame) isNews() bool {
	kind := f.message().Type
	return kind == "delta" || kind == "snapshot"
}

// acks checks that the next frame is the ack of a message.
func (b *bare) acks(seq uint64) {
	b.t.Helper()
	if f, _ := b.next(); f.message().Type != "ack" || f.message().Seq != seq {
		b.errorf("there came %v; due is the ack of %d", f, seq)
	}
}

// pongs checks that the next frame is this pong.
func (b *bare) pongs(payload []byte) {
	b.t.Helper()
	if f, _ := b.next(); f.first != finBit|opPong || !bytes.Equal(f.payload, payload) {
		b.errorf("there came %v; due is a pong with %q", f, payload)
	}
}

// tells checks that the next frame is this error.
func (b *bare) tells(code string) {
	b.t.Helper()
	if f, _ := b.next(); f.message().Type != "error" || f.message().Code != code {
		b.errorf("there came %v; due is the error %s", f, code)
	}
}

// closes checks that the next frame closes the connection with one of these codes, 0 for
// none, and that it is the last.
func (b *bare) closes(codes ...int) {
	b.t.Helper()
	f, ok := b.next()
	code := f.code()
	switch {
	case !ok:
		b.errorf("the connection ended with %v and no close frame; due is one with code %v", b.err, codes)
		return
	case f.first != finBit|opClose || !slices.Contains(codes, code):
		b.errorf("there came %v, of code %d; due is a close frame with code %v", f, code, codes)
	case len(f.payload) == 1 || len(f.payload) > 125 || len(f.payload) > 2 && !utf8.Valid(f.payload[2:]):
		b.errorf("the close frame is none: %v", f)
	}
	select {
	case <-b.over:
	case <-time.After(5 * time.Second):
		b.errorf("5 s after the close frame the server has not closed its side")
		return
	}
	if b.err != io.EOF {
		b.errorf("after the close frame the connection broke: %v; due is its end", b.err)
	}
	for len(b.in) > 0 {
		b.errorf("after the close frame there came %v", <-b.in)
	}
}

// next0 is next, with the empty ones.
func (b *bare) next0() (f bareFrame, ok bool) {
	b.t.Helper()
	for {
		select {
		case f := <-b.in:
			if !f.isNews() {
				return f, true
			}
		case <-time.After(20 * time.Second):
			b.errorf("nothing came")
			return f, false
		}
	}
}

func (w *world) listenOn(l net.Listener) (host string) {
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { httpapi.Serve(ctx, l, w.handler, 0, slog.New(slog.DiscardHandler)) })
	serving.Go(func() { w.handler.Run(ctx) })
	w.t.Cleanup(func() {
		end()
		serving.Wait()
	})
	return l.Addr().String()
}

// bareTCP is a client of it, who has said hello.
func (p *person) bareTCP(t *testing.T, host string) *bare {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	b := openBare(t, conn, handshake(host, livePath, "Authorization", "Bearer "+p.token))
	b.send(maskedFrame(finBit|opText, []byte(bareHello)))
	b.acks(1)
	return b
}

// The first bytes of frames (RFC 6455, 5.2).
const (
	finBit   = 0x80
	opMore   = 0x0 // the continuation of a message
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
)
