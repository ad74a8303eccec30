package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// usage is what a round measured; all but Rate and the shares of cores are for one operation.
type usage struct {
	Micros, OwnMicros float64 // µs of CPU of Redis and of this process
	Rate              float64 // operations a second
	Busy, OwnBusy     float64 // % of its core that Redis used, and this process
	In, Out           float64 // bytes to and from Redis
	Scripts           float64
}

// counters are what Redis and this process used so far.
type counters struct {
	at                         time.Time
	micros, own                float64
	bytesIn, bytesOut, scripts float64
}

func (b *bench) counters() counters {
	return counters{
		bytesIn: b.info("stats", "total_net_input_bytes"), bytesOut: b.info("stats", "total_net_output_bytes"),
		scripts: b.info("commandstats", "cmdstat_evalsha"),
		own:     b.CPU(harness.Self()), micros: b.CPU(b.redis), at: time.Now(), // evaluated last
	}
}

// measure returns the usage of as many operations as f returns.
func (b *bench) measure(f func() int) usage {
	before := b.counters()
	n := float64(f())
	after := b.counters()
	took, micros, own := after.at.Sub(before.at), after.micros-before.micros, after.own-before.own
	return usage{
		Micros: micros / n, OwnMicros: own / n, Rate: n / took.Seconds(),
		Busy: 100 * micros / float64(took.Microseconds()), OwnBusy: 100 * own / float64(took.Microseconds()),
		In: (after.bytesIn - before.bytesIn) / n, Out: (after.bytesOut - before.bytesOut) / n, Scripts: (after.scripts - before.scripts) / n,
	}
}

// info reads a number of INFO, or the number of calls of a command.
func (b *bench) info(section, name string) (number float64) {
	text, err := b.client.Do(context.Background(), b.client.B().Info().Section(section).Build()).ToString()
	b.Check(err)
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			fmt.Sscanf(strings.TrimPrefix(rest, "calls="), "%f", &number)
		}
	}
	return number
}
