package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestListOfAnUnchangedProjectDoesNotAskRedis(t *testing.T) { // case 34
	server := redistest.Start(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	ready(t, a, b)
	update(t, a, alice, presence.Update{Section: "a"})
	list(t, b)
	until(t, "lists are answered from the cache", func() bool {
		before := calls(server)
		for range 100 {
			if got := list(t, b); got != "Alice in a" {
				t.Fatalf("the list is %q; want Alice in a", got)
			}
		}
		return calls(server) == before
	})
	update(t, a, alice, presence.Update{Section: "b"})
	until(t, "a change on one node is in the list of another", func() bool { return list(t, b) == "Alice in b" })
}

func TestUpdateIsInTheNextListOfItsNode(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	for i := range 200 {
		section := presence.Section(fmt.Sprint(i))
		reply := update(t, s, alice, presence.Update{Section: section})
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Version < reply.Version || snapshot.Occupants[0].Section != section {
			t.Fatalf("after an update to version %d the list has version %d with Alice in %q, %v", reply.Version, snapshot.Version, snapshot.Occupants[0].Section, err)
		}
	}
}

func TestIdleProjectLeavesTheCacheUnlessItIsWatched(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	ready(t, s)
	stop := s.Watch(project, func() {})
	list(t, s)
	if s.CachedProjects() != 1 {
		t.Fatalf("%d projects are cached; want 1", s.CachedProjects())
	}
	clock.Advance(time.Hour)
	if s.CachedProjects() != 1 {
		t.Fatal("a watched project left the cache")
	}
	stop()
	clock.Advance(time.Hour)
	clock.Advance(0)
	if s.CachedProjects() != 0 {
		t.Fatal("an idle project stays in the cache")
	}
	until(t, "the subscription has ended", func() bool {
		return !strings.Contains(server.Do("PUBSUB", "CHANNELS"), redisstore.ProjectKey(project))
	})
}

func TestUnknownProjectsAreNotCached(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	for i := range 500 {
		p := presence.Project(fmt.Sprint("random", i))
		_, errSnapshot := s.Snapshot(t.Context(), p)
		_, errFresh := s.FreshSnapshot(t.Context(), p)
		_, errLeave := s.Leave(t.Context(), p, alice, presence.Leave{Session: "x"})
		if err := errors.Join(errSnapshot, errFresh, errLeave); err != nil {
			t.Fatal(err)
		}
	}
	if cached, evicted := s.CachedProjects(), s.EvictedProjects(); cached != 0 || evicted != 0 {
		t.Errorf("%d projects are cached and %d observations are kept; want none", cached, evicted)
	}
}

func TestProjectInUseStaysCachedWhileOthersAreEvicted(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL())
	s.SetMaxProjects(50)
	ready(t, s)
	for i := range 560 {
		if i == 60 { // the cache is full
			update(t, s, alice, presence.Update{Section: "a"})
		}
		if _, err := s.Update(t.Context(), presence.Project(fmt.Sprint("random", i)), bob, presence.Update{Section: "a"}); err != nil {
			t.Fatal(err)
		}
		if i >= 60 {
			list(t, s)
		}
	}
	if cached := s.CachedProjects(); cached > 50 {
		t.Errorf("%d projects are cached; the limit is 50", cached)
	}
	until(t, "the project in use is answered without asking Redis", func() bool {
		before := calls(server)
		for range 50 {
			list(t, s)
		}
		return calls(server) == before
	})
}

// A client may have seen a newer version on another node.
func TestSnapshotSinceAsksRedisIfTheCacheIsOlder(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), presence.DefaultLease)
	ahead, behind := nodes[0], nodes[1]
	screens := []*screen{behind.watch(project)}
	ahead.update(project, writer("Alice"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
	agree(t, nodes, screens, "Alice", recoveryTime)
	service := presence.NewService(behind.store)
	behind.until("it answers from its cache", recoveryTime, func() bool {
		behind.proxy.DropMessages()
		reply, _ := ahead.update(project, writer("Alice"), presence.Update{Session: "tab", Section: presence.Section(fmt.Sprint(time.Now().UnixNano()))})
		old, err := behind.store.Snapshot(t.Context(), project)
		if err != nil || old.Version >= reply.Version {
			behind.proxy.Pass()
			time.Sleep(100 * time.Millisecond) // until it receives wake-ups again
			return false
		}
		fresh, err := service.SnapshotSince(t.Context(), project, reply.Version)
		if err != nil || fresh.Version < reply.Version {
			t.Errorf("SnapshotSince(%d) returns version %d, %v", reply.Version, fresh.Version, err)
		}
		return true
	})
	behind.proxy.Hold()
	began := time.Now()
	if s, err := service.SnapshotSince(t.Context(), project, presence.MaxSafe); !errors.Is(err, presence.ErrUnavailable) || time.Since(began) > maxCall {
		t.Errorf("while Redis hangs, SnapshotSince returns after %v: %v, %v; want ErrUnavailable", time.Since(began), s, err)
	}
	behind.proxy.Pass()
}
