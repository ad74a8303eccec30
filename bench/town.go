package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// town is people in rooms of one size, as Redis has them.
type town struct {
	b           *redisBench
	c           commands
	rooms, size int
	pipes, ears []*pipe
	in          []byte

	said     int64 // operations
	version  []uint64
	sections []byte // which of two sections somebody is in
	gone     []bool
	dice     *rand.Rand
}

func (b *redisBench) town(rooms, size int, lease time.Duration) (*town, error) {
	c, err := b.record(lease)
	if err != nil {
		return nil, err
	}
	t := &town{b: b, c: c, rooms: rooms, size: size, in: make([]byte, 4<<20), dice: rand.New(rand.NewPCG(1, 2)),
		version: make([]uint64, rooms), sections: make([]byte, rooms*size), gone: make([]bool, rooms*size)}
	for place := range min(pipes, rooms) {
		p, err := dialPipe(b.redis.address)
		if err != nil {
			return nil, err
		}
		p.place = place
		t.pipes = append(t.pipes, p)
	}
	return t, nil
}

func (t *town) close() {
	for _, p := range slices.Concat(t.pipes, t.ears) {
		p.file.Close()
	}
}

// turn is whose turn it is on a pipe. Each pipe has its own rooms, so that what is said of a
// room is answered in that order; of those in each one, and then in each the next.
func (t *town) turn(p *pipe) (room, person int) {
	rooms := t.roomsOf(p)
	room = p.place + pipes*(p.said%rooms)
	return room, room*t.size + p.said/rooms%t.size
}

func (t *town) roomsOf(p *pipe) int { return (t.rooms - p.place + pipes - 1) / pipes }

func (t *town) says(room, person int) says {
	return says{room: room, person: person, section: t.section(person), seq: firstSeq + t.said, version: t.version[room]}
}

func (t *town) section(person int) int { return 2*person + int(t.sections[person]) }

// operation appends what somebody says.
type operation func(t *town, out []byte, room, person int) []byte

func renewing(t *town, out []byte, room, person int) []byte {
	return t.c.renew.append(out, t.says(room, person))
}

func changing(t *town, out []byte, room, person int) []byte {
	t.sections[person] ^= 1
	return t.c.change.append(out, t.says(room, person))
}

// entering has every second one of a room enter the sections of two others in turn.
func entering(t *town, out []byte, room, person int) []byte {
	place := (person - room*t.size) &^ 1
	person = room*t.size + place
	t.sections[person] ^= 1
	s := t.says(room, person)
	host := (place + 1 + 2*int(t.sections[person])) % t.size
	s.section = t.section(room*t.size + host)
	return t.c.careful.append(out, s)
}

func polling(t *town, out []byte, room, person int) []byte {
	return t.c.poll.append(out, t.says(room, person))
}

func looking(t *town, out []byte, room, person int) []byte {
	return t.c.look.append(out, t.says(room, person))
}

func checking(t *town, out []byte, room, person int) []byte {
	return t.c.check.append(out, t.says(room, person))
}

// comingAndGoing has those who are here leave, and those who are not come.
func comingAndGoing(t *town, out []byte, room, person int) []byte {
	t.gone[person] = !t.gone[person]
	if t.gone[person] {
		return t.c.leave.append(out, t.says(room, person))
	}
	return t.c.change.append(out, t.says(room, person))
}

// Of the natural mix each says so many in an hour.
const (
	renewals = 120
	changes  = 60
	leaves   = 1 // and arrivals
)

// mixing is what people do: those who are not here come when it is their turn.
func mixing(t *town, out []byte, room, person int) []byte {
	n := t.dice.IntN(renewals + changes + leaves)
	switch {
	case t.gone[person] || n < leaves:
		return comingAndGoing(t, out, room, person)
	case n < leaves+changes:
		return changing(t, out, room, person)
	}
	return renewing(t, out, room, person)
}

func doingNothing(t *town, out []byte, room, person int) []byte {
	return t.c.nothing.append(out, t.says(room, person))
}

func pairing(t *town, out []byte, room, person int) []byte {
	return t.c.pair.append(out, t.says(room, person))
}

// run says operations over all pipes until a time, or once for everybody, and waits for all
// answers. It never sleeps, for the reason that drive has. It gives how many, and of how many
// the version was news.
func (t *town) run(o operation, answers int, until time.Time, once bool) (n, moved int, err error) {
	out := make([]byte, 0, 1<<16)
	for _, p := range t.pipes {
		p.left = 1 << 40
		if once {
			p.left = t.roomsOf(p) * t.size
		}
	}
	load := func(p *pipe) error {
		out = out[:0]
		for range min(depth, p.left) {
			room, person := t.turn(p)
			out = o(t, out, room, person)
			for range answers {
				p.asked = append(p.asked, room)
			}
			p.said++
			p.left--
			t.said++
			n++
		}
		p.out = out
		return p.send()
	}
	for due := true; due; {
		due = false
		for _, p := range t.ears {
			if err := p.receive(t.in, func([]byte) error { return nil }); err != nil {
				return n, moved, err
			}
		}
		for _, p := range t.pipes {
			if len(p.asked) == 0 {
				if p.left == 0 || !time.Now().Before(until) {
					continue
				}
				if err := load(p); err != nil {
					return n, moved, err
				}
			}
			due = true
			err := p.receive(t.in, func(answer []byte) error {
				if len(p.asked) == 0 {
					return fmt.Errorf("Redis said what nobody asked for: %.60q", answer)
				}
				if v := versionIn(answer); v > t.version[p.asked[0]] {
					t.version[p.asked[0]] = v
					moved++
				}
				p.asked = p.asked[:copy(p.asked, p.asked[1:])]
				return nil
			})
			if err != nil {
				return n, moved, err
			}
		}
	}
	return n, moved, nil
}

// round runs operations for a while after a first while.
func (t *town) round(o operation, answers int, warm, d time.Duration) (f redisFigure, moved float64, err error) {
	if _, _, err := t.run(o, answers, time.Now().Add(warm), false); err != nil {
		return f, 0, err
	}
	before, err := t.b.gauge()
	if err != nil {
		return f, 0, err
	}
	n, m, err := t.run(o, answers, time.Now().Add(d), false)
	if err != nil {
		return f, 0, err
	}
	after, err := t.b.gauge()
	return after.since(before, n), float64(m) / float64(n), err
}

// fill has everybody come, and tells what that came to.
func (t *town) fill() (f redisFigure, err error) {
	before, err := t.b.gauge()
	if err != nil {
		return f, err
	}
	n, _, err := t.run(renewing, 1, time.Now().Add(time.Hour), true)
	if err != nil {
		return f, err
	}
	after, err := t.b.gauge()
	return after.since(before, n), err
}
