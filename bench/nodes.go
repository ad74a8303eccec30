package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
)

// workers call a store at once: as many as a busy node has requests.
const workers = 64

// throughStore is what a store costs its node; Redis has time left.
func (b *redisBench) throughStore() error {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	// It is not run until the end: what it knows it then does not tell without asking.
	store, err := redisstore.Open(ctx, "redis://"+b.redis.address, redisstore.Options{})
	if err != nil {
		return err
	}
	defer func() { end(); store.Run(ctx) }()

	type someone struct {
		user     presence.User
		room     presence.Project
		sections [2]presence.Section
		update   presence.Update
	}
	all := make([]someone, b.rooms*roomSize)
	for i := range all {
		p := &all[i]
		p.user = presence.User{ID: presence.UserID(fmt.Sprint(1_000_000 + i)), Name: fmt.Sprintf("Writer %d", i)}
		p.room = presence.Project(fmt.Sprintf("room-%07d", i%b.rooms))
		p.sections = [2]presence.Section{presence.Section(fmt.Sprintf("manuscript/section-%d", 2*i)), presence.Section(fmt.Sprintf("manuscript/section-%d", 2*i+1))}
		p.update = presence.Update{Session: fmt.Sprintf("session-%07d-of-one-page-load", i), Section: p.sections[0], Activity: presence.Editing}
	}
	say := func(p *someone, change, poll bool) error {
		p.update.Seq++
		if change {
			p.update.Section = p.sections[p.update.Seq%2]
		}
		p.update.Poll = poll
		reply, err := store.Update(ctx, p.room, p.user, p.update)
		p.update.Known = reply.Version
		return err
	}
	// work has workers call until a time, each for its own people.
	work := func(call func(*someone) error, until time.Time, most int) (n int, err error) {
		var mu sync.Mutex
		var running sync.WaitGroup
		for w := range min(workers, len(all)) { // those have one in so many
			running.Go(func() {
				done := 0
				var failed error
				for i := w; done < most && failed == nil && time.Now().Before(until); i += workers {
					if i >= len(all) {
						i = w // from the beginning
					}
					failed = call(&all[i])
					done++
				}
				mu.Lock()
				defer mu.Unlock()
				n += done
				err = errors.Join(err, failed)
			})
		}
		running.Wait()
		return n, err
	}
	arrive := func(p *someone) error { return say(p, false, true) }
	if _, err := work(arrive, time.Now().Add(time.Hour), (len(all)+workers-1)/workers); err != nil {
		return err
	}
	fmt.Printf("| %-22s | %8s | %8s | %10s | %8s | %8s |\n| --- | --- | --- | --- | --- | --- |\n", "", "node µs", "Redis µs", "achieved/s", "node, %", "Redis, %")
	for _, c := range []struct {
		name string
		call func(*someone) error
	}{
		{"renewals", func(p *someone) error { return say(p, false, false) }},
		{"whole poll", func(p *someone) error { return say(p, false, true) }},
		{"changes", func(p *someone) error { return say(p, true, false) }},
		{"look, all of it", func(p *someone) error { _, err := store.Snapshot(ctx, p.room); return err }},
	} {
		var figures []redisFigure
		for round := range b.storeRounds + 1 {
			before, err := b.gauge()
			if err != nil {
				return err
			}
			n, err := work(c.call, time.Now().Add(2*b.round), 1<<40)
			if err != nil {
				return err
			}
			after, err := b.gauge()
			if err != nil {
				return err
			}
			if round > 0 {
				figures = append(figures, after.since(before, n))
			}
		}
		f := medians(figures)
		fmt.Printf("| %-22s | %8.2f | %8.2f | %10.0f | %8.0f | %8.0f |\n", c.name, f.self, f.micros, f.rate, 100*f.load, 100*f.busy)
	}
	return nil
}

// node starts a server that shares the Redis.
func (b *redisBench) node() (*process, error) {
	data, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	return start(b.binary, "serve", "--dev", "--addr", "127.0.0.1:0", "--admin-addr", "", "--data", data, "--secret-file", filepath.Join(b.dir, "secret"),
		"--connections", "20000", "--redis-url", "redis://"+b.redis.address)
}

