package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
)

// TestReadingUnknownProjectsKeepsNothing reads, leaves and asks anew for projects that do not exist.
func TestReadingUnknownProjectsKeepsNothing(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ready(t, s)
	for i := range 500 {
		p := presence.Project(fmt.Sprint("random", i))
		_, listed := s.Snapshot(t.Context(), p)
		_, fresh := s.FreshSnapshot(t.Context(), p)
		_, left := s.Leave(t.Context(), p, alice, presence.Leave{Session: "x"})
		if err := errors.Join(listed, fresh, left); err != nil {
			t.Fatal(err)
		}
	}
	if rooms, told := s.Rooms(), s.Told(); rooms != 0 || told != 0 {
		t.Errorf("the node keeps %d rooms and %d versions; due: none", rooms, told)
	}
}

// TestAProjectInUseKeepsItsRoomWhileOthersCome has more projects come than a node keeps.
func TestAProjectInUseKeepsItsRoomWhileOthersCome(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	s.SetMostRooms(50)
	ready(t, s)
	for i := range 560 {
		if i == 60 { // the node is full already
			update(t, s, alice, presence.Update{Section: "a"})
		}
		if _, err := s.Update(t.Context(), presence.Project(fmt.Sprint("random", i)), bob, presence.Update{Section: "a"}); err != nil {
			t.Fatal(err)
		}
		if i >= 60 {
			listed(t, s)
		}
	}
	if rooms := s.Rooms(); rooms > 50 {
		t.Errorf("the node keeps %d rooms; due: at most 50", rooms)
	}
	until(t, "the project in use is answered without asking Redis", func() bool {
		before := calls(server)
		for range 50 {
			listed(t, s)
		}
		return calls(server) == before
	})
}

// TestANodeThatIsBehindAsksRedisFirst holds wake-ups back from a node, and then all that it says.
func TestANodeThatIsBehindAsksRedisFirst(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), presence.DefaultLease)
	ahead, behind := nodes[0], nodes[1]
	screens := []*screen{behind.watch(page)}
	ahead.update(page, writer("Alice"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
	agree(t, nodes, screens, "Alice", soon)
	tracker := presence.NewService(behind.store)
	behind.until("it answers from its cache", soon, func() bool {
		behind.proxy.Starve()
		reply, _ := ahead.update(page, writer("Alice"), presence.Update{Session: "tab", Section: presence.Section(fmt.Sprint(time.Now().UnixNano()))})
		old, err := behind.store.Snapshot(t.Context(), page)
		if err != nil || old.Version >= reply.Version {
			behind.proxy.Pass()
			time.Sleep(100 * time.Millisecond) // until it hears wake-ups again
			return false
		}
		fresh, err := tracker.SnapshotSince(t.Context(), page, reply.Version)
		if err != nil || fresh.Version < reply.Version {
			t.Errorf("who has version %d is answered with %d, %v", reply.Version, fresh.Version, err)
		}
		return true
	})
	behind.proxy.Hold()
	began := time.Now()
	if s, err := tracker.SnapshotSince(t.Context(), page, presence.MaxSafe); !errors.Is(err, presence.ErrUnavailable) || time.Since(began) > longestCall {
		t.Errorf("with a connection that hangs the answer after %v is %v, %v; due: unavailable", time.Since(began), s, err)
	}
	behind.proxy.Pass()
}
