package ratelimit

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBusy = errors.New("too often")

func TestBurstThenRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 5)
		taken := func() (n int) {
			for l.Take("alice", errBusy) == nil {
				n++
			}
			return n
		}
		if n := taken(); n != 5 {
			t.Errorf("got %d at once, want the burst, 5", n)
		}
		if err := l.Take("bob", errBusy); err != nil {
			t.Errorf("bob after alice's burst: got %v, want nil", err)
		}
		for _, c := range []struct {
			wait time.Duration
			want int
		}{{time.Second, 2}, {499 * time.Millisecond, 0}, {time.Millisecond, 1}, {10 * time.Second, 5}} {
			time.Sleep(c.wait)
			if n := taken(); n != c.want {
				t.Errorf("after %v more: got %d, want %d", c.wait, n, c.want)
			}
		}
	})
}

func TestExceededHasTheTimeToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0.2, 1)
		if err := l.Take("alice", errBusy); err != nil {
			t.Fatal(err)
		}
		for _, wait := range []time.Duration{0, 2 * time.Second, 2 * time.Second} {
			time.Sleep(wait)
			var exceeded *Exceeded
			if err := l.Take("alice", errBusy); !errors.Is(err, errBusy) || !errors.As(err, &exceeded) || err.Error() != errBusy.Error() {
				t.Fatalf("got %v, want an Exceeded that wraps the caller's error", err)
			}
		}
		var exceeded *Exceeded
		errors.As(l.Take("alice", errBusy), &exceeded)
		if exceeded.After != time.Second {
			t.Errorf("After, 4 s of 5 later: got %v, want 1 s, since rejected calls cost nothing", exceeded.After)
		}
		time.Sleep(exceeded.After - time.Microsecond)
		if l.Take("alice", errBusy) == nil {
			t.Error("got nil just before After, want an error")
		}
		time.Sleep(time.Microsecond)
		if err := l.Take("alice", errBusy); err != nil {
			t.Errorf("got %v at After, want nil", err)
		}
	})
}

func TestZeroRateLimitsNothing(t *testing.T) {
	for _, perSecond := range []float64{0, -1} {
		l := New(perSecond, 10)
		if l != nil {
			t.Errorf("New with rate %v: got a limiter, want nil", perSecond)
		}
		for range 1000 {
			if err := l.Take("alice", errBusy); err != nil {
				t.Fatalf("nil limiter: got %v, want nil", err)
			}
		}
	}
	if err := New(0.01, 0).Take("alice", errBusy); err != nil {
		t.Errorf("first call with burst 0: got %v, want nil", err)
	}
}

func TestMemoryIsBounded(t *testing.T) { // rule 16, invariant 11
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 1)
		highest := 0
		for i := range 1_000_000 {
			l.Take(strconv.Itoa(i), errBusy)
			highest = max(highest, l.buckets.Len())
		}
		if highest > 2*maxCallers {
			t.Errorf("after a million callers: got %d buckets, want %d at most", highest, 2*maxCallers)
		}
		time.Sleep(2 * l.rotateEvery)
		l.Take("a", errBusy)
		time.Sleep(2 * l.rotateEvery)
		l.Take("b", errBusy)
		if n := l.buckets.Len(); n > 2 {
			t.Errorf("long after that: got %d buckets, want 2 at most", n)
		}
	})
}

func TestForgottenCallerGainsNothing(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		burst int
	}{{1, 10}, {0.5, 30}, {1, 200}, {0.1, 60}} {
		synctest.Test(t, func(t *testing.T) {
			l := New(c.rate, c.burst)
			for range c.burst {
				l.Take("alice", errBusy)
			}
			start, taken := time.Now(), 0
			others := 0
			for time.Since(start) < 20*time.Minute {
				// Others rotate the generations between alice's calls.
				for range 7 {
					time.Sleep(11 * time.Second)
					others++
					l.Take("other "+strconv.Itoa(others), errBusy)
				}
				for l.Take("alice", errBusy) == nil {
					taken++
				}
			}
			if want := int(time.Since(start).Seconds() * c.rate); taken > want {
				t.Errorf("rate %v, burst %v: got %d calls in %v, want %d at most", c.rate, c.burst, taken, time.Since(start), want)
			}
		})
	}
}

func TestCallerOverTheLimitIsRememberedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0.001, 1)
		time.Sleep(l.rotateEvery - time.Nanosecond) // just before a rotation
		l.Take("alice", errBusy)
		for range 60 {
			time.Sleep(time.Second)
			l.Take("other "+strconv.FormatInt(time.Now().Unix(), 10), errBusy)
			if l.Take("alice", errBusy) == nil {
				t.Fatal("alice's second call: got nil, want an error, since she must not be forgotten")
			}
		}
	})
}

func TestLimiterIsSafeForConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 100)
		var mu sync.Mutex
		taken := map[string]int{}
		var using sync.WaitGroup
		for range 8 {
			using.Go(func() {
				for i := range 400 {
					who := strconv.Itoa(i % 4)
					if l.Take(who, errBusy) == nil {
						mu.Lock()
						taken[who]++
						mu.Unlock()
					}
				}
			})
		}
		using.Wait()
		for who, n := range taken {
			if n != 100 {
				t.Errorf("%s: got %d calls at once, want the burst, 100", who, n)
			}
		}
	})
}
