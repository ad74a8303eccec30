package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"syscall"
	"time"
)

// crowd is many people with a live connection each, all served by one loop that never
// sleeps, for the reason that drive has.
type crowd struct {
	epoll   int
	events  [512]syscall.EpollEvent
	in      []byte // what one connection has to say goes here
	out     []byte
	members []*member

	shaking int // handshakes that are not answered
	here    int // members who know who is here
	lost    int // connections that were ended by the server

	// changes has all sections that were ever said: its number is in the name of a section.
	changes []change
	seen
}

// change is a section that a member said to be in.
type change struct {
	by *member
	at time.Time
}

// seen is what came since the last reset.
type seen struct {
	sent      int // changes
	acks      int
	deltas    int
	told      int // changes in those, one's own among them
	bytes     int // of frames with deltas
	snapshots int
	missed    int       // deltas that do not follow on what was known
	news      latencies // from a change to the delta of somebody else
	near, far latencies // likewise on the same server, and on another one
	answers   latencies // from a message to its ack
	welcomes  latencies // from a hello to its snapshot
	late      latencies // by which the load came late with a change
}

// member is one of a crowd. What it knows outlives its connection.
type member struct {
	place   int
	server  *process
	room    string
	person  person
	seq     int
	section int
	version int

	fd    int
	state state
	rest  []byte // the beginning of what has not come whole
	asked time.Time
	keeps bool
	kept  [][]byte // what it was told
}

type state int

const (
	away state = iota
	shaking
	greeting
	here
)

func newCrowd() (*crowd, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	c := &crowd{epoll: epoll, in: make([]byte, 1<<20)}
	for _, l := range []*latencies{&c.news, &c.near, &c.far, &c.answers, &c.welcomes, &c.late} {
		*l = make(latencies, longest/latencyStep)
	}
	return c, err
}

// add makes members of people, so many in each room.
func (c *crowd) add(server *process, everybody []person, inRoom int) (added []*member) {
	for i, p := range everybody {
		m := &member{place: len(c.members), server: server, room: fmt.Sprintf("room-%d", i/inRoom), person: p}
		c.members = append(c.members, m)
		added = append(added, m)
	}
	return added
}

func (c *crowd) reset() {
	clear(c.news)
	clear(c.near)
	clear(c.far)
	clear(c.answers)
	clear(c.welcomes)
	clear(c.late)
	c.seen = seen{news: c.news, near: c.near, far: c.far, answers: c.answers, welcomes: c.welcomes, late: c.late}
}

// pace says when each of many things is due that are so far apart.
type pace struct {
	next  time.Time
	every time.Duration
}

func (p *pace) due(now time.Time) bool {
	if now.Before(p.next) {
		return false
	}
	p.next = p.next.Add(p.every)
	return true
}

// during takes what comes for a while, and has each called all the time.
func (c *crowd) during(d time.Duration, each func(now time.Time) error) error {
	end := time.Now().Add(d)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if each != nil {
			if err := each(now); err != nil {
				return err
			}
		}
		if err := c.poll(); err != nil {
			return err
		}
	}
	return nil
}

// connect connects members in their order, at least so far apart, and not more at once
// than that; it returns when all know who is here.
func (c *crowd) connect(members []*member, atOnce int, every time.Duration) error {
	began := time.Now()
	p := pace{began, every}
	due := c.here + len(members)
	for c.here < due {
		now := time.Now()
		if now.Sub(began) > time.Minute || c.lost > 0 {
			return fmt.Errorf("%d are still missing, and %d connections were ended by the server", due-c.here, c.lost)
		}
		if len(members) > 0 && c.shaking < atOnce && p.due(now) {
			if err := c.dial(members[0]); err != nil {
				return err
			}
			members = members[1:]
		}
		if err := c.poll(); err != nil {
			return err
		}
	}
	return nil
}

// whole is an error if connections were lost.
func (c *crowd) whole() error {
	if c.lost > 0 {
		return fmt.Errorf("%d connections were ended by the server", c.lost)
	}
	return nil
}

