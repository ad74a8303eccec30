package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
)

// redisSizes are what is measured, and for how long; tests do with less.
type redisSizes struct {
	rooms  int   // of 10
	people int   // in rooms of other sizes
	large  []int // those sizes
	many   []int // numbers of rooms of 10

	rounds, storeRounds int
	round, warm         time.Duration
	lease               time.Duration // of those who do not live for two minutes
	hearing             []int         // how many nodes hear of changes

	idlers, movers       int // people on nodes
	settle, idle, moving time.Duration
	rates                []int // of changes a second
	watching             []int // nodes that the people of a room are on
}

var fullSizes = redisSizes{
	rooms: 1000, people: 10_000, many: []int{1000, 10_000, 100_000}, large: []int{2, 100, 1000},
	rounds: 5, round: 250 * time.Millisecond, warm: 50 * time.Millisecond,
	lease: time.Second, storeRounds: 3,
	idlers: 9000, movers: 1000, settle: 3 * time.Second, idle: 8 * time.Second,
	moving: 4 * time.Second, rates: []int{200, 500}, watching: []int{1, 2, 5}, hearing: []int{0, 1, 2, 4},
}

// redisBench is what the cases on Redis share.
type redisBench struct {
	redisSizes
	redis       *process
	client      rueidis.Client
	dir, binary string
	// slopes is what the model needs, as it was measured.
	slopes slopes
}

// redisPart is measured with a Redis of its own.
type redisPart struct {
	name string
	run  func(*redisBench) error
}

var redisParts = []redisPart{
	{"redis alone, rooms of 10", (*redisBench).alone},
	{"redis alone, by how long sessions live", (*redisBench).lapsing},
	{"redis alone, by size of rooms", (*redisBench).sizes},
	{"redis alone, by number of rooms", (*redisBench).numbers},
	{"redis alone, by number of nodes that hear of changes", (*redisBench).wakeups},
	{"redis, through a store", (*redisBench).throughStore},
	{"redis, nodes at rest", (*redisBench).resting},
	{"redis, changes over several nodes", (*redisBench).acrossNodes},
}

