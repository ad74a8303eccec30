// Package limit says how often somebody may do something, in bounded memory.
package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"writer-presence/recent"
)

const (
	// leastTurn is how long somebody is remembered at least who does nothing.
	leastTurn = time.Minute
	// longestTurn keeps the time countable, whatever the rate.
	longestTurn = 24 * time.Hour
	// most is how many are remembered at the most, twice over.
	most = 50_000
)

// Limiter bounds how often each of many may do something: a rate, with a burst. Its
// methods may be called at once. A nil Limiter bounds nothing.
type Limiter struct {
	rate  rate.Limit
	burst int
	// turnEvery is long enough to fill a burst: who is forgotten gains nothing by it.
	turnEvery time.Duration

	mu      sync.Mutex
	buckets recent.Map[string, *rate.Limiter]
	turned  time.Time
}

// TooMany is the error of somebody who is above a limit, and when to try again.
type TooMany struct {
	Err   error
	After time.Duration
}

func (t *TooMany) Error() string { return t.Err.Error() }
func (t *TooMany) Unwrap() error { return t.Err }

// New makes a limiter of so many times a second, and at once. No rate, or a negative
// one, gives nil, which bounds nothing.
func New(perSecond, burst float64) *Limiter {
	if perSecond <= 0 {
		return nil
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
	if l == nil {
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