func (c *crowd) dial(m *member) error {
	address, err := netip.ParseAddrPort(m.server.address)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	m.fd, m.state, m.rest, m.version = fd, shaking, m.rest[:0], 0
	c.shaking++
	// A connection that is cut shall be gone, and its port free, at once.
	err = errors.Join(
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())}),
		syscall.SetNonblock(fd, true),
		syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(m.place)}))
	if err != nil {
		return err
	}
	return m.write(fmt.Appendf(c.out[:0], "GET %s/project/%s/presence/live/ HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[3]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: writer-presence.v1\r\n\r\n", prefix, m.room, m.server.address))
}

// cut ends the connections of members, without a word.
func (c *crowd) cut(members []*member) {
	for _, m := range members {
		if m.state == away {
			continue
		}
		switch m.state {
		case shaking:
			c.shaking--
		case here:
			c.here--
		}
		syscall.Close(m.fd)
		m.state = away
	}
}

func (c *crowd) close() {
	c.cut(c.members)
	syscall.Close(c.epoll)
}

// poll reads from all connections that have something to say.
func (c *crowd) poll() error {
	n, err := syscall.EpollWait(c.epoll, c.events[:], 0)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return err
	}
	for _, event := range c.events[:max(n, 0)] {
		if err := c.read(c.members[event.Fd]); err != nil {
			return err
		}
	}
	return nil
}

var protocolChosen = []byte("HTTP/1.1 101 ")

func (c *crowd) read(m *member) error {
	kept := copy(c.in, m.rest)
	n, err := syscall.Read(m.fd, c.in[kept:])
	now := time.Now()
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil, n == 0:
		c.lost++
		c.cut([]*member{m})
		return nil
	}
	in := c.in[:kept+n]
	if m.state == shaking {
		end := bytes.Index(in, endOfHeader)
		if end >= 0 && !bytes.HasPrefix(in, protocolChosen) {
			return fmt.Errorf("the handshake was answered %s", in)
		}
		if end >= 0 {
			in = in[end+len(endOfHeader):]
			c.shaking--
			if err := c.greet(m); err != nil {
				return err
			}
		}
	}
	for m.state > shaking {
		opcode, payload, rest, whole := cutFrame(in)
		if !whole {
			break
		}
		if err := c.take(m, now, opcode, payload, len(in)-len(rest)); err != nil {
			return err
		}
		in = rest
	}
	m.rest = append(m.rest[:0], in...)
	return nil
}

// greet says hello; known_version 0 makes sure that a snapshot comes.
func (c *crowd) greet(m *member) error {
	if m.server.bare {
		m.state = here
		c.here++
		return nil
	}
	m.state = greeting
	if m.section == 0 {
		c.nextSection(m)
	}
	m.seq++
	m.asked = time.Now()
	return c.say(m, `{"type":"hello","token":"%s","session":"tab%05d","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true,"known_version":0}`,
		m.person.token, m.place, m.seq, m.section)
}

// beat says what a member said before, and is its sign of life.
func (c *crowd) beat(m *member) error {
	m.seq++
	m.asked = time.Now()
	return c.say(m, `{"type":"update","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true}`, m.seq, m.section)
}

// move changes a member's section. A bare server is told what to tell the room.
func (c *crowd) move(m *member) error {
	c.sent++
	c.nextSection(m)
	if m.server.bare {
		return c.say(m, `{"type":"delta","base":0,"version":0,"changed":[{"section":"c%08d"}]}`, m.section)
	}
	return c.beat(m)
}

func (c *crowd) nextSection(m *member) {
	if len(c.changes) == 0 {
		c.changes = make([]change, 1, 1<<17)
	}
	m.section = len(c.changes)
	c.changes = append(c.changes, change{m, time.Now()})
}

