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
	index   int
	server  *harness.Process
	room    string
	place   int // in the room, on this server
	user    harness.User
	seq     int
	section int // the index of its last change
	version int

	conn   *harness.Conn
	state  state
	sentAt time.Time // when its last message was sent
}

type state int

const (
	disconnected state = iota
	handshaking
	waiting // for the snapshot
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

// hello joins the room. It asks for a snapshot with known_version 0.
func (p *Pool) hello(c *Client) {
	if c.server.Yardstick {
		c.state = joined
		p.joined++
		return
	}
	c.state = waiting
	if c.section == 0 {
		p.nextSection(c)
	}
	c.seq++
	p.send(c, `{"type":"hello","token":"%s","session":"tab%05d","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true,"known_version":0}`,
		c.user.Token, c.index, c.seq, c.section)
}

// update sends the client's section, which is a heartbeat if that has not changed.
func (p *Pool) update(c *Client) {
	c.seq++
	p.send(c, `{"type":"update","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true}`, c.seq, c.section)
}

// changeSection moves a client to a new section. The yardstick gets the delta that it has to broadcast.
func (p *Pool) changeSection(c *Client) {
	p.sent++
	p.nextSection(c)
	if c.server.Yardstick {
		p.send(c, `{"type":"delta","base":0,"version":0,"changed":[{"section":"c%08d"}]}`, c.section)
		return
	}
	p.update(c)
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
	endOfHeader   = []byte("\r\n\r\n")
	upgraded      = []byte("HTTP/1.1 101 ")
	pong          = []byte{0x8a, 0x80, 0, 0, 0, 0}
	ackStart      = []byte(`{"type":"ack"`)
	deltaStart    = []byte(`{"type":"delta"`)
	snapshotStart = []byte(`{"type":"snapshot"`)
	baseField     = []byte(`"base":`)
	versionField  = []byte(`"version":`)
	sectionField  = []byte(`"section":"c`)
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
		p.hello(c)
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
	case bytes.HasPrefix(text, ackStart):
		p.acks++
		p.ackLatency.Add(now.Sub(c.sentAt))
		return length, nil
	case bytes.HasPrefix(text, deltaStart):
		p.bytes += length
		p.handleDelta(c, now, text)
	case bytes.HasPrefix(text, snapshotStart):
		c.version, _, _ = numberAfter(text, versionField)
		if c.state == waiting {
			c.state = joined
			p.joined++
			p.snapshotLatency.Add(now.Sub(c.sentAt))
		}
	default:
		return 0, fmt.Errorf("the server sent %q", text)
	}
	return length, nil
}

func (p *Pool) handleDelta(c *Client, now time.Time, text []byte) {
	p.deltas++
	base, text, _ := numberAfter(text, baseField)
	version, text, _ := numberAfter(text, versionField)
	if base != c.version {
		p.run.Check(fmt.Errorf("a delta is based on version %d, and the client has version %d", base, c.version))
	}
	c.version = version
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
