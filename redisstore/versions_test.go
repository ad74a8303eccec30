package redisstore_test

import (
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// After a loss, no version that was returned before may stand for another state.
func TestVersionsGrowAfterDataLoss(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	key := redisstore.ProjectKey(project)
	dump := server.Do("DUMP", key)
	before := update(t, s, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}).Version
	server.Do("RESTORE", key, "0", dump, "REPLACE")                                   // like a failover that loses the last change
	reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "a"}) // only renews
	if reply.Version <= before {
		t.Fatalf("the version is %d after the loss and was %d before; want a higher one", reply.Version, before)
	}
}

// A node that detects the loss of a project wakes the other nodes.
func TestDataLossWakesWatchersOnAllNodes(t *testing.T) { // invariant 7
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	ready(t, a, b)
	update(t, a, alice, presence.Update{Section: "a"})
	woken := watch(t, b)
	list(t, a)
	until(t, "the watching node lists Alice", func() bool { return list(t, b) == "Alice in a" })
	time.Sleep(300 * time.Millisecond) // earlier wake-ups have arrived
	select {
	case <-woken:
	default:
	}
	server.Do("FLUSHALL")
	until(t, "a node lists nobody", func() bool { return list(t, a) == "" })
	select {
	case <-woken:
	case <-time.After(2 * time.Second):
		t.Fatal("the watcher on the other node was not woken")
	}
	if got := list(t, b); got != "" {
		t.Errorf("the other node lists %q; want nobody", got)
	}
}

// Lost data may come back, with an old master or from a dump. It must get a version above those that
// were returned meanwhile.
func TestRestoredDataGetsANewVersion(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	update(t, s, alice, presence.Update{Session: "x", Section: "a"})
	woken := watch(t, s)
	key := redisstore.ProjectKey(project)
	server.Do("RENAME", key, key+"aside")
	until(t, "the list is empty", func() bool { return list(t, s) == "" })
	empty, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("RENAME", key+"aside", key)
	for len(woken) > 0 {
		<-woken
	}
	reply := update(t, s, alice, presence.Update{Session: "x", Section: "a"}) // only renews
	if reply.Version <= empty.Version {
		t.Errorf("the version is %[2]d after %[1]d of the empty list; want a higher one", empty.Version, reply.Version)
	}
	if len(woken) == 0 || list(t, s) != "Alice in a" {
		t.Errorf("the watcher has %d wake-ups, and the list is %q; want one, and Alice in a", len(woken), list(t, s))
	}
}

// The version of a project that left the cache is remembered, in case Redis loses the project.
func TestVersionsGrowAfterAProjectLeftTheCacheAndWasLost(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	before := update(t, s, alice, presence.Update{Session: "x", Section: "a"}).Version
	clock.Advance(2 * time.Minute)
	if n := s.CachedProjects(); n != 0 {
		t.Fatalf("two minutes later %d projects are cached; want none", n)
	}
	server.Do("FLUSHALL")
	for range 2 {
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Version <= before {
			t.Fatalf("after version %d the list has version %d, %v; want a higher one", before, snapshot.Version, err)
		}
		before = snapshot.Version - 1 // the version of an empty list may stay the same
		clock.Advance(2 * time.Minute)
	}
}

// Nodes agree on the version of an empty project without a roster in Redis. It rarely changes, because
// each change sends the same list to all clients again.
func TestEmptyProjectHasTheSameVersionOnAllNodes(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clocks [2]redisstore.Clock
	var nodes []*redisstore.Store
	for i := range clocks {
		nodes = append(nodes, openWithClock(t, server.URL(), &clocks[i]))
	}
	last, changes := uint64(0), 0
	for range 210 {
		for i, s := range nodes {
			snapshot, err := s.Snapshot(t.Context(), project)
			if err != nil || snapshot.Version < last || snapshot.Count > 0 {
				t.Fatalf("node %d returns version %[3]d after %[2]d, %[4]v; want no lower one, and nobody", i, last, snapshot.Version, err)
			}
			if snapshot.Version > last {
				last, changes = snapshot.Version, changes+1
			}
			if _, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range clocks {
			clocks[i].Advance(6 * time.Second)
		}
	}
	if changes > 4 {
		t.Errorf("the version changed %d times in 21 minutes; want once in ten minutes", changes)
	}
}

// An empty project must not get back the version that it had before people came.
func TestVersionsGrowOverAnEmptyProject(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	s := open(t, server.URL())
	ready(t, s)
	version := func() uint64 {
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil {
			t.Fatal(err)
		}
		return snapshot.Version
	}
	empty := version()
	if again := version(); again != empty {
		t.Errorf("reading an empty project changes its version from %d to %d", empty, again)
	}
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	reply, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: "x", Seq: 2})
	if err != nil {
		t.Fatal(err)
	}
	if now := version(); now < reply.Version {
		t.Errorf("after a leave at version %d the list has version %d", reply.Version, now)
	}
}