// say sends a text, masked with zeros: they cost the server what others do.
func (c *crowd) say(m *member, format string, args ...any) error {
	const longestHeader = 8
	c.out = fmt.Appendf(append(c.out[:0], make([]byte, longestHeader)...), format, args...)
	frame, n := c.out, len(c.out)-longestHeader
	if n < 126 {
		frame = frame[2:]
		frame[1] = 0x80 | byte(n)
	} else {
		frame[1] = 0x80 | 126
		binary.BigEndian.PutUint16(frame[2:], uint16(n))
	}
	frame[0] = 0x81
	return m.write(frame)
}

func (m *member) write(b []byte) error {
	if m.state == away {
		return nil
	}
	n, err := syscall.Write(m.fd, b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // its end is read, and counted
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// cutFrame cuts off the first frame that the server sent, if it is whole.
func cutFrame(b []byte) (opcode byte, payload, rest []byte, whole bool) {
	if len(b) < 2 || len(b) < min(10, 2+int(b[1])) {
		return 0, nil, b, false
	}
	header, n := 2, int(b[1])
	switch n {
	case 126:
		header, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		header, n = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if len(b) < header+n {
		return 0, nil, b, false
	}
	return b[0] & 0xf, b[header : header+n], b[header+n:], true
}

var (
	pong          = []byte{0x8a, 0x80, 0, 0, 0, 0}
	ackStart      = []byte(`{"type":"ack"`)
	deltaStart    = []byte(`{"type":"delta"`)
	snapshotStart = []byte(`{"type":"snapshot"`)
	baseName      = []byte(`"base":`)
	versionName   = []byte(`"version":`)
	sectionName   = []byte(`"section":"c`)
)

// take takes in a frame of so many bytes. Whatever a server says that is well looks like this.
func (c *crowd) take(m *member, now time.Time, opcode byte, text []byte, size int) error {
	switch {
	case opcode == 0x9:
		return m.write(pong)
	case opcode == 0x8: // what is counted is the end that follows
		return nil
	case bytes.HasPrefix(text, ackStart):
		c.acks++
		c.answers.add(now.Sub(m.asked))
		return nil
	case bytes.HasPrefix(text, deltaStart):
		c.bytes += size
		c.takeDelta(m, now, text)
	case bytes.HasPrefix(text, snapshotStart):
		c.snapshots++
		m.version, _, _ = numberAfter(text, versionName)
		if m.state == greeting {
			m.state = here
			c.here++
			c.welcomes.add(now.Sub(m.asked))
		}
	default:
		return fmt.Errorf("the server said %q", text)
	}
	if m.keeps {
		m.kept = append(m.kept, bytes.Clone(text))
	}
	return nil
}

func (c *crowd) takeDelta(m *member, now time.Time, text []byte) {
	c.deltas++
	base, text, _ := numberAfter(text, baseName)
	version, text, _ := numberAfter(text, versionName)
	if base != m.version {
		c.missed++
	}
	m.version = version
	for {
		number, rest, found := numberAfter(text, sectionName)
		if !found {
			return
		}
		text = rest
		c.told++
		if change := c.changes[number]; change.by != m {
			took := now.Sub(change.at)
			c.news.add(took)
			if change.by.server == m.server {
				c.near.add(took)
			} else {
				c.far.add(took)
			}
		}
	}
}

func numberAfter(text, name []byte) (number int, rest []byte, found bool) {
	at := bytes.Index(text, name)
	if at < 0 {
		return 0, text, false
	}
	end := at + len(name)
	for ; end < len(text) && text[end] >= '0' && text[end] <= '9'; end++ {
		number = number*10 + int(text[end]-'0')
	}
	return number, text[end:], true
}

// latencies counts what took how long, in steps.
type latencies []uint32

const (
	latencyStep = 10 * time.Microsecond
	longest     = 10 * time.Second
)

func (l latencies) add(d time.Duration) { l[min(int(d/latencyStep), len(l)-1)]++ }

// share gives in how many ms so great a share of all was done.
func (l latencies) share(of float64) float64 {
	all := 0
	for _, n := range l {
		all += int(n)
	}
	rest := float64(all) * of
	for i, n := range l {
		if rest -= float64(n); rest < 0 {
			return (time.Duration(i+1) * latencyStep).Seconds() * 1000
		}
	}
	return 0
}
