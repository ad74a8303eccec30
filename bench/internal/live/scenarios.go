// Package live measures live connections beside a server that holds connections with another
// WebSocket library, gws, and only copies frames.
package live

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Sizes are numbers of clients and durations.
type Sizes struct {
	Clients         int
	Settle, Idle    time.Duration // with no changes: before and while CPU is measured
	Silent          time.Duration // after a heartbeat of everybody, and no ping yet: with Settle less than 31 s
	Pings           time.Duration // after that, while everybody is pinged once: 35 s or more; all within the lease
	ChangeInterval  time.Duration
	Rounds          int // of changes, after one to warm up
	RoundTime       time.Duration
	Reconnects      int
	ReconnectSpread time.Duration
}

var (
	Full = Sizes{
		Clients: 10_000, Settle: 6 * time.Second, Idle: 30 * time.Second, Silent: 20 * time.Second, Pings: 35 * time.Second,
		ChangeInterval: time.Millisecond, Rounds: 5, RoundTime: 5 * time.Second, Reconnects: 3, ReconnectSpread: 5 * time.Second,
	}
	Quick = Sizes{
		Clients: 100, Settle: 50 * time.Millisecond, Idle: 100 * time.Millisecond, Silent: 100 * time.Millisecond, Pings: 100 * time.Millisecond,
		ChangeInterval: 10 * time.Millisecond, Rounds: 1, RoundTime: 200 * time.Millisecond, Reconnects: 1, ReconnectSpread: 100 * time.Millisecond,
	}
)

type suite struct {
	Sizes
	users []harness.User // made once: 10,000 requests would heat the server that is measured
}

// Scenarios returns the scenarios of this package.
func Scenarios(s Sizes) []harness.Scenario {
	b := &suite{Sizes: s}
	return []harness.Scenario{
		{Name: "live, idle connections in rooms of 10", Run: b.idle},
		{Name: "live, changes in rooms of 10", Run: b.changes},
		{Name: "live, reconnect", Run: b.reconnect},
	}
}

func (b *suite) prepare(r *harness.Run) {
	if b.users == nil {
		r.Sub(func(r *harness.Run) { b.users = r.Users(b.server(r), b.Clients) })
	}
	r.PauseGC()
}

// server starts the measured server. Go raises the limit of open files as far as it may.
func (b *suite) server(r *harness.Run) *harness.Process {
	return r.StartServer("--connections", strconv.Itoa(2*b.Clients))
}

func (b *suite) yardstick(r *harness.Run, frameSize float64) *harness.Process {
	return r.StartYardstick("yardstick-websocket", strconv.Itoa(int(frameSize)))
}

func table(r *harness.Run) *harness.Table {
	return harness.NewTable(r.Out, 46, "ours", "bare gws", "ratio")
}

// footprint is what one idle connection takes.
type footprint struct {
	Connected float64 `row:"KB each, once connected"`
	Settled   float64 `row:"KB each, settled"`
	PSS       float64 `row:"KB each, settled, PSS"`
	Later     float64 `row:"KB each, later"`
	CPU       float64 `row:"µs CPU a second each, with heartbeats"`
	Silent    float64 `row:"% of a core for all, while nothing is sent"`
	Ping      float64 `row:"µs CPU for a ping and its pong"`
}

// idle measures connections on which nothing but heartbeats and pings is sent.
func (b *suite) idle(r *harness.Run) {
	b.prepare(r)
	var ours, bare footprint
	r.Sub(func(r *harness.Run) { ours = b.footprint(r, b.server(r), Presence) })
	r.Sub(func(r *harness.Run) { bare = b.footprint(r, b.yardstick(r, 0), Bare) })
	harness.Compare(table(r), fmt.Sprintf("%d connections: ", b.Clients), []footprint{ours}, []footprint{bare})
}

// footprint leaves out one room that connects first, and with it what the first connection costs.
func (b *suite) footprint(r *harness.Run, server *harness.Process, protocol Protocol) (f footprint) {
	p, n := NewPool(r), b.Clients
	clients := p.Add(server, protocol, b.users, RoomSize)
	p.Connect(clients[:RoomSize], PacedHandshakes, 0)
	rss, pss := r.Memory(server)
	each := func() (float64, float64) {
		rssNow, pssNow := r.Memory(server)
		return (rssNow - rss) / float64(n-RoomSize), (pssNow - pss) / float64(n-RoomSize)
	}
	p.Connect(clients[RoomSize:], PacedHandshakes, 0)
	f.Connected, _ = each()
	p.Idle(clients, b.Settle)
	f.Settled, f.PSS = each()
	if protocol == Bare { // it has nothing to do
		return f
	}
	before := r.CPU(server)
	p.Idle(clients, b.Idle)
	f.CPU = (r.CPU(server) - before) / float64(n) / b.Idle.Seconds()
	f.Later, _ = each()
	for _, c := range clients {
		p.heartbeat(c)
	}
	p.Serve(b.Settle, nil) // acks, and renewals in the journal
	silent := p.Quiet(server, b.Silent)
	f.Silent = 100 * silent / 1e6
	f.Ping = (p.Quiet(server, b.Pings) - silent) * b.Pings.Seconds() / float64(n)
	return f
}