func runRedis(only, binary, dir string, sizes redisSizes) error {
	due := slices.DeleteFunc(slices.Clone(redisParts), func(p redisPart) bool { return !strings.Contains(p.name, only) })
	if len(due) == 0 {
		return nil
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("\nThere is no redis-server on this machine: what begins with redis was not measured.")
		return nil
	}
	b := &redisBench{redisSizes: sizes, binary: binary, dir: dir, slopes: measured}
	for _, part := range due {
		runtime.GC()
		fmt.Printf("\n### %s\n\n", part.name) // a heading of docs/explanation/scaling.md
		if err := b.with(part.run); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Printf("\nFor bench/model.go (what was not measured now is as it was):\n\n%s", b.slopes.asCode())
	return nil
}

// with runs a part with a Redis of its own.
func (b *redisBench) with(part func(*redisBench) error) (err error) {
	if b.redis, err = startRedis(b.dir); err != nil {
		return err
	}
	defer b.redis.stop()
	if b.client, err = openClient(b.redis.address); err != nil {
		return err
	}
	defer b.client.Close()
	return part(b)
}

// commands are what a store says, as templates.
type commands struct {
	renew, change, careful, poll, leave, look, check *template
	nothing                                          *template // a script with as many arguments that does nothing
	pair                                             *template // HSET and HGET
}

// record has a store say all that it can say, once.
func (b *redisBench) record(lease time.Duration) (c commands, err error) {
	r, err := record(b.redis.address)
	if err != nil {
		return c, err
	}
	defer r.Close()
	ctx, end := context.WithCancel(context.Background())
	defer end()
	store, err := redisstore.Open(ctx, "redis://"+r.Addr().String(), redisstore.Options{Lease: lease})
	if err != nil {
		return c, err
	}
	defer func() { end(); store.Run(ctx) }()

	const room = "room-" + someRoom
	user := presence.User{ID: somePerson, Name: "Writer " + somePerson}
	update := presence.Update{Session: "session-" + somePerson + "-of-one-page-load", Seq: firstSeq, Section: "manuscript/section-" + someSection, Activity: presence.Editing}
	// The first is not recorded: it may be said with the whole text of the script.
	reply, err := store.Update(ctx, room, user, update)
	snapshot, failed := store.Snapshot(ctx, room)
	if err := errors.Join(err, failed); err != nil {
		return c, err
	}
	version := reply.Version
	if snapshot.Version != version {
		return c, fmt.Errorf("a room that nobody else knows went from version %d to %d", version, snapshot.Version)
	}
	said := func(_ any, err error) []string {
		words, failed := r.last()
		if err == nil {
			err = failed
		}
		if err != nil {
			panic(err) // a store that answered just now
		}
		return words
	}
	renew := said(store.Update(ctx, room, user, update))
	c.renew = newTemplate(version, encoded(renew...))
	c.change = c.renew
	update.UnlessOccupied = true
	c.careful = newTemplate(version, encoded(said(store.Update(ctx, room, user, update))...))
	update.Poll, update.Known = true, version
	c.poll = newTemplate(version, encoded(said(store.Update(ctx, room, user, update))...))
	look := said(store.Snapshot(ctx, room))
	c.look = newTemplate(version, encoded(look...))
	look[len(look)-1] = strconv.FormatUint(version, 10)
	c.check = newTemplate(version, encoded(look...))
	leave := presence.Leave{Session: update.Session, Seq: firstSeq}
	store.Leave(ctx, room, user, leave)
	c.leave = newTemplate(version, encoded(said(store.Leave(ctx, room, user, leave))...))

	renew[1], err = b.client.Do(ctx, b.client.B().ScriptLoad().Script("return 1").Build()).ToString()
	if err != nil {
		return c, err
	}
	c.nothing = newTemplate(version, encoded(renew...))
	value := strings.Repeat("v", 100)
	c.pair = newTemplate(0, append(encoded("HSET", "pair:"+someRoom, somePerson, value), encoded("HGET", "pair:"+someRoom, somePerson)...))
	return c, b.client.Do(ctx, b.client.B().Flushall().Build()).Error()
}

func redisTable() {
	fmt.Printf("| %-44s | %8s | %10s | %10s | %8s | %8s | %8s | %8s | %6s | %6s |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
		"", "Redis µs", "per core", "achieved/s", "Redis, %", "`return 1`", "ratio", "a pair", "B in", "B out")
}

// redisLine is a line of a table; the yardsticks are 0 where there are none.
func redisLine(name string, f redisFigure, nothing, ratio, pair float64) {
	text := func(format string, x float64) string {
		if x == 0 {
			return ""
		}
		return fmt.Sprintf(format, x)
	}
	fmt.Printf("| %-44s | %8.2f | %10.0f | %10.0f | %8.0f | %8s | %8s | %8s | %6.0f | %6.0f |\n", name,
		f.micros, 1e6/f.micros, f.rate, 100*f.busy, text("%.2f", nothing), text("%.2f", ratio), text("%.2f", pair), f.in, f.out)
}

// measure has operations and the yardsticks in turns, and prints a line. Moves is how many
// versions an operation is to raise, where that is certain: what is measured must be what it
// is said to be.
func (t *town) measure(name string, o operation, moves float64) (m redisFigure, err error) {
	b := t.b
	var ours, nothings, pairs []redisFigure
	for round := range b.rounds + 1 {
		f, moved, err := t.round(o, 1, b.warm, b.round)
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		if moves >= 0 && (moved < moves-0.02 || moved > moves+0.02) {
			return m, fmt.Errorf("%s: %.3f versions for an operation; due: %v", name, moved, moves)
		}
		y, _, err := t.round(doingNothing, 1, b.warm, b.round/2)
		if err != nil {
			return m, err
		}
		z, _, err := t.round(pairing, 2, b.warm, b.round/2)
		if err != nil {
			return m, err
		}
		if round > 0 { // the first one warms up
			ours, nothings, pairs = append(ours, f), append(nothings, y), append(pairs, z)
		}
	}
	micros := func(f redisFigure) float64 { return f.micros }
	m = medians(ours)
	redisLine(name, m, median(nothings, micros), medianRatio(ours, nothings, micros), median(pairs, micros))
	return m, nil
}

func medians(all []redisFigure) redisFigure {
	of := func(of func(redisFigure) float64) float64 { return median(all, of) }
	return redisFigure{
		micros: of(func(f redisFigure) float64 { return f.micros }), rate: of(func(f redisFigure) float64 { return f.rate }),
		busy: of(func(f redisFigure) float64 { return f.busy }), load: of(func(f redisFigure) float64 { return f.load }),
		in: of(func(f redisFigure) float64 { return f.in }), out: of(func(f redisFigure) float64 { return f.out }),
		scripts: of(func(f redisFigure) float64 { return f.scripts }), self: of(func(f redisFigure) float64 { return f.self }),
	}
}

// alone measures Redis with what a store says, said by a load that costs next to nothing.
func (b *redisBench) alone() error {
	t, err := b.town(b.rooms, roomSize, presence.DefaultLease)
	if err != nil {
		return err
	}
	defer t.close()
	redisTable()
	f, err := t.fill()
	if err != nil {
		return err
	}
	redisLine("arrivals, as the rooms fill", f, 0, 0, 0)
	for _, c := range []struct {
		name  string
		o     operation
		moves float64
		keep  *perOperation
	}{
		{"renewals", renewing, 0, &b.slopes.Renewal},
		{"changes", changing, 1, &b.slopes.Change},
		{"leaving and coming back, in turn", comingAndGoing, 1, &b.slopes.ComeOrGo},
		{"whole poll, nothing new", polling, 0, nil},
		{"look, all of it", looking, 0, &b.slopes.Look},
		{"look, nothing new", checking, 0, &b.slopes.Check},
		{"the natural mix", mixing, -1, nil},
		{"careful entries, where somebody is", entering, 1, nil},
	} {
		if _, err := t.settle(); err != nil {
			return err
		}
		f, err := t.measure(c.name, c.o, c.moves)
		if err != nil {
			return err
		}
		if c.keep != nil {
			*c.keep = perOperation{f.micros, f.in, f.out}
		}
	}
	return nil
}

// settle has everybody be here, and known.
func (t *town) settle() (redisFigure, error) {
	clear(t.gone)
	return t.fill()
}

// lapsing has a lease of four turns of everybody, as it is of four heartbeats: so often is a
// room looked through for who has lapsed. How many rooms that takes depends on how long an
// operation takes, and that on how often rooms are looked through: it comes close by turns.
func (b *redisBench) lapsing() error {
	redisTable()
	for _, c := range []struct {
		name string
		says operation
	}{{"renewals", renewing}, {"the natural mix", mixing}} {
		rooms, f := b.rooms, redisFigure{}
		for _, lease := range []time.Duration{presence.DefaultLease, b.lease, b.lease, b.lease} {
			t, err := b.town(rooms, roomSize, lease)
			if err != nil {
				return err
			}
			defer t.close()
			if _, err := t.fill(); err != nil {
				return err
			}
			if f, _, err = t.round(c.says, 1, b.lease*3/2, 3*b.lease); err != nil {
				return err
			}
			if lease == presence.DefaultLease {
				redisLine(fmt.Sprintf("%s, lease of %v", c.name, lease), f, 0, 0, 0)
			}
			rooms = max(1, int(f.rate*b.lease.Seconds()/4/roomSize))
		}
		redisLine(fmt.Sprintf("%s, lease of %v", c.name, b.lease), f, 0, 0, 0)
		if c.name == "renewals" {
			b.slopes.Renewal.Micros = f.micros
		}
	}
	return nil
}

// sizes are rooms of other sizes.
func (b *redisBench) sizes() error {
	redisTable()
	for _, size := range b.large {
		t, err := b.town(b.people/size, size, presence.DefaultLease)
		if err != nil {
			return err
		}
		defer t.close()
		f, err := t.fill()
		if err != nil {
			return err
		}
		redisLine(fmt.Sprintf("arrivals, as rooms of %d fill", size), f, 0, 0, 0)
		if _, err := t.measure(fmt.Sprintf("changes, rooms of %d", size), changing, 1); err != nil {
			return err
		}
		f, err = t.measure(fmt.Sprintf("look, all of it, rooms of %d", size), looking, 0)
		if err != nil {
			return err
		}
		if size == b.large[len(b.large)-1] {
			b.slopes.LookMember = perOperation{f.micros / float64(size), 0, f.out / float64(size)}
		}
	}
	return nil
}

// numbers are many rooms of 10: what Redis holds for each, and whether that slows it down.
func (b *redisBench) numbers() error {
	redisTable()
	type held struct{ room, person float64 }
	var all []held
	for _, rooms := range b.many {
		t, err := b.town(rooms, roomSize, presence.DefaultLease)
		if err != nil {
			return err
		}
		defer t.close()
		empty, err := b.info("memory", "used_memory")
		if err != nil {
			return err
		}
		f, err := t.fill()
		if err != nil {
			return err
		}
		full, err := b.info("memory", "used_memory")
		if err != nil {
			return err
		}
		all = append(all, held{(full - empty) / float64(rooms), (full - empty) / float64(rooms*roomSize)})
		redisLine(fmt.Sprintf("arrivals, until there are %d rooms", rooms), f, 0, 0, 0)
		if _, err := t.measure(fmt.Sprintf("renewals, %d rooms", rooms), renewing, 0); err != nil {
			return err
		}
	}
	fmt.Printf("\n| rooms of 10 | bytes of Redis for a room | bytes for a person |\n| --- | --- | --- |\n")
	for i, h := range all {
		fmt.Printf("| %11d | %25.0f | %18.0f |\n", b.many[i], h.room, h.person)
		b.slopes.RedisBytes = h.person
	}
	return nil
}

// wakeups are changes that so many others hear of. They only listen: what they do then is a
// looking each.
func (b *redisBench) wakeups() error {
	redisTable()
	var xs, micros, out []float64
	for _, n := range b.hearing {
		t, err := b.town(b.rooms, roomSize, presence.DefaultLease)
		if err != nil {
			return err
		}
		defer t.close()
		if err := t.hear(n); err != nil {
			return err
		}
		if _, err := t.fill(); err != nil {
			return err
		}
		f, err := t.measure(fmt.Sprintf("changes that %d nodes hear of", n), changing, 1)
		if err != nil {
			return err
		}
		xs, micros, out = append(xs, float64(n)), append(micros, f.micros), append(out, f.out)
	}
	_, m := fit(xs, micros)
	_, o := fit(xs, out)
	b.slopes.WakeUp = perOperation{m, 0, o}
	fmt.Printf("\nEach node that hears of a change: %.2f µs of Redis and %.0f bytes from it.\n", m, o)
	return nil
}

// hear opens connections that listen to all rooms; run reads what they hear.
func (t *town) hear(n int) error {
	key := string(bytes.Split(t.c.renew.text, []byte("\r\n"))[8])
	words := []string{"SUBSCRIBE"}
	for room := range t.rooms {
		words = append(words, strings.ReplaceAll(key, someRoom, fmt.Sprintf("%0*d", numberDigits, room)))
	}
	for range n {
		p, err := dialPipe(t.b.redis.address)
		if err != nil {
			return err
		}
		t.ears = append(t.ears, p)
		p.out = encoded(words...)
		if err := p.send(); err != nil {
			return err
		}
		for heard := 0; heard < t.rooms; {
			if err := p.receive(t.in, func([]byte) error { heard++; return nil }); err != nil {
				return err
			}
		}
	}
	return nil
}

// fit gives the line through points by least squares.
func fit(xs, ys []float64) (at0, slope float64) {
	var x, y, xx, xy float64
	n := float64(len(xs))
	for i := range xs {
		x, y, xx, xy = x+xs[i], y+ys[i], xx+xs[i]*xs[i], xy+xs[i]*ys[i]
	}
	slope = (n*xy - x*y) / (n*xx - x*x)
	return (y - slope*x) / n, slope
}
