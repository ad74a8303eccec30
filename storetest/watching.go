package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// countWakes watches the project and counts the calls of wake.
func (s *Subject) countWakes() (count func() int, stop func()) {
	var mu sync.Mutex
	n := 0
	stop = s.Watch(project, func() {
		mu.Lock()
		defer mu.Unlock()
		n++
	})
	return func() int {
		s.Pass(s.Grain) // a wake-up may be on its way
		mu.Lock()
		defer mu.Unlock()
		return n
	}, stop
}

func watchWakes(t *testing.T, s *Subject) {
	count, stop := s.countWakes()
	defer stop()
	for _, c := range []struct {
		what   string
		do     func()
		change bool
	}{
		{"an arrival", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"}) }, true},
		{"a renewal", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 2, Section: "a"}) }, false},
		{"a move", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 3, Section: "b"}) }, true},
		{"an older message", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "c"}) }, false},
		{"another activity", func() {
			s.update(t, alice, presence.Update{Session: "x", Seq: 4, Section: "b", Activity: presence.Idle})
		}, true},
		{"a snapshot", func() { s.snapshot(t) }, false},
		{"another project", func() {
			if _, err := s.Update(t.Context(), "other", bob, presence.Update{Section: "a"}); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a leave", func() { s.leave(t, alice, presence.Leave{Session: "x", Seq: 5}) }, true},
	} {
		before := count()
		c.do()
		if now := count(); now > before != c.change {
			t.Errorf("%s calls wake %d times; a visible change: %v", c.what, now-before, c.change)
		}
	}
	stop()
	before := count()
	s.update(t, alice, presence.Update{Session: "x", Seq: 6, Section: "a"})
	if now := count(); now != before {
		t.Errorf("after stop, wake is called %d times", now-before)
	}
}

// Only a call of wake after the lease has ended counts, by the store's clock, so that a slow machine does not
// make the test fail.
func watchExpiry(t *testing.T, s *Subject) { // rule 1
	s.update(t, alice, presence.Update{Section: "a"})
	end := s.snapshot(t).Occupants[0].LastSeen.Add(s.Lease)
	var woken atomic.Bool
	defer s.Watch(project, func() {
		if !s.Now().Before(end) {
			woken.Store(true)
		}
	})()
	s.Pass(end.Add(-2 * s.Grain).Sub(s.Now())) // what a store does at intervals is not enough for the end
	s.Pass(end.Add(time.Second - s.Grain).Sub(s.Now()))
	s.Pass(s.Grain) // a wake-up may be on its way
	if !woken.Load() {
		t.Error("wake is not called within a second after the session of Alice expired")
	}
}
