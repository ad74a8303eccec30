package live

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Client is one session of a user. Its session, sequence number and section outlive its connection.
type Client struct {
	index    int
	server   *harness.Process
	protocol Protocol
	room     string
	place    int // in the room, on this server
	user     harness.User
	session  string
	seq      int
	section  int // the index of its last change
	version  int

	conn   *harness.Conn
	state  state
	sentAt time.Time // when its last message was sent
}

type state int

const (
	disconnected state = iota
	handshaking
	waiting // for the snapshot, or what a protocol has instead
	joined
)

// write leaves a connection that the server has closed to the next read, which counts it.
func (p *Pool) write(c *Client, b []byte) {
	if c.state == disconnected {
		return
	}
	if err := c.conn.Write(b); err != syscall.EPIPE && err != syscall.ECONNRESET {
		p.run.Check(err)
	}
}

func (p *Pool) heartbeat(c *Client) { c.protocol.heartbeat(p, c) }

// changeSection moves a client to a new section.
func (p *Pool) changeSection(c *Client) {
	p.sent++
	p.nextSection(c)
	c.protocol.change(p, c)
}

func (p *Pool) nextSection(c *Client) {
	c.section = len(p.changes)
	p.changes = append(p.changes, change{c, time.Now()})
}

// send sends a text frame. Its mask is zero, which costs the server what others do.
func (p *Pool) send(c *Client, format string, args ...any) {
	c.sentAt = time.Now()
	const maxHeader = 8
	p.out = fmt.Appendf(append(p.out[:0], make([]byte, maxHeader)...), format, args...)
	frame, n := p.out, len(p.out)-maxHeader
	if n < 126 {
		frame = frame[2:]
		frame[1] = 0x80 | byte(n)
	} else {
		frame[1] = 0x80 | 126
		binary.BigEndian.PutUint16(frame[2:], uint16(n))
	}
	frame[0] = 0x81
	p.write(c, frame)
}

// parseFrame returns the opcode and the payload of the frame that text begins with, and the
// frame's length, 0 if it is incomplete.
func parseFrame(text []byte) (opcode byte, payload []byte, length int) {
	if len(text) < 2 || len(text) < min(10, 2+int(text[1])) {
		return 0, nil, 0
	}
	header, n := 2, int(text[1])
	switch n {
	case 126:
		header, n = 4, int(binary.BigEndian.Uint16(text[2:]))
	case 127:
		header, n = 10, int(binary.BigEndian.Uint64(text[2:]))
	}
	if len(text) < header+n {
		return 0, nil, 0
	}
	return text[0] & 0xf, text[header : header+n], header + n
}

var (
	endOfHeader  = []byte("\r\n\r\n")
	upgraded     = []byte("HTTP/1.1 101 ")
	pong         = []byte{0x8a, 0x80, 0, 0, 0, 0}
	sectionField = []byte(`"section":"c`)
)

const (
	opcodeClose = 0x8
	opcodePing  = 0x9
)

// handle handles the first message in what a client has received, and returns its length, 0
// if it is incomplete. It fails at whatever a server does not say when all is well.
func (p *Pool) handle(c *Client, now time.Time, in []byte) (int, error) {
	switch c.state {
	case disconnected:
		return len(in), nil
	case handshaking:
		end := bytes.Index(in, endOfHeader)
		if end < 0 {
			return 0, nil
		}
		if !bytes.HasPrefix(in, upgraded) {
			return 0, fmt.Errorf("the handshake was answered %s", in)
		}
		p.handshaking--
		c.state = waiting
		c.protocol.join(p, c)
		return end + len(endOfHeader), nil
	}
	opcode, text, length := parseFrame(in)
	switch {
	case length == 0:
		return 0, nil
	case opcode == opcodePing:
		p.write(c, pong)
		return length, nil
	case opcode == opcodeClose: // the end of the connection is counted, which follows
		return length, nil
	}
	return length, c.protocol.receive(p, c, now, text)
}

// join counts a client whose room is on its screen.
func (p *Pool) join(c *Client, now time.Time) {
	c.state = joined
	p.joined++
	p.snapshotLatency.Add(now.Sub(c.sentAt))
}

func (p *Pool) acknowledge(c *Client, now time.Time) {
	p.acks++
	p.ackLatency.Add(now.Sub(c.sentAt))
}

// deliver counts the changes of a message.
func (p *Pool) deliver(c *Client, now time.Time, text []byte) {
	p.deltas++
	p.bytes += len(text)
	for {
		index, rest, found := numberAfter(text, sectionField)
		if !found {
			return
		}
		text = rest
		p.delivered++
		change := p.changes[index]
		if change.by == c {
			continue
		}
		latency := now.Sub(change.at)
		p.deltaLatency.Add(latency)
		if change.by.server == c.server {
			p.SameNode.Add(latency)
		} else {
			p.OtherNode.Add(latency)
		}
	}
}

// numberAfter parses the digits after the first occurrence of a field.
func numberAfter(text, field []byte) (number int, rest []byte, found bool) {
	at := bytes.Index(text, field)
	if at < 0 {
		return 0, text, false
	}
	end := at + len(field)
	for ; end < len(text) && text[end] >= '0' && text[end] <= '9'; end++ {
		number = number*10 + int(text[end]-'0')
	}
	return number, text[end:], true
}
