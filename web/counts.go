package web

import (
	"sync/atomic"
	"time"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/tally"
)

// Counts are what a handler has done since it was made. They may be read at any time. What
// they are counted by is bounded, whatever people send.
type Counts struct {
	// Requests are by operation, and Failures by the code that the answer or the live message
	// has; of both, all that can be are there.
	Requests map[string]*Requests
	Failures map[string]*tally.Count
	// TokenRejections are by reason; all reasons are there.
	TokenRejections map[identity.Reason]*tally.Count

	Live                     atomic.Int64 // connections that are open
	Messages                 tally.Count  // that came on them
	Deltas, Snapshots, Bytes tally.Count  // that were sent on them
}

// Requests are those for one operation.
type Requests struct {
	Took     tally.Durations
	ByStatus [600]tally.Count
}

func newCounts() *Counts {
	c := &Counts{Requests: map[string]*Requests{}, Failures: map[string]*tally.Count{}, TokenRejections: map[identity.Reason]*tally.Count{}}
	for _, reason := range identity.Reasons() {
		c.TokenRejections[reason] = &tally.Count{}
	}
	for _, operation := range []string{"update", "list", "leave", "live", "token", "page", "other"} {
		c.Requests[operation] = &Requests{}
	}
	for _, f := range failures {
		c.Failures[f.code] = &tally.Count{}
	}
	return c
}

func (r *Requests) add(status int, took time.Duration) {
	r.ByStatus[status].Add(1)
	r.Took.Add(took)
}
