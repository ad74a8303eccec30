package redisstore_test

import (
	"context"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// There are two ways to lose data that a node can detect: Redis has no roster, or an older one. A node
// that has observed nothing before must answer like the others.
func TestListsArePartialForOneHeartbeatAfterDataLoss(t *testing.T) { // rule 13
	for _, c := range []struct {
		name string
		lose func(server *redistest.Server, before string)
	}{
		{"all keys are gone", func(server *redistest.Server, _ string) { server.Do("FLUSHALL") }},
		{"the last change is gone", func(server *redistest.Server, before string) {
			server.Do("RESTORE", redisstore.ProjectKey(project), "0", before, "REPLACE")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			var clocks [2]redisstore.Clock
			observer, other := openWithClock(t, server.URL(), &clocks[0]), openWithClock(t, server.URL(), &clocks[1])
			update(t, observer, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
			before := server.Do("DUMP", redisstore.ProjectKey(project))
			if reply := update(t, observer, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}); reply.Partial {
				t.Error("a reply is partial before the loss")
			}
			c.lose(server, before)

			reply := update(t, observer, alice, presence.Update{Session: "x", Seq: 2, Section: "a"})
			if !reply.Partial {
				t.Error("the first reply after the loss is not partial")
			}
			if reply := update(t, other, alice, presence.Update{Session: "x", Seq: 3, Section: "a"}); !reply.Partial { // only renews
				t.Error("a reply of another node after the loss is not partial")
			}
			var version uint64
			for _, s := range []*redisstore.Store{observer, other} {
				snapshot, err := s.Snapshot(t.Context(), project)
				if err != nil || !snapshot.Partial || snapshot.Loss == 0 {
					t.Fatalf("a list after the loss is %+v, %v; want partial", snapshot, err)
				}
				version = snapshot.Version
			}
			for i := range clocks {
				clocks[i].Advance(presence.DefaultHeartbeat + time.Second)
			}
			for _, s := range []*redisstore.Store{other, observer} {
				snapshot, err := s.Snapshot(t.Context(), project)
				if err != nil || snapshot.Partial || snapshot.Version <= version {
					t.Fatalf("a heartbeat later a list has partial: %v at version %d after %d, %v; want a complete and newer one", snapshot.Partial, snapshot.Version, version, err)
				}
			}
			if reply := update(t, other, alice, presence.Update{Session: "x", Seq: 4, Section: "a"}); reply.Partial {
				t.Error("a heartbeat later a reply is partial")
			}
		})
	}
}

// FLUSHALL closes no connection. The node must detect it by the marker.
func TestFlushOfAWatchedProjectIsDetectedWithinSeconds(t *testing.T) { // rule 13
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	update(t, s, alice, presence.Update{Session: "x", Section: "a"})
	woken := watch(t, s)
	list(t, s)
	waitForMarker(t, server)
	server.Do("FLUSHALL")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	for {
		select {
		case <-woken:
		case <-ctx.Done():
			t.Fatal("no watcher read a partial list within 4 s")
		}
		if snapshot, err := s.Snapshot(t.Context(), project); err == nil && snapshot.Partial {
			return
		}
	}
}

func TestExpiredOrUnknownProjectIsNotPartial(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	for _, age := range []time.Duration{0, time.Hour} {
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Partial {
			t.Fatalf("a list without a loss has partial: %v, %v", snapshot.Partial, err)
		}
		update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		clock.Advance(age)
		if age > 0 {
			server.Do("DEL", redisstore.ProjectKey(project)) // what expiry does
		}
	}
	if snapshot, err := s.Snapshot(t.Context(), project); err != nil || snapshot.Partial {
		t.Errorf("the list of an expired project has partial: %v, %v", snapshot.Partial, err)
	}
}
