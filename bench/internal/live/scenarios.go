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
	Clients, FewClients, LargeRoom int

	Settle, Idle    time.Duration // with no changes: before and while CPU is measured
	ChangeInterval  time.Duration
	Rounds          int // of changes, after one to warm up
	RoundTime       time.Duration
	LargeRoomTime   time.Duration
	Reconnects      int
	ReconnectSpread time.Duration
}

var (
	Full = Sizes{
		Clients: 10_000, FewClients: 1000, LargeRoom: 1000, Settle: 5 * time.Second, Idle: 30 * time.Second,
		ChangeInterval: time.Millisecond, Rounds: 5, RoundTime: 5 * time.Second, LargeRoomTime: 10 * time.Second,
		Reconnects: 3, ReconnectSpread: 5 * time.Second,
	}
	Quick = Sizes{
		Clients: 100, FewClients: 20, LargeRoom: 20, Settle: 50 * time.Millisecond, Idle: 100 * time.Millisecond,
		ChangeInterval: 10 * time.Millisecond, Rounds: 1, RoundTime: 200 * time.Millisecond, LargeRoomTime: 500 * time.Millisecond,
		Reconnects: 1, ReconnectSpread: 100 * time.Millisecond,
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
		{Name: "live, one large room", Run: b.largeRoom},
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

// table has lines with both figures and the ratio; a yardstick of 0 was not measured.
type table struct{ *harness.Table }

func newTable(r *harness.Run) table {
	return table{harness.NewTable(r.Out, 46, "ours", "bare gws", "ratio")}
}

func (t table) row(name string, ours, bare float64) {
	ratio := 0.0
	if bare != 0 {
		ratio = ours / bare
	}
	t.Row(name, ours, bare, ratio)
}

// footprint is what one idle connection takes: KB of memory, and µs of CPU a second.
type footprint struct{ connected, settled, pss, later, cpu float64 }

// idle measures connections on which nothing but heartbeats and pings is sent.
func (b *suite) idle(r *harness.Run) {
	b.prepare(r)
	t := newTable(r)
	for _, n := range []int{b.FewClients, b.Clients} {
		var ours, bare footprint
		r.Sub(func(r *harness.Run) { ours = b.footprint(r, b.server(r), n) })
		r.Sub(func(r *harness.Run) { bare = b.footprint(r, b.yardstick(r, 0), n) })
		prefix := fmt.Sprintf("%d connections: ", n)
		t.row(prefix+"KB each, once connected", ours.connected, bare.connected)
		t.row(prefix+fmt.Sprintf("KB each, after %v", b.Settle), ours.settled, bare.settled)
		t.row(prefix+fmt.Sprintf("KB each, after %v, PSS", b.Settle), ours.pss, bare.pss)
		t.row(prefix+fmt.Sprintf("KB each, after %v more", b.Idle), ours.later, bare.later)
		t.row(prefix+"µs CPU a second each", ours.cpu, bare.cpu)
	}
}

// footprint leaves out one room that connects first, and with it what the first connection costs.
func (b *suite) footprint(r *harness.Run, server *harness.Process, n int) (f footprint) {
	p := NewPool(r)
	clients := p.Add(server, b.users[:n], RoomSize)
	r.Check(p.Connect(clients[:RoomSize], PacedHandshakes, 0))
	rss, pss, err := server.Memory()
	r.Check(err)
	each := func() (float64, float64) {
		rssNow, pssNow, err := server.Memory()
		r.Check(err)
		return (rssNow - rss) / float64(n-RoomSize), (pssNow - pss) / float64(n-RoomSize)
	}
	r.Check(p.Connect(clients[RoomSize:], PacedHandshakes, 0))
	f.connected, _ = each()
	r.Check(p.Idle(clients, b.Settle))
	f.settled, f.pss = each()
	if server.Yardstick { // it has nothing to do
		return f
	}
	before, err := harness.CPU(server)
	r.Check(err)
	r.Check(p.Idle(clients, b.Idle))
	after, err := harness.CPU(server)
	r.Check(err)
	f.cpu = float64((after - before).Microseconds()) / float64(n) / b.Idle.Seconds()
	f.later, _ = each()
	return f
}

// changes measures changes of section, one after the other in different rooms.
func (b *suite) changes(r *harness.Run) {
	b.prepare(r)
	server, p := b.server(r), NewPool(r)
	clients := p.Add(server, b.users, RoomSize)
	r.Check(p.Connect(clients, PacedHandshakes, 0))
	round := func(server *harness.Process, next func() *Client) Result {
		f, err := p.Round(next, b.RoundTime, b.ChangeInterval, server)
		r.Check(err)
		return f
	}
	next := RoundRobin(Interleave(clients))
	warm := round(server, next)
	yardstick := b.yardstick(r, warm.Bytes/warm.Frames)
	twins := p.Add(yardstick, b.users[:b.Clients*19/20], RoomSize) // there are too few descriptors for all
	r.Check(p.Connect(twins, PacedHandshakes, 0))
	nextTwin := RoundRobin(Interleave(twins))
	var ours, bare []Result
	for i := range b.Rounds + 1 {
		f, y := round(server, next), round(yardstick, nextTwin)
		if i > 0 { // the first round warms the yardstick up
			ours, bare = append(ours, f), append(bare, y)
		}
	}
	p.Disconnect(twins)
	random := round(server, func() *Client { return clients[rand.IntN(len(clients))] })
	r.Check(p.CheckConnected())

	a, y, ratio := harness.Medians(ours), harness.Medians(bare), harness.MedianRatios(ours, bare)
	t := newTable(r)
	t.Row("µs CPU per delivered change", a.CPUPerDelivery, y.CPUPerDelivery, ratio.CPUPerDelivery)
	t.Row("µs CPU per change", a.CPUPerChange, y.CPUPerChange, ratio.CPUPerChange)
	t.Row("deliveries per change", a.DeliveriesPerChange, y.DeliveriesPerChange, ratio.DeliveriesPerChange)
	t.row("acks per change", a.AcksPerChange, 0)
	t.Row("bytes per delivered change", a.BytesPerDelivered, y.BytesPerDelivered, ratio.BytesPerDelivered)
	t.Row("ms from change to delta, p50", a.DeltaP50, y.DeltaP50, ratio.DeltaP50)
	t.Row("ms from change to delta, p99", a.DeltaP99, y.DeltaP99, ratio.DeltaP99)
	t.row("ms from change to ack, p50", a.AckP50, 0)
	t.row("ms from change to ack, p99", a.AckP99, 0)
	t.Row("ms that the load came late, p99", a.LagP99, y.LagP99, ratio.LagP99)
	t.row("rooms at random: µs CPU per delivered change", random.CPUPerDelivery, 0)
	t.row("rooms at random: ms from change to delta, p50", random.DeltaP50, 0)
	t.row("rooms at random: ms from change to delta, p99", random.DeltaP99, 0)
}

// largeRoom measures one room in which each client changes section about once a second, and
// checks that all end up with the server's list.
func (b *suite) largeRoom(r *harness.Run) {
	b.prepare(r)
	server, p := b.server(r), NewPool(r)
	clients := p.Add(server, b.users[:b.LargeRoom], b.LargeRoom)
	for i := range 5 {
		clients[i*b.LargeRoom/5].record = true
	}
	r.Check(p.Connect(clients, PacedHandshakes, 0))
	next := RoundRobin(clients)
	_, err := p.Round(next, b.LargeRoomTime/10, b.ChangeInterval, server)
	r.Check(err)
	ours, err := p.Round(next, b.LargeRoomTime, b.ChangeInterval, server)
	r.Check(err)
	same, lost := upToDate(r, server, clients), p.lost
	p.Disconnect(clients)

	// The yardstick writes as many frames of the same size.
	yardstick := b.yardstick(r, ours.Bytes/ours.Frames)
	twins := p.Add(yardstick, b.users[:b.LargeRoom], b.LargeRoom)
	r.Check(p.Connect(twins, PacedHandshakes, 0))
	interval := time.Duration(float64(b.LargeRoomTime) / ours.Frames * float64(b.LargeRoom))
	bare, err := p.Round(RoundRobin(twins), b.LargeRoomTime, interval, yardstick)
	r.Check(err)

	each := func(total float64) float64 { return total / float64(b.LargeRoom) / b.LargeRoomTime.Seconds() }
	ofCore := func(f Result) float64 { return f.CPU / float64(b.LargeRoomTime.Microseconds()) * 100 }
	t := newTable(r)
	t.row("CPU, % of a core", ofCore(ours), ofCore(bare))
	t.row("µs CPU per frame", ours.CPU/ours.Frames, bare.CPU/bare.Frames)
	t.row("µs CPU per delivered change", ours.CPUPerDelivery, 0)
	t.row("frames per member and second", each(ours.Frames), each(bare.Frames))
	t.row("delivered changes per member and second", each(ours.Delivered), 0)
	t.row("bytes per member and second", each(ours.Bytes), each(bare.Bytes))
	t.row("ms from change to delta, p50", ours.DeltaP50, bare.DeltaP50)
	t.row("ms from change to delta, p99", ours.DeltaP99, bare.DeltaP99)
	t.row("ms from change to ack, p50", ours.AckP50, 0)
	t.row("ms from change to ack, p99", ours.AckP99, 0)
	t.row("ms that the load came late, p99", ours.LagP99, bare.LagP99)
	fmt.Fprintf(r.Out, "\nConnections closed by the server: %d; deltas after a gap: %.0f; clients with the server's list at the end: %d of %d (budget: 0, 0, all).\n",
		lost, ours.Gaps, same, b.LargeRoom)
}

// recovery is what it takes until all clients that were cut off have a snapshot.
type recovery struct{ Seconds, CPU, P50, P99 float64 }

// reconnect measures clients that all lose their connections at once and come back, at once or
// spread over a while.
func (b *suite) reconnect(r *harness.Run) {
	b.prepare(r)
	measure := func(start func(*harness.Run) *harness.Process) (atOnce, spread recovery) {
		r.Sub(func(r *harness.Run) {
			server, p := start(r), NewPool(r)
			r.Check(p.Connect(p.Add(server, b.users, RoomSize), PacedHandshakes, 0))
			var rounds []recovery
			for range b.Reconnects {
				rounds = append(rounds, p.reconnect(r, server, 0))
			}
			atOnce = harness.Medians(rounds)
			spread = p.reconnect(r, server, b.ReconnectSpread/time.Duration(b.Clients))
		})
		return atOnce, spread
	}
	ours, oursSpread := measure(b.server)
	bare, bareSpread := measure(func(r *harness.Run) *harness.Process { return b.yardstick(r, 0) })
	t := newTable(r)
	for _, c := range []struct {
		prefix     string
		ours, bare recovery
	}{{"at once", ours, bare}, {fmt.Sprintf("over %v", b.ReconnectSpread), oursSpread, bareSpread}} {
		t.row(c.prefix+": s until all have a snapshot", c.ours.Seconds, c.bare.Seconds)
		t.row(c.prefix+": µs CPU each", c.ours.CPU, c.bare.CPU)
		t.row(c.prefix+": ms from hello to snapshot, p50", c.ours.P50, 0)
		t.row(c.prefix+": ms from hello to snapshot, p99", c.ours.P99, 0)
	}
}

// reconnect cuts all connections at once, and connects again at an interval.
func (p *Pool) reconnect(r *harness.Run, server *harness.Process, interval time.Duration) (f recovery) {
	p.reset()
	before, err := harness.CPU(server)
	r.Check(err)
	began := time.Now()
	p.Disconnect(p.Clients)
	r.Check(p.Connect(p.Clients, MassHandshakes, interval))
	f.Seconds = time.Since(began).Seconds()
	r.Check(p.Serve(drainTime, nil))
	r.Check(p.CheckConnected())
	after, err := harness.CPU(server)
	r.Check(err)
	f.CPU = float64((after - before).Microseconds()) / float64(len(p.Clients))
	f.P50, f.P99 = p.snapshotLatency.Quantile(0.5), p.snapshotLatency.Quantile(0.99)
	return f
}
