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
	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Sizes are numbers of people and nodes, and durations.
type Sizes struct {
	Rooms      int // of 10
	LargeRoom  int
	ShortLease time.Duration

	Rounds          int // after one to warm up
	RoundTime, Warm time.Duration

	IdleClients, ActiveClients int // connected to nodes
	Settle, Idle, ActiveTime   time.Duration
	Nodes                      []int // numbers of nodes that share each room
	Rate                       int   // of changes a second
}

var (
	Full = Sizes{
		Rooms: 1000, LargeRoom: 1000, ShortLease: time.Second, Rounds: 5, RoundTime: 250 * time.Millisecond, Warm: 50 * time.Millisecond,
		IdleClients: 9000, ActiveClients: 1000, Settle: 3 * time.Second, Idle: 8 * time.Second, ActiveTime: 4 * time.Second,
		Nodes: []int{1, 2, 5}, Rate: 500,
	}
	Quick = Sizes{
		Rooms: 40, LargeRoom: 20, ShortLease: 200 * time.Millisecond, Rounds: 1, RoundTime: 20 * time.Millisecond, Warm: 2 * time.Millisecond,
		IdleClients: 40, ActiveClients: 40, Settle: 50 * time.Millisecond, Idle: 100 * time.Millisecond, ActiveTime: 200 * time.Millisecond,
		Nodes: []int{1, 2}, Rate: 100,
	}
)

const roomSize = 10

// Scenarios returns the scenarios of this package. Without a redis-server they do nothing.
func Scenarios(s Sizes) (all []harness.Scenario) {
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"redis alone, rooms of 10", (*bench).operations},
		{"redis alone, short lease", (*bench).shortLease},
		{"redis alone, one large room", (*bench).largeRoom},
		{"redis, idle nodes", (*bench).idleNodes},
		{"redis, changes across nodes", (*bench).changesAcrossNodes},
	} {
		all = append(all, harness.Scenario{Name: c.name, Run: func(r *harness.Run) {
			if _, err := exec.LookPath("redis-server"); err != nil {
				fmt.Fprintln(r.Out, "Skipped: redis-server is not installed.")
				return
			}
			b := &bench{Run: r, Sizes: s, redis: r.StartRedis()}
			var err error
			b.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{b.redis.Address}, DisableCache: true, ForceSingleClient: true})
			r.Check(err)
			r.Cleanup(b.client.Close)
			c.run(b)
		}})
	}
	return all
}

// bench is one scenario, with a Redis of its own.
type bench struct {
	*harness.Run
	Sizes
	redis  *harness.Process
	client rueidis.Client
}

func (b *bench) flush() {
	b.Check(b.client.Do(context.Background(), b.client.B().Flushall().Build()).Error())
}

func (b *bench) table() *harness.Table {
	return harness.NewTable(b.Out, 50, "Redis µs", "per core", "achieved/s", "Redis, %", "`return 1`", "ratio", "B in", "B out")
}

// row prints a line; the yardstick is 0 where it was not measured.
func row(t *harness.Table, name string, u usage, noop, ratio float64) {
	t.Row(name, u.Micros, 1e6/u.Micros, u.Rate, u.Busy, noop, ratio, u.In, u.Out)
}

// operations measures each operation of a store, and the memory of Redis.
func (b *bench) operations() {
	l, t := b.newLoad(b.Rooms, roomSize, presence.DefaultLease), b.table()
	empty := b.info("used_memory:")
	row(t, "joins, as the rooms fill", l.fill(), 0, 0)
	memory := b.info("used_memory:") - empty
	l.compare(t, "renewals", renew, 0)
	l.compare(t, "changes", change, 1)
	l.compare(t, "leave and return, in turn", leaveOrReturn, 1)
	l.fill() // everybody is present
	l.compare(t, "snapshot", snapshot, 0)
	l.compare(t, "version check, nothing new", versionCheck, 0)
	fmt.Fprintf(b.Out, "\nA person takes %.0f bytes of Redis.\n", memory/float64(b.Rooms*roomSize))
}

// shortLease measures renewals with a lease in which each person sends four, as with heartbeats
// in two minutes: so often a room is searched for expired leases. How many people that is depends
// on the rate, which depends on the searches; three iterations come close.
func (b *bench) shortLease() {
	rooms, u := b.Rooms, usage{}
	for range 3 {
		l := b.newLoad(rooms, roomSize, b.ShortLease)
		l.fill()
		u, _ = l.round(renew, b.ShortLease*3/2, 3*b.ShortLease)
		rooms = max(1, int(u.Rate*b.ShortLease.Seconds()/4/roomSize))
	}
	row(b.table(), fmt.Sprintf("renewals, lease of %v", b.ShortLease), u, 0, 0)
}

// largeRoom measures snapshots of a large room.
func (b *bench) largeRoom() {
	l := b.newLoad(workers, b.LargeRoom, presence.DefaultLease)
	l.fill()
	l.compare(b.table(), fmt.Sprintf("snapshot, rooms of %d", b.LargeRoom), snapshot, 0)
}
