// Package limit says how often somebody may do something, in bounded memory.
package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/writer-presence/writer-presence/recent"
)

const (
	// leastTurn is how long somebody is remembered at least who does nothing.
	leastTurn = time.Minute
	// longestTurn keeps the time countable, whatever the rate.
	longestTurn = 24 * time.Hour
	// most is how many are remembered at the most, twice over.
	most = 50_000
)

// Limiter is a rate limiter with one bucket for each caller: a rate and a burst. Its methods are safe for concurrent
// use. The zero Limiter and a nil one limit nothing. Options take nil for their default, so use [None] to say that
// there is to be no limit.
type Limiter struct {
	rate  rate.Limit
	burst int
	// turnEvery is long enough to fill a burst: who is forgotten gains nothing by it.
	turnEvery time.Duration

	mu      sync.Mutex
	buckets recent.Map[string, *rate.Limiter]
	turned  time.Time
}

// None limits nothing.
var None = &Limiter{}

// TooMany is the error of somebody who is above a limit, and when to try again.
type TooMany struct {
	Err   error
	After time.Duration
}

func (t *TooMany) Error() string { return t.Err.Error() }
func (t *TooMany) Unwrap() error { return t.Err }

// New makes a limiter that allows perSecond times a second and burst times at once. A rate of zero or less gives
// [None].
func New(perSecond, burst float64) *Limiter {
	if perSecond <= 0 {
		return None
	}
	fill := min(max(1, burst)/perSecond, longestTurn.Seconds())
	return &Limiter{
		rate: rate.Limit(perSecond), burst: max(1, int(burst)),
		turnEvery: max(leastTurn, time.Duration(fill*float64(time.Second))),
		buckets:   recent.Map[string, *rate.Limiter]{Most: most}, turned: time.Now(),
	}
}

// Take counts one time. Above the limit it returns a [TooMany] that wraps err.
func (l *Limiter) Take(who string, err error) error {
	if l == nil || l.burst == 0 {
		return nil
	}
	now := time.Now()
	bucket := l.bucket(who, now)
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := (1 - bucket.TokensAt(now)) / float64(l.rate) * float64(time.Second)
	// Rounded up, or whoever waits for just so long would be too early.
	return &TooMany{Err: err, After: (time.Duration(missing) + time.Millisecond - 1).Truncate(time.Millisecond)}
}

func (l *Limiter) bucket(who string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.turned) >= l.turnEvery {
		l.buckets.Turn()
		l.turned = now
	}
	b, ok := l.buckets.Get(who)
	if !ok {
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets.Set(who, b)
	}
	return b
}
