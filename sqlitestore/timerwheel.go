package sqlitestore

import (
	"sync"
	"time"
)

// tick is the resolution of a [timerWheel].
const tick = sweepEvery / groups

// untilTick returns the time until the next tick of Run. Ticks are at multiples of 250 ms of the wall clock, as in
// internal/live, so that both wake an idle process at once: waking it costs more than they do.
func untilTick() time.Duration {
	now := time.Now()
	return now.Truncate(tick).Add(tick).Sub(now)
}

// timerWheel holds projects by when something in them expires or can be forgotten, so that no other project costs
// anything. It is safe for concurrent use.
type timerWheel struct {
	began time.Time // of tick 0

	mu   sync.Mutex
	due  map[int64][]*project // by tick
	next int64                // the first tick that take has not returned yet
}

func newTimerWheel() *timerWheel { return &timerWheel{began: time.Now(), due: map[int64][]*project{}} }

// now returns the tick that is running.
func (t *timerWheel) now() int64 { return int64(time.Since(t.began) / tick) }

// after returns the first tick that begins after a moment, at least 1.
func (t *timerWheel) after(moment time.Time) int64 {
	return max(0, int64(moment.Sub(t.began)/tick)) + 1
}

// add enters a project for a tick, or for the next one if that is over.
func (t *timerWheel) add(p *project, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at = max(at, t.next)
	t.due[at] = append(t.due[at], p)
}

// maxTaken is how many projects take returns at most, since what it returns delays all else that Run does. After a start
// the leases of all projects end together.
const maxTaken = 10_000

// take removes and returns the projects of all ticks up to one; those beyond maxTaken stay for the next call.
func (t *timerWheel) take(until int64) (due []*project) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.next <= until; t.next++ {
		all := t.due[t.next]
		if most := maxTaken - len(due); len(all) > most {
			t.due[t.next] = all[most:]
			return append(due, all[:most]...)
		}
		due = append(due, all...)
		delete(t.due, t.next)
	}
	return due
}
