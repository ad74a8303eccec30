// Package compare measures the server, other servers that do a part of its work, and bare servers that do nothing else,
// in turns in one run and one table.
package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Sizes are numbers of clients and durations.
type Sizes struct {
	Clients                int           // with a live connection each
	LiveRounds, PollRounds int           // in each of which all servers are measured
	Settle, Quiet, Warm    time.Duration // of live connections: after connecting, with nothing sent, and with changes that are not measured
	LiveTime, PollTime     time.Duration // of measured changes, and of requests, in a round
	ChangeInterval         time.Duration
}

var (
	Full = Sizes{
		Clients: 9000, LiveRounds: 3, PollRounds: 7, Settle: 5 * time.Second, Quiet: 62 * time.Second, Warm: 2 * time.Second,
		LiveTime: 5 * time.Second, PollTime: 2 * time.Second, ChangeInterval: time.Millisecond,
	}
	Quick = Sizes{
		Clients: 100, LiveRounds: 1, PollRounds: 1, Settle: 50 * time.Millisecond, Quiet: 100 * time.Millisecond, Warm: 50 * time.Millisecond,
		LiveTime: 200 * time.Millisecond, PollTime: 100 * time.Millisecond, ChangeInterval: 10 * time.Millisecond,
	}
)

// peer is a server of others.
type peer interface {
	name() string
	// find finds what is needed to start it. Its error says what is missing, and what to do.
	find(*harness.Run) (versions string, err error)
	// differs says what the peer does in this comparison, and what it does not do that we do.
	differs() (does, doesNot string)
	// measure prints lines of the table.
	measure(*harness.Run, Sizes, *harness.Table)
}

// Scenario compares with the peers that have one of the names, or with all if there are none.
func Scenario(s Sizes, names []string) (harness.Scenario, error) {
	all := []peer{&centrifugo{}, &django{}}
	var chosen []peer
	for _, name := range names {
		i := slices.IndexFunc(all, func(p peer) bool { return strings.EqualFold(p.name(), name) })
		if i < 0 {
			return harness.Scenario{}, fmt.Errorf("there is no peer %q; there are centrifugo and django", name)
		}
		chosen = append(chosen, all[i])
	}
	if chosen == nil {
		chosen = all
	}
	return harness.Scenario{Name: "compare, beside other servers", Run: func(r *harness.Run) { s.run(r, chosen) }}, nil
}

// run says what is measured, and measures the peers that are there.
func (s Sizes) run(r *harness.Run, chosen []peer) {
	var found []peer
	for _, p := range chosen {
		if versions, err := p.find(r); err != nil {
			fmt.Fprintf(r.Out, "Skipped %s: %v.\n", p.name(), err)
		} else {
			fmt.Fprintf(r.Out, "%s: %s.\n", p.name(), versions)
			found = append(found, p)
		}
	}
	if found == nil {
		return
	}
	fmt.Fprintf(r.Out, "%d live connections in rooms of 10, a change every %v in a room at random; polls on 10 connections. Medians of %d rounds with live connections and %d with polls.\n\n",
		s.Clients, s.ChangeInterval, s.LiveRounds, s.PollRounds)
	t := harness.NewTable(r.Out, 52, "ours", "peer", "bare", "peer / ours", "ours / bare")
	for _, p := range found {
		p.measure(r, s, t)
	}
	fmt.Fprint(r.Out, "\n| peer | does | does not, and ours does |\n| --- | --- | --- |\n")
	for _, p := range found {
		does, doesNot := p.differs()
		fmt.Fprintf(r.Out, "| %s | %s | %s |\n", p.name(), does, doesNot)
	}
	fmt.Fprintln(r.Out, "| bare | keeps connections with gws and writes frames of the same size to a room; answers the same bytes with net/http | all else |")
}
