package redis

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// usage is what a round measured; all but Rate and Busy are for one operation.
type usage struct {
	Micros  float64 // of CPU of Redis
	Rate    float64 // operations a second
	Busy    float64 // % of its core that Redis used
	In, Out float64 // bytes to and from Redis
	Scripts float64
}

// measure returns the usage of as many operations as f returns.
func (b *bench) measure(f func() int) usage {
	in, out, scripts := b.network()
	micros, began := b.CPU(b.redis), time.Now()
	n := float64(f())
	took := time.Since(began)
	micros = b.CPU(b.redis) - micros
	inNow, outNow, scriptsNow := b.network()
	return usage{Micros: micros / n, Rate: n / took.Seconds(), Busy: 100 * micros / float64(took.Microseconds()),
		In: (inNow - in) / n, Out: (outNow - out) / n, Scripts: (scriptsNow - scripts) / n}
}

// network returns the bytes to and from Redis and the scripts that it ran so far.
func (b *bench) network() (in, out, scripts float64) {
	return b.info("total_net_input_bytes:"), b.info("total_net_output_bytes:"), b.info("cmdstat_evalsha:calls=")
}

// info reads the number after a text in the reply to INFO.
func (b *bench) info(name string) (number float64) {
	text, err := b.client.Do(context.Background(), b.client.B().Info().Section("all").Build()).ToString()
	b.Check(err)
	_, rest, _ := strings.Cut(text, "\n"+name)
	fmt.Sscanf(rest, "%f", &number)
	return number
}
