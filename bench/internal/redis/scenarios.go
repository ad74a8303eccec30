// Package redis measures several nodes on one Redis, and Redis alone with the commands that a
// store sends, beside a script that does nothing.
package redis

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/bench/internal/capacity"
	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/redisstore"
)

// Sizes are numbers of people and nodes, and durations.
type Sizes struct {
	Rooms       int   // of 10
	People      int   // in rooms of other sizes
	RoomSizes   []int // those sizes
	RoomNumbers []int // numbers of rooms of 10
	Subscribers []int // numbers of nodes that are notified of changes
	ShortLease  time.Duration

	Rounds, StoreRounds int // after one to warm up
	RoundTime, Warm     time.Duration

	IdleClients, ActiveClients int // connected to nodes
	Settle, Idle, ActiveTime   time.Duration
	Nodes                      []int // numbers of nodes that share each room
	Rates                      []int // of changes a second
}

var (
	Full = Sizes{
		Rooms: 1000, People: 10_000, RoomSizes: []int{2, 100, 1000}, RoomNumbers: []int{1000, 10_000, 100_000}, Subscribers: []int{0, 1, 2, 4},
		ShortLease: time.Second, Rounds: 5, StoreRounds: 3, RoundTime: 250 * time.Millisecond, Warm: 50 * time.Millisecond,
		IdleClients: 9000, ActiveClients: 1000, Settle: 3 * time.Second, Idle: 8 * time.Second, ActiveTime: 4 * time.Second,
		Nodes: []int{1, 2, 5}, Rates: []int{200, 500},
	}
	Quick = Sizes{
		Rooms: 40, People: 200, RoomSizes: []int{2, 20}, RoomNumbers: []int{10, 20}, Subscribers: []int{0, 2},
		ShortLease: 200 * time.Millisecond, Rounds: 1, StoreRounds: 1, RoundTime: 20 * time.Millisecond, Warm: 2 * time.Millisecond,
		IdleClients: 40, ActiveClients: 40, Settle: 50 * time.Millisecond, Idle: 100 * time.Millisecond, ActiveTime: 200 * time.Millisecond,
		Nodes: []int{1, 2}, Rates: []int{100},
	}
)

const roomSize = 10

// Suite keeps what the model needs.
type Suite struct {
	Sizes
	Costs    capacity.Costs
	Measured bool // at least one scenario has run
}

// Scenarios returns the scenarios of this package. Without a redis-server they do nothing.
func (s *Suite) Scenarios() (all []harness.Scenario) {
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"redis alone, rooms of 10", (*bench).operations},
		{"redis alone, by lease", (*bench).leases},
		{"redis alone, by size of rooms", (*bench).roomSizes},
		{"redis alone, by number of rooms", (*bench).roomNumbers},
		{"redis alone, by number of subscribed nodes", (*bench).subscribers},
		{"redis, through a store", (*bench).throughStore},
		{"redis, idle nodes", (*bench).idleNodes},
		{"redis, changes across nodes", (*bench).changesAcrossNodes},
	} {
		all = append(all, harness.Scenario{Name: c.name, Run: func(r *harness.Run) {
			if _, err := exec.LookPath("redis-server"); err != nil {
				fmt.Fprintln(r.Out, "Skipped: redis-server is not installed.")
				return
			}
			b := &bench{Run: r, suite: s, Sizes: s.Sizes, redis: r.StartRedis()}
			var err error
			b.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{b.redis.Address}, DisableCache: true, ForceSingleClient: true})
			r.Check(err)
			r.Cleanup(b.client.Close)
			c.run(b)
			s.Measured = true
		}})
	}
	return all
}

// bench is one scenario, with a Redis of its own.
type bench struct {
	*harness.Run
	Sizes
	suite  *Suite
	redis  *harness.Process
	client rueidis.Client
}

func (b *bench) flush() {
	b.Check(b.client.Do(context.Background(), b.client.B().Flushall().Build()).Error())
}

// openStore opens a store. It is run only to be closed: a running store answers from memory what
// the scenarios want to ask Redis for.
func (b *bench) openStore(o redisstore.Options) (store *redisstore.Store, closeStore func()) {
	ctx, cancel := context.WithCancel(context.Background())
	store, err := redisstore.Open(ctx, "redis://"+b.redis.Address, o)
	b.Check(err)
	return store, func() {
		cancel()
		store.Run(ctx)
	}
}

func (b *bench) table() *harness.Table {
	return harness.NewTable(b.Out, 50, "Redis µs", "per core", "achieved/s", "Redis, %", "`return 1`", "ratio", "a pair", "B in", "B out")
}

// row prints a line; the yardsticks are 0 where they were not measured.
func row(t *harness.Table, name string, u usage, noop, ratio, hash float64) {
	t.Row(name, u.Micros, 1e6/u.Micros, u.Rate, u.Busy, noop, ratio, hash, u.In, u.Out)
}

