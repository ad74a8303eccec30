package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestChangeWakesWatchersOnOtherNodes(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	ready(t, a, b)
	woken := watch(t, b)
	for i := range 20 {
		want := fmt.Sprintf("Alice in %d", i)
		update(t, a, alice, presence.Update{Section: presence.Section(fmt.Sprint(i))})
		for list(t, b) != want {
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Fatalf("the watcher was not woken, and the list is %q; want %q", list(t, b), want)
			}
		}
	}
}

// The end of a lease sends no wake-up. The node must read the project at that time by itself.
func TestEndOfALeaseWakesWatchers(t *testing.T) { // rule 1
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	ready(t, s)
	update(t, s, alice, presence.Update{Section: "a"})
	clock.Advance(presence.DefaultLease - time.Second)
	woken := make(chan struct{}, 100)
	stop := s.Watch(project, func() { woken <- struct{}{} })
	defer stop()
	clock.Advance(0)
	for len(woken) > 0 {
		<-woken
	}
	clock.Advance(time.Second + time.Millisecond)
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		t.Fatal("the lease of Alice has ended, and the watcher was not woken")
	}
}

// Watchers must learn of an outage without a call of their own.
func TestOutageWakesWatchers(t *testing.T) { // rule 13
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	update(t, s, alice, presence.Update{Section: "a"})
	woken := watch(t, s)
	list(t, s)
	server.Kill()
	for {
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Fatal("the watcher was not woken within 5 s after Redis ended")
		}
		if _, err := s.Snapshot(t.Context(), project); errors.Is(err, presence.ErrUnavailable) {
			return
		}
	}
}

// A leave of a hidden page or a broken connection takes effect after a grace time, on the node that got
// it and on the others.
func TestDelayedLeaveTakesEffectInTimeOnAllNodes(t *testing.T) { // rule 9
	t.Parallel()
	for name, leave := range map[string]presence.Leave{
		"hidden": {Session: "x", Seq: 2, Hidden: true},
		"broken": {Session: "x", Connection: 1, Broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := open(t, server.URL()), open(t, server.URL())
			ready(t, a, b)
			woken := watch(t, a)
			update(t, b, alice, presence.Update{Session: "x", Seq: 1, Section: "a", Connection: 1})
			until(t, "both nodes list Alice", func() bool { return list(t, a) == "Alice in a" && list(t, b) == "Alice in a" })
			began, grace := time.Now(), presence.HiddenGrace
			if leave.Broken {
				grace = presence.BrokenGrace
			}
			if _, err := b.Leave(t.Context(), project, alice, leave); err != nil {
				t.Fatal(err)
			}
			now, late := "Alice in a", time.After(grace+3*time.Second)
			for now != "" { // the update or the leave may have woken it, too
				select {
				case <-woken:
					now = list(t, b)
				case <-late:
					t.Fatalf("%v after the leave the watcher on the other node was not woken, or the node that got the leave lists %q; want nobody", time.Since(began), list(t, b))
				}
			}
		})
	}
}