// crowdOn has people on nodes, of each room as many on each.
func (b *redisBench) crowdOn(nodes []*process, n, size int) (*crowd, error) {
	http.DefaultClient.Timeout = 10 * time.Second
	everybody, err := people(nodes[0].address, n)
	if err != nil {
		return nil, err
	}
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	for i, node := range nodes {
		c.add(node, everybody[i*n/len(nodes):(i+1)*n/len(nodes)], size/len(nodes))
	}
	return c, nil
}

// quickly has no garbage collected by the load until it is called back.
func quickly() (slowly func()) {
	before := debug.SetGCPercent(-1)
	return func() { debug.SetGCPercent(before) }
}

// rest is what one comes to who does nothing but stay.
type rest struct{ kb, node, redis, scripts float64 }

// resting is what a node holds and does for people who do nothing but stay, in rooms of 10 and
// in rooms of one: what differs is for the rooms.
func (b *redisBench) resting() error {
	defer quickly()()
	fmt.Printf("| %-28s | %8s | %22s | %23s | %20s |\n| --- | --- | --- | --- | --- |\n", "", "KB each", "node µs a second, each", "Redis µs a second, each", "scripts in 30 s, each")
	var all [2]rest
	for i, size := range [2]int{roomSize, 1} {
		f, err := b.restIn(size)
		if err != nil {
			return err
		}
		all[i] = f
		fmt.Printf("| %-28s | %8.2f | %22.2f | %23.2f | %20.2f |\n", fmt.Sprintf("%d people, rooms of %d", b.idlers, size), f.kb, f.node, f.redis, f.scripts)
	}
	s := &b.slopes
	s.ConnKB, s.RoomKB = parts(all[0].kb, all[1].kb)
	s.ConnMicros, s.RoomMicros = parts(all[0].node, all[1].node)
	fmt.Printf("\nSo a connection is %.2f KB and %.2f µs a second, and a watched room %.2f KB and %.2f µs a second.\n", s.ConnKB, s.ConnMicros, s.RoomKB, s.RoomMicros)
	return nil
}

func (b *redisBench) restIn(size int) (f rest, err error) {
	if err := b.flush(); err != nil {
		return f, err
	}
	node, err := b.node()
	if err != nil {
		return f, err
	}
	defer node.stop()
	c, err := b.crowdOn([]*process{node}, b.idlers, size)
	if err != nil {
		return f, err
	}
	defer c.close()
	// Some come before, so that what the first connection costs is not counted.
	if err := c.connect(c.members[:roomSize], gently, 0); err != nil {
		return f, err
	}
	_, before, err := node.memory()
	if err != nil {
		return f, err
	}
	if err := c.connect(c.members[roomSize:], gently, 0); err != nil {
		return f, err
	}
	next, beats := inTurn(c.members), pace{time.Now(), heartbeat / time.Duration(b.idlers)}
	beat := func(now time.Time) error {
		if !beats.due(now) {
			return nil
		}
		return c.beat(next())
	}
	if err := c.during(b.settle, beat); err != nil {
		return f, err
	}
	_, after, err := node.memory()
	if err != nil {
		return f, err
	}
	cpu, g, err := b.spent(node)
	if err != nil {
		return f, err
	}
	if err := errors.Join(c.during(b.idle, beat), c.whole()); err != nil {
		return f, err
	}
	cpuThen, then, err := b.spent(node)
	all := then.since(g, 1)
	each := float64(b.idlers) * then.at.Sub(g.at).Seconds()
	return rest{
		kb:   (after - before) / float64(b.idlers-roomSize),
		node: float64((cpuThen - cpu).Microseconds()) / each, redis: all.micros / each,
		scripts: all.scripts / each * heartbeat.Seconds(),
	}, err
}

// spent is what nodes and Redis have used so far.
func (b *redisBench) spent(nodes ...*process) (cpu time.Duration, g gauge, err error) {
	for _, node := range nodes {
		t, err := runTime(node.cmd.Process.Pid)
		if err != nil {
			return 0, g, err
		}
		cpu += t
	}
	g, err = b.gauge()
	return cpu, g, err
}

func (b *redisBench) flush() error {
	return b.client.Do(context.Background(), b.client.B().Flushall().Build()).Error()
}