// operations measures each operation of a store.
func (b *bench) operations() {
	l, t := b.newLoad(b.Rooms, roomSize, presence.DefaultLease), b.table()
	row(t, "joins, as the rooms fill", l.fill(), 0, 0, 0)
	costs := &b.suite.Costs
	for _, c := range []struct {
		name     string
		o        operation
		versions float64
		cost     *capacity.Cost
	}{
		{"renewals", renew, 0, &costs.Renewal},
		{"changes", change, 1, &costs.Change},
		{"leave and return, in turn", leaveOrReturn, 1, &costs.JoinOrLeave},
		{"whole poll, nothing new", send(pollCommand), 0, nil},
		{"snapshot", send(snapshotCommand), 0, &costs.Snapshot},
		{"version check, nothing new", send(versionCheckCommand), 0, &costs.VersionCheck},
		{"the typical mix", typicalMix, -1, nil},
		{"entry into an occupied section, unless_occupied", enterOccupied, 1, nil},
	} {
		l.fill() // everybody is present, and the load knows all versions
		u := l.compare(t, c.name, c.o, c.versions)
		if c.cost != nil {
			*c.cost = capacity.Cost{Micros: u.Micros, In: u.In, Out: u.Out}
		}
	}
}

// leases measures a lease in which each person sends four operations, as with heartbeats in two
// minutes: so often a room is searched for expired leases. How many people that is depends on
// the rate, which depends on the searches; three iterations come close.
func (b *bench) leases() {
	t := b.table()
	for _, c := range []struct {
		name string
		o    operation
	}{{"renewals", renew}, {"the typical mix", typicalMix}} {
		rooms, u := b.Rooms, usage{}
		for i, lease := range []time.Duration{presence.DefaultLease, b.ShortLease, b.ShortLease, b.ShortLease} {
			l := b.newLoad(rooms, roomSize, lease)
			l.fill()
			u, _ = l.round(c.o, 1, b.ShortLease*3/2, 3*b.ShortLease)
			if i == 0 || i == 3 {
				row(t, fmt.Sprintf("%s, lease of %v", c.name, lease), u, 0, 0, 0)
			}
			rooms = max(1, int(u.Rate*b.ShortLease.Seconds()/4/roomSize))
		}
		if c.name == "renewals" {
			b.suite.Costs.Renewal.Micros = u.Micros
		}
	}
}

// roomSizes measures rooms of other sizes than 10.
func (b *bench) roomSizes() {
	t := b.table()
	for _, size := range b.RoomSizes {
		l := b.newLoad(b.People/size, size, presence.DefaultLease)
		row(t, fmt.Sprintf("joins, as rooms of %d fill", size), l.fill(), 0, 0, 0)
		l.compare(t, fmt.Sprintf("changes, rooms of %d", size), change, 1)
		u := l.compare(t, fmt.Sprintf("snapshot, rooms of %d", size), send(snapshotCommand), 0)
		b.suite.Costs.SnapshotMember = capacity.Cost{Micros: u.Micros / float64(size), Out: u.Out / float64(size)} // the last is the largest
	}
}

// roomNumbers measures the memory of Redis for many rooms, and whether their number slows it down.
func (b *bench) roomNumbers() {
	t := b.table()
	memory := harness.NewTable(b.Out, 12, "bytes of Redis for a room", "bytes for a person")
	var bytes []float64
	for _, rooms := range b.RoomNumbers {
		l := b.newLoad(rooms, roomSize, presence.DefaultLease)
		empty := b.info("memory", "used_memory")
		u := l.fill()
		bytes = append(bytes, (b.info("memory", "used_memory")-empty)/float64(rooms))
		row(t, fmt.Sprintf("joins, until there are %d rooms", rooms), u, 0, 0, 0)
		l.compare(t, fmt.Sprintf("renewals, %d rooms", rooms), renew, 0)
	}
	fmt.Fprintln(b.Out)
	for i, room := range bytes {
		b.suite.Costs.RedisBytes = room / roomSize
		memory.Row(fmt.Sprintf("%d rooms", b.RoomNumbers[i]), room, room/roomSize)
	}
}

// subscribers measures changes of which nodes are notified. These only listen: the snapshots
// that they would read are measured by themselves.
func (b *bench) subscribers() {
	t := b.table()
	var xs, micros, out []float64
	for _, n := range b.Subscribers {
		l := b.newLoad(b.Rooms, roomSize, presence.DefaultLease)
		l.subscribe(n)
		l.fill()
		u := l.compare(t, fmt.Sprintf("changes, %d subscribed nodes", n), change, 1)
		xs, micros, out = append(xs, float64(n)), append(micros, u.Micros), append(out, u.Out)
	}
	cost := &b.suite.Costs.Notification
	_, cost.Micros = harness.Fit(xs, micros)
	_, cost.Out = harness.Fit(xs, out)
	fmt.Fprintf(b.Out, "\nEach subscribed node adds %.2f µs of Redis and %.0f bytes from it to a change.\n", cost.Micros, cost.Out)
}
