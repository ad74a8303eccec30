package redis

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

const (
	connections = 8
	depth       = 16 // commands in one write
)

// load generates operations for people in rooms of one size, with little CPU of its own.
type load struct {
	b           *bench
	commands    [commandCount]*template
	rooms, size int
	conns       []*connection
	subscribers []*harness.Conn
	buffer      []byte

	sent        int64 // operations
	versions    []uint64
	alternative []byte // which of two sections each person is in
	absent      []bool
	random      *rand.Rand
}

// connection has rooms of its own, so that replies about a room come in the order of its operations.
type connection struct {
	*harness.Conn
	index, sent, left int
	pending           []int // the rooms of which replies are due
}

func (b *bench) newLoad(rooms, size int, lease time.Duration) *load {
	l := &load{b: b, commands: b.record(lease), rooms: rooms, size: size, buffer: make([]byte, 4<<20), random: rand.New(rand.NewPCG(1, 2)),
		versions: make([]uint64, rooms), alternative: make([]byte, rooms*size), absent: make([]bool, rooms*size)}
	for i := range min(connections, rooms) {
		l.conns = append(l.conns, &connection{Conn: b.dial(), index: i})
	}
	return l
}

// dial returns a connection that is closed when the scenario ends.
func (b *bench) dial() *harness.Conn {
	conn, err := harness.Dial(b.redis.Address)
	b.Check(err)
	b.Cleanup(conn.Close)
	return conn
}

func (l *load) roomsOf(c *connection) int { return (l.rooms - c.index + connections - 1) / connections }

// nextPerson goes through the rooms of a connection, one person in each, and then the next one.
func (l *load) nextPerson(c *connection) (room, person int) {
	rooms := l.roomsOf(c)
	room = c.index + connections*(c.sent%rooms)
	return room, room*l.size + c.sent/rooms%l.size
}

func (l *load) numbers(room, person int) numbers {
	return numbers{room: room, person: person, section: l.section(person), seq: firstSeq + l.sent, version: l.versions[room]}
}

func (l *load) section(person int) int { return 2*person + int(l.alternative[person]) }

// operation appends the command of one person.
type operation func(l *load, out []byte, room, person int) []byte

func send(c command) operation {
	return func(l *load, out []byte, room, person int) []byte {
		return l.commands[c].append(out, l.numbers(room, person))
	}
}

var renew = send(updateCommand)

func change(l *load, out []byte, room, person int) []byte {
	l.alternative[person] ^= 1
	return renew(l, out, room, person)
}

// enterOccupied has every other person of a room enter the sections of two others in turn.
func enterOccupied(l *load, out []byte, room, person int) []byte {
	place := (person - room*l.size) &^ 1
	person = room*l.size + place
	l.alternative[person] ^= 1
	n := l.numbers(room, person)
	host := (place + 1 + 2*int(l.alternative[person])) % l.size
	n.section = l.section(room*l.size + host)
	return l.commands[entryCommand].append(out, n)
}

// leaveOrReturn has those who are present leave, and the others return.
func leaveOrReturn(l *load, out []byte, room, person int) []byte {
	l.absent[person] = !l.absent[person]
	if l.absent[person] {
		return send(leaveCommand)(l, out, room, person)
	}
	return renew(l, out, room, person)
}

// Operations of each person in an hour of the typical mix; each leave is followed by a return.
const (
	renewalsPerHour = 120
	changesPerHour  = 60
	leavesPerHour   = 1
)

func typicalMix(l *load, out []byte, room, person int) []byte {
	n := l.random.IntN(renewalsPerHour + changesPerHour + leavesPerHour)
	switch {
	case l.absent[person] || n < leavesPerHour:
		return leaveOrReturn(l, out, room, person)
	case n < leavesPerHour+changesPerHour:
		return change(l, out, room, person)
	}
	return renew(l, out, room, person)
}

// run sends operations on all connections until a time, or one for each person if once is set,
// and waits for all replies. It returns their number, and in how many replies the version was new.
func (l *load) run(o operation, replies int, until time.Time, once bool) (n, newVersions int) {
	for _, c := range l.conns {
		c.left = 1 << 40
		if once {
			c.left = l.roomsOf(c) * l.size
		}
	}
	out := make([]byte, 0, 1<<16)
	for busy := true; busy; {
		busy = false
		for _, s := range l.subscribers {
			l.b.Check(s.Read(l.buffer, replyLength))
		}
		for _, c := range l.conns {
			if len(c.pending) == 0 {
				if c.left == 0 || !time.Now().Before(until) {
					continue
				}
				out = out[:0]
				for range min(depth, c.left) {
					room, person := l.nextPerson(c)
					out = o(l, out, room, person)
					for range replies {
						c.pending = append(c.pending, room)
					}
					c.sent++
					c.left--
					l.sent++
					n++
				}
				l.b.Check(c.Write(out))
			}
			busy = true
			l.b.Check(c.Read(l.buffer, func(in []byte) (int, error) {
				length, err := replyLength(in)
				if length == 0 || err != nil {
					return 0, err
				}
				if len(c.pending) == 0 {
					return 0, fmt.Errorf("unexpected reply of Redis: %.60q", in[:length])
				}
				room := c.pending[0]
				c.pending = c.pending[:copy(c.pending, c.pending[1:])]
				if v := versionOf(in[:length]); v > l.versions[room] {
					l.versions[room] = v
					newVersions++
				}
				return length, nil
			}))
		}
	}
	return n, newVersions
}

