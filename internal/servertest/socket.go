package servertest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Socket is a WebSocket client that reads all messages and answers pings.
type Socket struct {
	T           *testing.T
	Conn        net.Conn
	Messages    chan Message
	IgnorePings bool
	Pings       chan time.Time // the times of the first hundred pings
	Pongs       atomic.Int32
	Done        chan struct{} // closed when the connection has ended
	CloseCode   int           // of the close frame, 0 if there was none; set before Done is closed
}

// NewSocket returns a socket on a connection whose handshake is done; r has what the server sent after it.
func NewSocket(t *testing.T, conn net.Conn, r *bufio.Reader) *Socket {
	s := &Socket{T: t, Conn: conn, Messages: make(chan Message, 10_000), Pings: make(chan time.Time, 100), Done: make(chan struct{})}
	go s.read(r)
	return s
}

// read receives frames until the connection ends.
func (s *Socket) read(r *bufio.Reader) {
	defer close(s.Done)
	for {
		first, payload, err := ReadFrame(r)
		if err != nil {
			return
		}
		switch first {
		case FinBit | OpText:
			m := Message{Text: string(payload)}
			if err := json.Unmarshal(payload, &m); err != nil {
				s.T.Errorf("got a message that is not JSON: %q: %v", payload, err)
			}
			s.Messages <- m
		case FinBit | OpPing:
			select {
			case s.Pings <- time.Now():
			default: // the test does not read them
			}
			if !s.IgnorePings {
				go s.Conn.Write(MaskedFrame(FinBit|OpPong, payload))
			}
		case FinBit | OpClose:
			if len(payload) >= 2 {
				s.CloseCode = int(binary.BigEndian.Uint16(payload))
			}
		case FinBit | OpPong:
			s.Pongs.Add(1)
		default:
			s.T.Errorf("got a frame with the first byte %#x", first)
		}
	}
}

// Send sends a message of a type with the members of a JSON object; the braces may be left out.
func (s *Socket) Send(kind, fields string) {
	s.T.Helper()
	fields = strings.TrimSpace(fields)
	if members, whole := strings.CutPrefix(fields, "{"); whole {
		fields = strings.TrimSpace(strings.TrimSuffix(members, "}"))
	}
	if fields != "" {
		fields = ", " + fields
	}
	s.SendFrame(FinBit|OpText, []byte(`{"type": "`+kind+`"`+fields+"}"))
}

// SendFrame sends a masked frame with this first byte.
func (s *Socket) SendFrame(first byte, payload []byte) {
	s.T.Helper()
	if _, err := s.Conn.Write(MaskedFrame(first, payload)); err != nil {
		s.T.Logf("cannot send a frame: %v", err)
	}
}

var errNoMessage = errors.New("no message arrived")

// Receive returns the next message. It returns an error if none arrives in this time, or if the connection ends.
func (s *Socket) Receive(timeout time.Duration) (Message, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case m := <-s.Messages:
		return m, nil
	case <-timer.C:
		return Message{}, errNoMessage
	case <-s.Done:
	}
	select {
	case m := <-s.Messages: // arrived before the end
		return m, nil
	default:
		return Message{}, fmt.Errorf("the connection was closed with code %d", s.CloseCode)
	}
}

// Next returns the next message, which must have this type and arrive within 10 s.
func (s *Socket) Next(kind string) Message {
	s.T.Helper()
	m, err := s.Receive(10 * time.Second)
	if err != nil {
		s.T.Fatalf("%v; want a message of type %s", err, kind)
	}
	if m.Type != kind {
		s.T.Fatalf("got %s, want a message of type %s", m.Text, kind)
	}
	return m
}

// NextWithin returns the next message, which must arrive in this time.
func (s *Socket) NextWithin(within time.Duration) Message {
	s.T.Helper()
	m, err := s.Receive(within)
	if err != nil {
		s.T.Fatal(err)
	}
	return m
}

// SkipTo discards messages until one has one of these types, and returns it. Each must arrive within 10 s.
func (s *Socket) SkipTo(types ...string) Message {
	s.T.Helper()
	for {
		m, err := s.Receive(10 * time.Second)
		if err != nil {
			s.T.Fatalf("%v; want a message of type %s", err, strings.Join(types, " or "))
		}
		if slices.Contains(types, m.Type) {
			return m
		}
	}
}

// Pending returns all messages that arrive until the server has nothing more to send.
func (s *Socket) Pending() (messages []Message) {
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
	for len(s.Messages) > 0 {
		messages = append(messages, <-s.Messages)
	}
	return messages
}

// Closed reports whether the connection has ended.
func (s *Socket) Closed() bool {
	select {
	case <-s.Done:
		return true
	default:
		return false
	}
}

// StopReading makes the client read nothing until ResumeReading. The connection must be a PausableConn.
func (s *Socket) StopReading() {
	c := s.Conn.(*PausableConn)
	c.reading <- struct{}{}
	c.SetReadDeadline(time.Unix(1, 0))
	synctest.Wait()
}

// ResumeReading ends StopReading.
func (s *Socket) ResumeReading() {
	c := s.Conn.(*PausableConn)
	c.SetReadDeadline(time.Time{})
	<-c.reading
}

// ExpectNothing checks that no message arrives for a time and that the connection stays open.
func (s *Socket) ExpectNothing(d time.Duration) {
	s.T.Helper()
	switch m, err := s.Receive(d); err {
	case errNoMessage:
	case nil:
		s.T.Errorf("got %s, want no message for %v", m.Text, d)
	default:
		s.T.Error(err)
	}
}

// ExpectAckAndSnapshot checks that the pending messages are an ack and, if snapshot is true, a snapshot, all of this
// version. known is the version that the client sent, for failure messages.
func (s *Socket) ExpectAckAndSnapshot(snapshot bool, version uint64, known string) {
	s.T.Helper()
	var types []string
	for _, m := range s.Pending() {
		types = append(types, m.Type)
		if m.Version != version {
			s.T.Errorf("known_version %s: got %s, want version %d", known, m.Text, version)
		}
	}
	want := []string{"ack"}
	if snapshot {
		want = append(want, "snapshot")
	}
	if !slices.Equal(types, want) {
		s.T.Errorf("known_version %q: got messages %q, want %q", known, types, want)
	}
}

// ExpectLeft checks that the next message is a delta that this user left and nothing else, and returns how long it took.
func (s *Socket) ExpectLeft(name string, id any, within time.Duration) time.Duration {
	s.T.Helper()
	began := time.Now()
	m, err := s.Receive(within)
	if err != nil {
		s.T.Fatalf("%v within %v; want a delta that %s left", err, within, name)
	}
	if m.Type != "delta" || len(m.Changed) != 0 || len(m.Left) != 1 || m.Left[0] != id {
		s.T.Fatalf("got %s, want a delta that only %s left", m.Text, name)
	}
	return time.Since(began)
}

// ExpectRejected checks that the next message is this error and that the connection is then closed.
func (s *Socket) ExpectRejected(code string) {
	s.T.Helper()
	if m := s.Next("error"); m.Code != code || m.Error == "" {
		s.T.Errorf("got %s, want the error %s", m.Text, code)
	}
	s.ExpectClose(1008)
}

// ExpectClose checks that the server closes the connection with this code within a minute.
func (s *Socket) ExpectClose(code int) {
	s.T.Helper()
	select {
	case <-s.Done:
		if s.CloseCode != code {
			s.T.Errorf("got close code %d, want %d", s.CloseCode, code)
		}
	case <-time.After(time.Minute):
		s.T.Fatalf("the connection is open, want close code %d", code)
	}
}
