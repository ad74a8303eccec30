package redisstore_test

import (
	"context"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// TestListsArePartialForAHeartbeatAfterALoss flushes Redis, and restores an older state of a
// project: two ways to lose data that a node can detect. A node that was not told anything before
// says the same as the others.
func TestListsArePartialForAHeartbeatAfterALoss(t *testing.T) { // rule 13
	for _, c := range []struct {
		name string
		lose func(server *redistest.Server, before string)
	}{
		{"all keys are gone", func(server *redistest.Server, _ string) { server.Do("FLUSHALL") }},
		{"the last change is gone", func(server *redistest.Server, before string) {
			server.Do("RESTORE", redisstore.KeyOf(project), "0", before, "REPLACE")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			var clocks [2]redisstore.Clock
			knows, other := open(t, server.URL(), &clocks[0]), open(t, server.URL(), &clocks[1])
			update(t, knows, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
			before := server.Do("DUMP", redisstore.KeyOf(project))
			if reply := update(t, knows, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}); reply.Partial {
				t.Error("an answer is partial before the loss")
			}
			c.lose(server, before)

			reply := update(t, knows, alice, presence.Update{Session: "x", Seq: 2, Section: "a"})
			if !reply.Partial {
				t.Error("the first answer after the loss is not partial")
			}
			if reply := update(t, other, alice, presence.Update{Session: "x", Seq: 3, Section: "a"}); !reply.Partial { // a renewal
				t.Error("an answer of another node is not partial")
			}
			var version uint64
			for _, s := range []*redisstore.Store{knows, other} {
				snapshot, err := s.Snapshot(t.Context(), project)
				if err != nil || !snapshot.Partial || snapshot.Loss == 0 {
					t.Fatalf("a list after the loss is %+v, %v; due: partial", snapshot, err)
				}
				version = snapshot.Version
			}
			for i := range clocks {
				clocks[i].Pass(presence.DefaultHeartbeat + time.Second)
			}
			for _, s := range []*redisstore.Store{other, knows} {
				snapshot, err := s.Snapshot(t.Context(), project)
				if err != nil || snapshot.Partial || snapshot.Version <= version {
					t.Fatalf("a heartbeat later a list is partial (%v) at version %d after %d, %v; due: complete and newer", snapshot.Partial, snapshot.Version, version, err)
				}
			}
			if reply := update(t, other, alice, presence.Update{Session: "x", Seq: 4, Section: "a"}); reply.Partial {
				t.Error("a heartbeat later an answer is partial")
			}
		})
	}
}

// TestALossIsNoticedWithinSecondsThoughNobodyAsks flushes Redis while a project is watched.
func TestALossIsNoticedWithinSecondsThoughNobodyAsks(t *testing.T) { // rule 13
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ready(t, s)
	update(t, s, alice, presence.Update{Session: "x", Section: "a"})
	woken := watch(t, s)
	listed(t, s)
	for deadline := time.Now().Add(3 * time.Second); server.Do("EXISTS", "writer-presence:data:{0}") == "0"; {
		if time.Now().After(deadline) {
			t.Fatal("there is no marker")
		}
	}
	server.Do("FLUSHALL")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	for {
		select {
		case <-woken:
		case <-ctx.Done():
			t.Fatal("nobody was woken")
		}
		if snapshot, err := s.Snapshot(t.Context(), project); err == nil && snapshot.Partial {
			return
		}
	}
}

// TestAProjectThatExpiredIsNotLost looks at projects in which nobody was, or nobody is any more.
func TestAProjectThatExpiredIsNotLost(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	for _, gone := range []time.Duration{0, time.Hour} {
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Partial {
			t.Fatalf("partial %v, %v", snapshot.Partial, err)
		}
		update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		clock.Pass(gone)
		if gone > 0 {
			server.Do("DEL", redisstore.KeyOf(project)) // as it expires
		}
	}
	if snapshot, err := s.Snapshot(t.Context(), project); err != nil || snapshot.Partial {
		t.Errorf("after it expired a project is partial: %v, %v", snapshot.Partial, err)
	}
}
