package live

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

const (
	RoomSize          = 10
	HeartbeatInterval = 30 * time.Second

	// PacedHandshakes and MassHandshakes are how many handshakes may be unanswered at a time; the
	// latter is almost what the kernel queues for a listener.
	PacedHandshakes = 100
	MassHandshakes  = 4000

	connectTimeout = time.Minute
	// drainTime is for messages that are under way when a round ends.
	drainTime = 300 * time.Millisecond
)

// Pool is the load generator: clients with a live connection each, served by one loop. Its
// methods stop the scenario at errors.
type Pool struct {
	run     *harness.Run
	Clients []*Client

	epoll       int
	wait        int // ms that a poll may wait; 0, which takes a core, where times are measured
	events      [512]syscall.EpollEvent
	in, out     []byte
	handshaking int // clients whose handshake is not answered
	joined      int // clients that have a snapshot
	lost        int // connections that the server closed

	// changes are all changes of section so far. A change's index is in the section's name.
	changes []change
	counters
}

// change is a change of section by a client.
type change struct {
	by *Client
	at time.Time
}

// counters are what happened since the last reset.
type counters struct {
	sent, acks, deltas int
	delivered          int // changes in those deltas, a client's own among them
	bytes              int // of frames with deltas

	deltaLatency        harness.Durations // from a change to another client's delta
	SameNode, OtherNode harness.Durations // likewise, by whether both are connected to one node
	ackLatency          harness.Durations // from an update to its ack
	snapshotLatency     harness.Durations // from a hello to its snapshot
	lag                 harness.Durations // by which the load generator sent a change too late
}

// NewPool returns a pool whose connections are closed when the scenario ends.
func NewPool(r *harness.Run) *Pool {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	r.Check(err)
	p := &Pool{run: r, epoll: epoll, in: make([]byte, 1<<20), changes: make([]change, 1, 1<<17)}
	r.Cleanup(func() {
		p.Disconnect(p.Clients)
		syscall.Close(epoll)
	})
	return p
}

// Add adds a client for each user, roomSize of them to a room. It does not connect them.
func (p *Pool) Add(server *harness.Process, protocol Protocol, users []harness.User, roomSize int) (added []*Client) {
	for i, user := range users {
		index := len(p.Clients) + i
		added = append(added, &Client{index: index, server: server, protocol: protocol, room: fmt.Sprintf("room-%d", i/roomSize), place: i % roomSize,
			user: user, session: fmt.Sprintf("tab%05d", index)})
	}
	p.Clients = append(p.Clients, added...)
	return added
}

// ticker tells when the next of many evenly spaced events is due.
type ticker struct {
	next     time.Time
	interval time.Duration
}

func newTicker(interval time.Duration) *ticker { return &ticker{time.Now(), interval} }

func (t *ticker) due(now time.Time) bool {
	if now.Before(t.next) {
		return false
	}
	t.next = t.next.Add(t.interval)
	return true
}

// Serve reads what arrives for a while, and calls each, if it is not nil, all the time.
func (p *Pool) Serve(d time.Duration, each func(now time.Time)) {
	end := time.Now().Add(d)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if each != nil {
			each(now)
		}
		p.poll()
	}
}

// Idle serves connections that send nothing but heartbeats, and fails if one of them is lost.
func (p *Pool) Idle(clients []*Client, d time.Duration) {
	next, ticker := RoundRobin(clients), newTicker(HeartbeatInterval/time.Duration(len(clients)))
	p.Serve(d, func(now time.Time) {
		if ticker.due(now) {
			p.heartbeat(next())
		}
	})
	p.CheckConnected()
}

// Quiet serves connections that send nothing, not even heartbeats, which belong to the load, and returns the CPU time,
// in µs a second, that the server takes for them all. It has to be shorter than the lease. It fails if a connection is
// lost.
func (p *Pool) Quiet(server *harness.Process, d time.Duration) (micros float64) {
	before := p.run.CPU(server)
	p.Serve(d, nil)
	p.CheckConnected()
	return (p.run.CPU(server) - before) / d.Seconds()
}

// Connect connects clients in their order, an interval apart and with at most handshakes of
// them unanswered, and returns once each has its snapshot.
func (p *Pool) Connect(clients []*Client, handshakes int, interval time.Duration) {
	began, ticker := time.Now(), newTicker(interval)
	target := p.joined + len(clients)
	for p.joined < target {
		now := time.Now()
		if now.Sub(began) > connectTimeout || p.lost > 0 {
			p.run.Check(fmt.Errorf("%d clients have no snapshot, and the server closed %d connections", target-p.joined, p.lost))
		}
		if len(clients) > 0 && p.handshaking < handshakes && ticker.due(now) {
			p.dial(clients[0])
			clients = clients[1:]
		}
		p.poll()
	}
}