// round measures operations for a while, after a shorter while to warm up.
func (l *load) round(o operation, replies int, warm, d time.Duration) (u usage, newVersions float64) {
	l.run(o, replies, time.Now().Add(warm), false)
	u = l.b.measure(func() int {
		n, v := l.run(o, replies, time.Now().Add(d), false)
		newVersions = float64(v) / float64(n)
		return n
	})
	return u, newVersions
}

// fill has everybody join, or renew.
func (l *load) fill() usage {
	clear(l.absent)
	return l.b.measure(func() int {
		n, _ := l.run(renew, 1, time.Now().Add(time.Hour), true)
		return n
	})
}

// compare measures an operation in turns with the two yardsticks, and prints a line. The
// operation has to raise the version this many times, unless that is negative.
func (l *load) compare(t *harness.Table, name string, o operation, versions float64) usage {
	b := l.b
	yardstick := func(c command, replies int) func() usage {
		return func() usage {
			u, _ := l.round(send(c), replies, b.Warm, b.RoundTime/2)
			return u
		}
	}
	rounds := harness.InTurns(b.Rounds, func() usage {
		u, newVersions := l.round(o, 1, b.Warm, b.RoundTime)
		if versions >= 0 && math.Abs(newVersions-versions) > 0.02 {
			b.Check(fmt.Errorf("%s: %.3f new versions for each operation; want %v", name, newVersions, versions))
		}
		return u
	}, yardstick(noopCommand, 1), yardstick(hashCommand, 2))
	u, noop, hash := harness.Medians(rounds[0]), harness.Medians(rounds[1]), harness.Medians(rounds[2])
	row(t, name, u, noop.Micros, harness.MedianRatios(rounds[0], rounds[1]).Micros, hash.Micros)
	return u
}

// subscribe opens connections that are notified of changes in all rooms, as nodes are.
func (l *load) subscribe(n int) {
	key := string(bytes.Split(l.commands[updateCommand].text, []byte("\r\n"))[8])
	words := []string{"SUBSCRIBE"}
	for room := range l.rooms {
		words = append(words, strings.ReplaceAll(key, anyRoom, fmt.Sprintf("%0*d", numberDigits, room)))
	}
	for range n {
		conn := l.b.dial()
		l.subscribers = append(l.subscribers, conn)
		l.b.Check(conn.Write(encode(words...)))
		for confirmed := 0; confirmed < l.rooms; {
			l.b.Check(conn.Read(l.buffer, func(in []byte) (int, error) {
				length, err := replyLength(in)
				if length > 0 {
					confirmed++
				}
				return length, err
			}))
		}
	}
}

// replyLength returns the length of the reply that text begins with, with all elements of an
// array, or 0 if it is incomplete. An error reply is an error.
func replyLength(text []byte) (int, error) {
	rest := text
	for elements := 1; elements > 0; elements-- {
		end := bytes.IndexByte(rest, '\n')
		if end < 1 {
			return 0, nil
		}
		line := rest[:end-1]
		rest = rest[end+1:]
		switch line[0] {
		case '-':
			return 0, fmt.Errorf("error reply of Redis: %s", line)
		case '*', '$':
			n := 0
			for _, digit := range line[1:] { // strconv.Atoi would allocate a string for each
				n = n*10 + int(digit-'0')
			}
			switch {
			case line[1] == '-': // nil
			case line[0] == '*':
				elements += n
			case len(rest) < n+2:
				return 0, nil
			default:
				rest = rest[n+2:]
			}
		}
	}
	return len(text) - len(rest), nil
}

// versionOf returns the second number of a script's reply, 0 for other replies.
func versionOf(reply []byte) uint64 {
	if reply[0] != '*' {
		return 0
	}
	lines := bytes.SplitN(reply, []byte("\r\n"), 4)
	if len(lines) < 4 || lines[2][0] != ':' {
		return 0
	}
	version, _ := strconv.ParseUint(string(lines[2][1:]), 10, 64)
	return version
}
