// Package limit says how often somebody may do something, in bounded memory.
package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
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

	mu sync.Mutex
	// recent holds those of this turn, and before those of the turn before: so the
	// ones long quiet are forgotten without looking at each.
	recent, before map[string]*rate.Limiter
	turned         time.Time
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
		recent:    map[string]*rate.Limiter{}, turned: time.Now(),
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
	if b := l.recent[who]; b != nil {
		return b
	}
	if now.Sub(l.turned) >= l.turnEvery || len(l.recent) >= most {
		l.recent, l.before, l.turned = map[string]*rate.Limiter{}, l.recent, now
	}
	b := l.before[who]
	if b == nil {
		b = rate.NewLimiter(l.rate, l.burst)
	}
	l.recent[who] = b
	return b
}
