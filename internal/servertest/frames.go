package servertest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// RawConn is a WebSocket client that sends whatever a test wants it to, and shows every frame
// that comes. It answers nothing.
type RawConn struct {
	T        *testing.T
	Name     string // of the case, in errors
	Conn     net.Conn
	Response *http.Response
	Frames   chan Frame
	Done     chan struct{} // when nothing more comes
	Err      error         // why, once over
}

type Frame struct {
	FirstByte byte
	Payload   []byte
}

func (f Frame) String() string { return fmt.Sprintf("[%#x %q]", f.FirstByte, f.Payload) }

// OpenRaw sends a handshake as it stands, and reads what comes.
func OpenRaw(t *testing.T, conn net.Conn, request string) *RawConn {
	t.Helper()
	go io.WriteString(conn, request)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("the handshake: %v", err)
	}
	b := &RawConn{T: t, Conn: conn, Response: answer, Frames: make(chan Frame, 10_000), Done: make(chan struct{})}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		close(b.Done)
		return b
	}
	go b.read(r)
	return b
}

func (b *RawConn) Errorf(format string, args ...any) {
	b.T.Helper()
	if b.Name != "" {
		format = b.Name + ": " + format
	}
	b.T.Errorf(format, args...)
}

func (b *RawConn) read(r *bufio.Reader) {
	defer close(b.Done)
	for {
		var f Frame
		if f.FirstByte, f.Payload, b.Err = ReadFrame(r); b.Err != nil {
			return
		}
		b.Frames <- f
	}
}

const RawHello = `{"type": "hello", "session": "bare", "seq": 1, "section": "before"}`

// Send gives how much could be sent.
func (b *RawConn) Send(frames ...[]byte) int {
	n, _ := b.Conn.Write(slices.Concat(frames...))
	return n
}

// Next gives the next frame, other than news and the server's own pings.
func (b *RawConn) Next() (f Frame, ok bool) {
	b.T.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case f = <-b.Frames:
		default:
			select {
			case f = <-b.Frames:
			case <-b.Done:
				select {
				case f = <-b.Frames:
				default:
					return f, false
				}
			case <-late:
				b.Errorf("nothing came, nor did the connection end")
				return f, false
			}
		}
		if !f.IsState() && !(f.FirstByte == FinBit|OpPing && len(f.Payload) == 0) {
			return f, true
		}
	}
}

// Code is that of a close frame, 0 for none.
func (f Frame) CloseCode() int {
	if f.FirstByte != FinBit|OpClose || len(f.Payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

func (f Frame) Message() (m Message) {
	if f.FirstByte == FinBit|OpText {
		json.Unmarshal(f.Payload, &m)
	}
	return m
}

func (f Frame) IsState() bool {
	kind := f.Message().Type
	return kind == "delta" || kind == "snapshot"
}

// ExpectAck checks that the next frame is the ack of a message.
func (b *RawConn) ExpectAck(seq uint64) {
	b.T.Helper()
	if f, _ := b.Next(); f.Message().Type != "ack" || f.Message().Seq != seq {
		b.Errorf("there came %v; due is the ack of %d", f, seq)
	}
}

// ExpectPong checks that the next frame is this pong.
func (b *RawConn) ExpectPong(payload []byte) {
	b.T.Helper()
	if f, _ := b.Next(); f.FirstByte != FinBit|OpPong || !bytes.Equal(f.Payload, payload) {
		b.Errorf("there came %v; due is a pong with %q", f, payload)
	}
}

// ExpectError checks that the next frame is this error.
func (b *RawConn) ExpectError(code string) {
	b.T.Helper()
	if f, _ := b.Next(); f.Message().Type != "error" || f.Message().Code != code {
		b.Errorf("there came %v; due is the error %s", f, code)
	}
}

// ExpectClose checks that the next frame closes the connection with one of these codes, 0 for
// none, and that it is the last.
func (b *RawConn) ExpectClose(codes ...int) {
	b.T.Helper()
	f, ok := b.Next()
	code := f.CloseCode()
	switch {
	case !ok:
		b.Errorf("the connection ended with %v and no close frame; due is one with code %v", b.Err, codes)
		return
	case f.FirstByte != FinBit|OpClose || !slices.Contains(codes, code):
		b.Errorf("there came %v, of code %d; due is a close frame with code %v", f, code, codes)
	case len(f.Payload) == 1 || len(f.Payload) > 125 || len(f.Payload) > 2 && !utf8.Valid(f.Payload[2:]):
		b.Errorf("the close frame is none: %v", f)
	}
	select {
	case <-b.Done:
	case <-time.After(5 * time.Second):
		b.Errorf("5 s after the close frame the server has not closed its side")
		return
	}
	if b.Err != io.EOF {
		b.Errorf("after the close frame the connection broke: %v; due is its end", b.Err)
	}
	for len(b.Frames) > 0 {
		b.Errorf("after the close frame there came %v", <-b.Frames)
	}
}

// NextAny is next, with the empty ones.
func (b *RawConn) NextWithPings() (f Frame, ok bool) {
	b.T.Helper()
	for {
		select {
		case f := <-b.Frames:
			if !f.IsState() {
				return f, true
			}
		case <-time.After(20 * time.Second):
			b.Errorf("nothing came")
			return f, false
		}
	}
}

func (w *Server) ListenOn(l net.Listener) (host string) {
	w.start(l, Serve)
	return l.Addr().String()
}

// DialRaw is a client of it, who has said hello.
func (p *Client) DialRaw(t *testing.T, host string) *RawConn {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	b := OpenRaw(t, conn, HandshakeRequest(host, LivePath, "Authorization", "Bearer "+p.Token))
	b.Send(MaskedFrame(FinBit|OpText, []byte(RawHello)))
	b.ExpectAck(1)
	return b
}

// The first bytes of frames (RFC 6455, 5.2).
const (
	FinBit         = 0x80
	OpContinuation = 0x0 // the continuation of a message
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)
