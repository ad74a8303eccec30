package identity

import (
	"cmp"

	"github.com/writer-presence/writer-presence/internal/ratelimit"
)

// Rate bounds how often each caller does something: PerSecond on average, and Burst at once. The zero Rate
// stands for the default of the option that it is given to, and [NoLimit] for no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// NoLimit is a Rate that limits nothing.
var NoLimit = Rate{PerSecond: -1}

// limiter returns a limiter for the rate, or for normal if the rate is zero.
func (r Rate) limiter(normal Rate) *ratelimit.Limiter {
	r = cmp.Or(r, normal)
	return ratelimit.New(r.PerSecond, r.Burst)
}