// changes measures changes of section, one after the other in different rooms.
func (b *suite) changes(r *harness.Run) {
	b.prepare(r)
	server, p := b.server(r), NewPool(r)
	clients := p.Add(server, Presence, b.users, RoomSize)
	p.Connect(clients, PacedHandshakes, 0)
	round := func(server *harness.Process, next func() *Client) Result {
		return p.Round(next, b.RoundTime, b.ChangeInterval, server)
	}
	next := RoundRobin(Interleave(clients))
	warm := round(server, next)
	yardstick := b.yardstick(r, warm.FrameSize)
	twins := p.Add(yardstick, Bare, b.users[:b.Clients*19/20], RoomSize) // there are too few descriptors for all
	p.Connect(twins, PacedHandshakes, 0)
	nextTwin := RoundRobin(Interleave(twins))
	rounds := harness.InTurns(b.Rounds, func() Result { return round(server, next) }, func() Result { return round(yardstick, nextTwin) })
	p.Disconnect(twins)
	p.Serve(b.Settle, nil) // the yardstick ends its connections on the core of the measured server
	atRandom := harness.InTurns(b.Rounds, func() Result { return round(server, func() *Client { return clients[rand.IntN(len(clients))] }) })
	p.CheckConnected()

	t := table(r)
	harness.Compare(t, "", rounds[0], rounds[1])
	random := harness.Medians(atRandom[0])
	t.Row("rooms at random: µs CPU per delivered change", random.CPUPerDelivery)
	t.Row("rooms at random: ms from change to delta, p50", random.DeltaP50)
	t.Row("rooms at random: ms from change to delta, p99", random.DeltaP99)
}

// recovery is what it takes until all clients that were cut off have a snapshot.
type recovery struct {
	Seconds float64 `row:"s until all have a snapshot"`
	CPU     float64 `row:"µs CPU each"`
	P50     float64 `row:"ms from hello to snapshot, p50"`
	P99     float64 `row:"ms from hello to snapshot, p99"`
}

// reconnect measures clients that all lose their connections at once and come back, at once or
// spread over a while.
func (b *suite) reconnect(r *harness.Run) {
	b.prepare(r)
	measure := func(start func(*harness.Run) *harness.Process, protocol Protocol) (atOnce, spread []recovery) {
		r.Sub(func(r *harness.Run) {
			server, p := start(r), NewPool(r)
			p.Connect(p.Add(server, protocol, b.users, RoomSize), PacedHandshakes, 0)
			for range b.Reconnects {
				atOnce = append(atOnce, p.reconnect(r, server, 0))
			}
			spread = append(spread, p.reconnect(r, server, b.ReconnectSpread/time.Duration(b.Clients)))
		})
		return atOnce, spread
	}
	ours, oursSpread := measure(b.server, Presence)
	bare, bareSpread := measure(func(r *harness.Run) *harness.Process { return b.yardstick(r, 0) }, Bare)
	t := table(r)
	harness.Compare(t, "at once: ", ours, bare)
	harness.Compare(t, fmt.Sprintf("over %v: ", b.ReconnectSpread), oursSpread, bareSpread)
}

// reconnect cuts all connections at once, and connects again at an interval.
func (p *Pool) reconnect(r *harness.Run, server *harness.Process, interval time.Duration) (f recovery) {
	p.counters = counters{}
	before, began := r.CPU(server), time.Now()
	p.Disconnect(p.Clients)
	p.Connect(p.Clients, MassHandshakes, interval)
	f.Seconds = time.Since(began).Seconds()
	p.Serve(drainTime, nil)
	p.CheckConnected()
	f.CPU = (r.CPU(server) - before) / float64(len(p.Clients))
	f.P50, f.P99 = p.snapshotLatency.Quantile(0.5), p.snapshotLatency.Quantile(0.99)
	return f
}