// CheckConnected fails if the server closed connections.
func (p *Pool) CheckConnected() {
	if p.lost > 0 {
		p.run.Check(fmt.Errorf("the server closed %d connections", p.lost))
	}
}

func (p *Pool) dial(c *Client) {
	conn, err := harness.Dial(c.server.Address)
	p.run.Check(err)
	c.conn, c.state, c.version = conn, handshaking, 0
	p.handshaking++
	p.run.Check(syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, conn.FD, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.index)}))
	header := ""
	if name := c.protocol.subprotocol(); name != "" {
		header = "Sec-WebSocket-Protocol: " + name + "\r\n"
	}
	p.write(c, fmt.Appendf(p.out[:0], "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[2]s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"%s\r\n", c.protocol.path(c), c.server.Address, header))
}

// Disconnect resets the connections of clients without a closing handshake.
func (p *Pool) Disconnect(clients []*Client) {
	for _, c := range clients {
		switch c.state {
		case disconnected:
			continue
		case handshaking:
			p.handshaking--
		case joined:
			p.joined--
		}
		c.conn.Close()
		c.state = disconnected
	}
}

// poll reads from all connections on which something has arrived.
func (p *Pool) poll() {
	n, err := syscall.EpollWait(p.epoll, p.events[:], p.wait)
	if err != syscall.EINTR {
		p.run.Check(err)
	}
	for _, event := range p.events[:max(n, 0)] {
		c := p.Clients[event.Fd]
		now := time.Now()
		err := c.conn.Read(p.in, func(in []byte) (int, error) { return p.handle(c, now, in) })
		if err == io.EOF || err == syscall.ECONNRESET {
			p.lost++
			p.Disconnect([]*Client{c})
		} else {
			p.run.Check(err)
		}
	}
}

// Result is what a round of changes measured.
type Result struct {
	Changes, FrameSize float64

	CPUPerDelivery      float64 `row:"µs CPU per delivered change"`
	CPUPerChange        float64 `row:"µs CPU per change"`
	DeliveriesPerChange float64 `row:"deliveries per change"`
	AcksPerChange       float64 `row:"acks per change"`
	BytesPerDelivery    float64 `row:"bytes per delivered change"`
	DeltaP50            float64 `row:"ms from change to delta, p50"`
	DeltaP99            float64 `row:"ms from change to delta, p99"`
	AckP50              float64 `row:"ms from change to ack, p50"`
	AckP99              float64 `row:"ms from change to ack, p99"`
	LagP99              float64 `row:"ms that the load came late, p99"`
}

// Round has clients change their sections, at an interval, and measures what the servers do.
func (p *Pool) Round(next func() *Client, d, interval time.Duration, servers ...*harness.Process) Result {
	p.counters = counters{}
	before, ticker := p.run.CPU(servers...), newTicker(interval)
	p.Serve(d, func(now time.Time) {
		for ticker.due(now) {
			p.lag.Add(now.Sub(ticker.next) + interval)
			p.changeSection(next())
		}
	})
	p.Serve(drainTime, nil)
	cpu := p.run.CPU(servers...) - before
	changes, delivered, bytes := float64(p.sent), float64(p.delivered), float64(p.bytes)
	return Result{
		Changes: changes, FrameSize: bytes / float64(p.deltas), CPUPerDelivery: cpu / delivered, CPUPerChange: cpu / changes,
		DeliveriesPerChange: delivered / changes, AcksPerChange: float64(p.acks) / changes, BytesPerDelivery: bytes / delivered,
		DeltaP50: p.deltaLatency.Quantile(0.5), DeltaP99: p.deltaLatency.Quantile(0.99),
		AckP50: p.ackLatency.Quantile(0.5), AckP99: p.ackLatency.Quantile(0.99), LagP99: p.lag.Quantile(0.99),
	}
}

// RoundRobin returns one client after the other, again and again.
func RoundRobin(clients []*Client) func() *Client {
	i := -1
	return func() *Client {
		i++
		return clients[i%len(clients)]
	}
}

// Interleave orders clients so that those of a room are far apart: the server delivers
// changes of one room that come within 50 ms together, and later.
func Interleave(clients []*Client) []*Client {
	return slices.SortedStableFunc(slices.Values(clients), func(a, b *Client) int { return a.place - b.place })
}
