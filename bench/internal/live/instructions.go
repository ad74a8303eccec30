package live

import (
	"fmt"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

const (
	// CountedChanges are the changes for each case of Instructions.
	CountedChanges = 200

	// changeTimeout is how long it may take until a room has a change; servers are slow while they are counted.
	changeTimeout = 20 * time.Second
)

// Instructions counts the instructions of both servers for a change in rooms of 10 and 100, and for a connection that
// gets it, which is the slope between them. The next change is sent when all have the last one and it is acknowledged,
// so each has a commit of its own, and commits are not in the slope.
func Instructions(changes int) harness.Scenario {
	return harness.Scenario{Name: "instructions, live connections beside bare gws", Run: func(r *harness.Run) {
		t := harness.NewTable(r.Out, 46, "ours", "bare gws", "ratio")
		measure := func(size int) (ours, bare float64) {
			each := r.CountInstructions(changes, func(r *harness.Run, n int) []*harness.Process {
				server, p := r.StartServer(), NewPool(r)
				users := r.Users(server, size)
				p.changeOneByOne(p.Add(server, Presence, users, size), n)
				yardstick := r.StartYardstick("yardstick-websocket", strconv.Itoa(p.bytes/p.deltas))
				p.changeOneByOne(p.Add(yardstick, Bare, users, size), n)
				return []*harness.Process{server, yardstick}
			})
			t.Row(fmt.Sprintf("a change with its commit, room of %d", size), each[0], each[1], each[0]/each[1])
			return each[0], each[1]
		}
		ours10, bare10 := measure(10)
		ours100, bare100 := measure(100)
		t.Row("a delivered change", (ours100-ours10)/90, (bare100-bare10)/90, (ours100-ours10)/(bare100-bare10))
		fmt.Fprintf(r.Out, "\nInstructions in the server's process. A delivered change is what a room of 100 takes more than one of 10, for each connection. %s\n", harness.WhatIsCounted)
	}}
}

// changeOneByOne connects the clients of a room, and has them change their sections in turn.
func (p *Pool) changeOneByOne(clients []*Client, changes int) {
	p.Connect(clients, PacedHandshakes, 0)
	p.Serve(time.Second, nil) // deltas of the joins
	p.counters = counters{}
	acknowledges := clients[0].protocol == Presence
	for next := RoundRobin(clients); p.sent < changes; {
		p.changeSection(next())
		for began := time.Now(); p.delivered < p.sent*len(clients) || acknowledges && p.acks < p.sent; p.poll() {
			if time.Since(began) > changeTimeout {
				p.run.Check(fmt.Errorf("of %d changes in a room of %d, %d were delivered and %d acknowledged in %v", p.sent, len(clients), p.delivered, p.acks, changeTimeout))
			}
		}
	}
	p.CheckConnected()
}