// parts are what a person and what a room come to, from what a person comes to in rooms of 10
// and in rooms of one.
func parts(ten, one float64) (person, room float64) {
	room = (one - ten) / (1 - 1.0/roomSize)
	return one - room, room
}

// acrossNodes is what a change costs whose room is on several nodes, and how long it takes to
// the others.
func (b *redisBench) acrossNodes() error {
	defer quickly()()
	fmt.Printf("| %-24s | %9s | %9s | %7s | %11s | %12s | %5s | %19s | %22s | %s |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
		"", "nodes, µs", "Redis, µs", "scripts", "Redis, B in", "Redis, B out", "told", "same node: p50, p99", "another node: p50, p99", "load late, p99")
	var xs, ys []float64
	for _, n := range b.watching {
		micros, err := b.acrossSome(n)
		if err != nil {
			return err
		}
		xs, ys = append(xs, float64(n)), append(ys, micros)
	}
	s := &b.slopes
	s.ChangeMicros, s.WatcherMicros = fit(xs, ys)
	fmt.Printf("\nTimes from a change to its delta are in ms. A change is %.1f µs of nodes, and %.1f µs for each node that watches its room, at %d/s; %.0f bytes for each who is told. A node has %.0f connections to Redis.\n",
		s.ChangeMicros, s.WatcherMicros, b.rates[len(b.rates)-1], s.DeliveredBytes, s.Connections)
	return nil
}

// acrossSome measures rooms that are on so many nodes. It gives µs of all nodes for a change,
// at the last rate.
func (b *redisBench) acrossSome(n int) (micros float64, err error) {
	if err := b.flush(); err != nil {
		return 0, err
	}
	clients, err := b.info("clients", "connected_clients")
	if err != nil {
		return 0, err
	}
	var nodes []*process
	for range n {
		node, err := b.node()
		if err != nil {
			return 0, err
		}
		defer node.stop()
		nodes = append(nodes, node)
	}
	c, err := b.crowdOn(nodes, b.movers, roomSize)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.connect(c.members, gently, 0); err != nil {
		return 0, err
	}
	more, err := b.info("clients", "connected_clients")
	if err != nil {
		return 0, err
	}
	b.slopes.Connections = (more - clients) / float64(n)
	next := inTurn(byTurns(c.members))
	if _, err := c.round(nodes[0], next, b.moving/5, time.Second/time.Duration(b.rates[0])); err != nil {
		return 0, err
	}
	for _, rate := range b.rates {
		cpu, g, err := b.spent(nodes...)
		if err != nil {
			return 0, err
		}
		m, err := c.round(nodes[0], next, b.moving, time.Second/time.Duration(rate))
		if err := errors.Join(err, c.whole()); err != nil {
			return 0, err
		}
		cpuThen, then, err := b.spent(nodes...)
		if err != nil {
			return 0, err
		}
		f := then.since(g, c.sent)
		micros = float64((cpuThen - cpu).Microseconds()) / m.sent
		b.slopes.DeliveredBytes = m.bytes / m.told
		both := func(l latencies) string { return fmt.Sprintf("%.2f, %.2f", l.share(0.5), l.share(0.99)) }
		there := ""
		if n > 1 {
			there = both(c.far)
		}
		fmt.Printf("| %-24s | %9.1f | %9.2f | %7.2f | %11.0f | %12.0f | %5.2f | %19s | %22s | %14.2f |\n", fmt.Sprintf("%d nodes, %d changes/s", n, rate),
			micros, f.micros, f.scripts, f.in, f.out, m.told/m.sent, both(c.near), there, m.late)
	}
	return micros, nil
}

// byTurns orders members such that of each room one is followed by one of the next.
func byTurns(members []*member) (ordered []*member) {
	rooms := map[string][]*member{}
	var names []string
	for _, m := range members {
		if len(rooms[m.room]) == 0 {
			names = append(names, m.room)
		}
		rooms[m.room] = append(rooms[m.room], m)
	}
	for i := 0; len(ordered) < len(members); i++ {
		for _, name := range names {
			if i < len(rooms[name]) {
				ordered = append(ordered, rooms[name][i])
			}
		}
	}
	return ordered
}
