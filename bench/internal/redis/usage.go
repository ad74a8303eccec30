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
	at                                time.Time
	redisSeconds, ownSeconds          float64
	bytesIn, bytesOut, scriptsStarted float64
}

func (b *bench) counters() (c counters) {
	c.bytesIn, c.bytesOut = b.info("stats", "total_net_input_bytes"), b.info("stats", "total_net_output_bytes")
	c.scriptsStarted = b.info("commandstats", "cmdstat_evalsha")
	own, err := harness.OwnCPU()
	b.Check(err)
	redis, err := harness.CPU(b.redis)
	b.Check(err)
	c.redisSeconds, c.ownSeconds, c.at = redis.Seconds(), own.Seconds(), time.Now()
	return c
}

// measure returns the usage of as many operations as f returns.
func (b *bench) measure(f func() int) usage {
	before := b.counters()
	operations := float64(f())
	after := b.counters()
	took, redis, own := after.at.Sub(before.at).Seconds(), after.redisSeconds-before.redisSeconds, after.ownSeconds-before.ownSeconds
	return usage{
		Micros: redis * 1e6 / operations, OwnMicros: own * 1e6 / operations, Rate: operations / took,
		Busy: 100 * redis / took, OwnBusy: 100 * own / took,
		In: (after.bytesIn - before.bytesIn) / operations, Out: (after.bytesOut - before.bytesOut) / operations,
		Scripts: (after.scriptsStarted - before.scriptsStarted) / operations,
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
