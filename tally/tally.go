// Package tally counts what happens, so cheaply that it can be done with every request: it
// adds to what is there already, and whoever shows the figures reads them when asked.
package tally

import (
	"sync/atomic"
	"time"
)

// Count is how often something happened, or how much of it. It may be used at once.
type Count = atomic.Uint64

// Bounds are the ends of the classes of durations: where the promises are (a change on other
// screens in 0.3 ms, nearly always in 3; a commit every 10; a disk that takes 2 s counts as
// failing; every call ends within 5), and between them.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond,
	10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
}

// Durations counts how long something took. It may be used at once.
type Durations struct {
	classes [len(Bounds) + 1]Count // the last one is above all bounds
	sum     atomic.Int64
}

// Add counts one. What is quick is found at once, and that is nearly everything.
func (d *Durations) Add(took time.Duration) {
	class := 0
	for class < len(Bounds) && took > Bounds[class] {
		class++
	}
	d.classes[class].Add(1)
	d.sum.Add(int64(took))
}

// Read gives how many there were, how long they took together, and how many were within
// each bound, in seconds. It is close to one moment, and adds up.
func (d *Durations) Read() (count uint64, seconds float64, within map[float64]uint64) {
	seconds, within = time.Duration(d.sum.Load()).Seconds(), make(map[float64]uint64, len(Bounds))
	for i, bound := range Bounds {
		count += d.classes[i].Load()
		within[bound.Seconds()] = count
	}
	return count + d.classes[len(Bounds)].Load(), seconds, within
}

var start = time.Now()

// Now is a moment to take durations between. It costs half of what [time.Now] does, which
// asks for the date as well.
func Now() time.Duration { return time.Since(start) }
