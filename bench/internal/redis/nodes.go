package redis

import (
	"fmt"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/live"
)

// startNode starts a server that shares the Redis.
func (b *bench) startNode(r *harness.Run) *harness.Process {
	return r.StartServer("--admin-addr", "off", "--connections", "20000", "--redis-url", "redis://"+b.redis.Address)
}

// newPool returns n clients, not yet connected, whose rooms are spread evenly over the nodes.
func (b *bench) newPool(r *harness.Run, nodes []*harness.Process, n, size int) *live.Pool {
	users, p := r.Users(nodes[0], n), live.NewPool(r)
	for i, node := range nodes {
		p.Add(node, live.Presence, users[i*n/len(nodes):(i+1)*n/len(nodes)], size/len(nodes))
	}
	return p
}

// idleCost is what one client takes that sends only heartbeats: KB and µs a second of its node,
// µs a second of Redis, and scripts in 30 s.
type idleCost struct{ kb, node, redis, scripts float64 }

// idleNodes measures idle clients in rooms of 10 and in rooms of one: the difference is the rooms'.
func (b *bench) idleNodes() {
	b.PauseGC()
	t := harness.NewTable(b.Out, 28, "KB each", "node µs a second, each", "Redis µs a second, each", "scripts in 30 s, each")
	var all [2]idleCost
	for i, size := range [2]int{roomSize, 1} {
		b.Sub(func(r *harness.Run) { all[i] = b.idleCost(r, size) })
		t.Row(fmt.Sprintf("%d people, rooms of %d", b.IdleClients, size), all[i].kb, all[i].node, all[i].redis, all[i].scripts)
	}
	connKB, roomKB := split(all[0].kb, all[1].kb)
	connMicros, roomMicros := split(all[0].node, all[1].node)
	fmt.Fprintf(b.Out, "\nA connection takes %.2f KB and %.2f µs a second, and a watched room %.2f KB and %.2f µs a second.\n", connKB, connMicros, roomKB, roomMicros)
}

func (b *bench) idleCost(r *harness.Run, size int) (c idleCost) {
	b.flush()
	node := b.startNode(r)
	p := b.newPool(r, []*harness.Process{node}, b.IdleClients, size)
	// The first clients are left out, and with them what the first connection costs.
	p.Connect(p.Clients[:roomSize], live.PacedHandshakes, 0)
	_, before := r.Memory(node)
	p.Connect(p.Clients[roomSize:], live.PacedHandshakes, 0)
	p.Idle(p.Clients, b.Settle)
	_, after := r.Memory(node)
	c.kb = (after - before) / float64(b.IdleClients-roomSize)
	cpu := r.CPU(node)
	u := b.measure(func() int {
		p.Idle(p.Clients, b.Idle)
		return 1
	})
	clientSeconds := float64(b.IdleClients) / u.Rate // one operation is all of it
	c.node, c.redis = (r.CPU(node)-cpu)/clientSeconds, u.Micros/clientSeconds
	c.scripts = u.Scripts / clientSeconds * live.HeartbeatInterval.Seconds()
	return c
}

// split returns the share of a connection and of a room in what a client takes in rooms of 10
// and in rooms of one.
func split(roomsOfTen, roomsOfOne float64) (connection, room float64) {
	room = (roomsOfOne - roomsOfTen) / (1 - 1.0/roomSize)
	return roomsOfOne - room, room
}

// changesAcrossNodes measures changes in rooms that are on several nodes.
func (b *bench) changesAcrossNodes() {
	b.PauseGC()
	t := harness.NewTable(b.Out, 24, "nodes, µs", "Redis, µs", "scripts", "Redis, B in", "Redis, B out", "delivered", "B each",
		"same node: p50, p99", "another node: p50, p99", "load late, p99", "connections")
	var micros []float64
	for _, n := range b.Nodes {
		b.Sub(func(r *harness.Run) { micros = append(micros, b.changesOn(r, t, n)) })
	}
	last := len(b.Nodes) - 1
	watcher := (micros[last] - micros[0]) / float64(b.Nodes[last]-b.Nodes[0])
	change := micros[0] - watcher*float64(b.Nodes[0])
	fmt.Fprintf(b.Out, "\nTimes from a change to its delta are in ms. A change takes %.1f µs of nodes, and %.1f µs for each node that watches its room.\n", change, watcher)
}

// changesOn measures rooms that are on n nodes, and returns µs of all nodes for a change.
func (b *bench) changesOn(r *harness.Run, t *harness.Table, n int) (micros float64) {
	b.flush()
	before := b.info("connected_clients:")
	var nodes []*harness.Process
	for range n {
		nodes = append(nodes, b.startNode(r))
	}
	p := b.newPool(r, nodes, b.ActiveClients, roomSize)
	p.Connect(p.Clients, live.PacedHandshakes, 0)
	connections := (b.info("connected_clients:") - before) / float64(n)
	next, interval := live.RoundRobin(live.Interleave(p.Clients)), time.Second/time.Duration(b.Rate)
	p.Round(next, b.ActiveTime/5, interval, nodes...)
	var f live.Result
	u := b.measure(func() int {
		f = p.Round(next, b.ActiveTime, interval, nodes...)
		return int(f.Changes)
	})
	p.CheckConnected()
	quantiles := func(d harness.Durations) string { return fmt.Sprintf("%.2f, %.2f", d.Quantile(0.5), d.Quantile(0.99)) }
	t.Row(fmt.Sprintf("%d nodes, %d changes/s", n, b.Rate), f.CPUPerChange, u.Micros, u.Scripts, u.In, u.Out, f.DeliveriesPerChange, f.BytesPerDelivery,
		quantiles(p.SameNode), quantiles(p.OtherNode), f.LagP99, connections)
	return f.CPUPerChange
}
