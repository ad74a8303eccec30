// Package ratelimit bounds how often, and on how many different things, each caller acts. Its memory is
// bounded, whatever the number of callers.
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/writer-presence/writer-presence/internal/cache"
)

const (
	// minRotation is how long an idle caller is remembered at least.
	minRotation = time.Minute
	// maxRotation keeps the interval a valid duration, whatever the rate.
	maxRotation = 24 * time.Hour
	// maxCallers is how many callers are remembered; up to twice as many are held.
	maxCallers = 50_000
)

// Limiter is a rate limiter with a token bucket for each caller. It is safe for concurrent use. A nil
// Limiter limits nothing.
type Limiter struct {
	rate  rate.Limit
	burst int
	// rotateEvery is long enough to fill a bucket, so that a caller gains nothing by being forgotten.
	rotateEvery time.Duration

	mu      sync.Mutex
	buckets cache.Map[string, *rate.Limiter]
	rotated time.Time
}

// Exceeded is the error of a caller who exceeds a limit. After is when to try again.
type Exceeded struct {
	Err   error
	After time.Duration
}

func (e *Exceeded) Error() string { return e.Err.Error() }
func (e *Exceeded) Unwrap() error { return e.Err }

// RetryAfter returns After.
func (e *Exceeded) RetryAfter() time.Duration { return e.After }

// New returns a limiter that allows each caller perSecond calls a second on average, and burst at once, at
// least one. A rate of zero or less gives nil.
func New(perSecond float64, burst int) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	burst = max(1, burst)
	fill := min(float64(burst)/perSecond, maxRotation.Seconds())
	return &Limiter{
		rate: rate.Limit(perSecond), burst: burst,
		rotateEvery: max(minRotation, time.Duration(fill*float64(time.Second))),
		buckets:     cache.Map[string, *rate.Limiter]{Size: maxCallers}, rotated: time.Now(),
	}
}

// With returns the limiter itself if it has this rate, so that it goes on counting, and otherwise a new one; see [New].
func (l *Limiter) With(perSecond float64, burst int) *Limiter {
	n := New(perSecond, burst)
	if l != nil && n != nil && l.rate == n.rate && l.burst == n.burst {
		return l
	}
	return n
}

// Take counts one call. Over the limit it returns an [Exceeded] that wraps err.
func (l *Limiter) Take(caller string, err error) error {
	if l == nil {
		return nil
	}
	now := time.Now()
	bucket := l.bucket(caller, now)
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := (1 - bucket.TokensAt(now)) / float64(l.rate) * float64(time.Second)
	// Rounded up: a client that waits exactly that long must not be too early.
	return &Exceeded{Err: err, After: (time.Duration(missing) + time.Millisecond - 1).Truncate(time.Millisecond)}
}

func (l *Limiter) bucket(caller string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.rotated) >= l.rotateEvery {
		l.buckets.Rotate()
		l.rotated = now
	}
	b, ok := l.buckets.Get(caller)
	if !ok {
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets.Set(caller, b)
	}
	return b
}
