package redisstore_test

import (
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

// Where data was lost, a version that was told is never told of something else.
func TestVersionsGrowThoughDataIsLost(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	key := redisstore.KeyOf(project)
	before := server.Do("DUMP", key)
	told := update(t, s, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}).Version
	server.Do("RESTORE", key, "0", before, "REPLACE")                                 // as a failover does that loses the last change
	reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "a"}) // a mere renewal
	if reply.Version <= told {
		t.Fatalf("after version %d a version without Bob is told as %d", told, reply.Version)
	}
}

// Where Redis lost a project, whoever watches it on one node hears of that when another one
// finds out.
func TestWhatRedisLostIsToldOnAllNodes(t *testing.T) { // invariant 7
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	ready(t, a, b)
	update(t, a, alice, presence.Update{Section: "a"})
	woken := watch(t, b)
	listed(t, a)
	until(t, "the watching node knows of Alice", func() bool { return listed(t, b) == "Alice in a" })
	time.Sleep(300 * time.Millisecond) // what woke it until now has arrived
	select {
	case <-woken:
	default:
	}
	server.Do("FLUSHALL")
	until(t, "a node finds that nobody is there", func() bool { return listed(t, a) == "" })
	select {
	case <-woken:
	case <-time.After(2 * time.Second):
		t.Fatal("whoever watches on another node does not hear of it")
	}
	if got := listed(t, b); got != "" {
		t.Errorf("listed there then: %s", got)
	}
}

// What Redis lost may come back, with a master that has it or a dump. It is news then, and above
// what was told meanwhile.
func TestWhatComesBackIsNewsAboveAnEmptyList(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ready(t, s)
	update(t, s, alice, presence.Update{Session: "x", Section: "a"})
	woken := watch(t, s)
	key := redisstore.KeyOf(project)
	server.Do("RENAME", key, key+"aside")
	until(t, "nobody is there", func() bool { return listed(t, s) == "" })
	empty, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("RENAME", key+"aside", key)
	for len(woken) > 0 {
		<-woken
	}
	reply := update(t, s, alice, presence.Update{Session: "x", Section: "a"}) // which only renews
	if reply.Version <= empty.Version {
		t.Errorf("after version %d, in which nobody was, there is %d", empty.Version, reply.Version)
	}
	if len(woken) == 0 || listed(t, s) != "Alice in a" {
		t.Errorf("whoever watches was woken %d times, and Alice is listed as %q", len(woken), listed(t, s))
	}
}

// A room that nobody has used for a while is let go, and a node that has told of it does not
// go below that if Redis loses it then.
func TestVersionsGrowOverAProjectThatWasLetGoAndLost(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	before := update(t, s, alice, presence.Update{Session: "x", Section: "a"}).Version
	clock.Pass(2 * time.Minute)
	if n := s.Rooms(); n != 0 {
		t.Fatalf("two minutes later the node has to do with %d projects; due: none", n)
	}
	server.Do("FLUSHALL")
	for range 2 {
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Version <= before {
			t.Fatalf("after version %d: %d, %v", before, snapshot.Version, err)
		}
		before = snapshot.Version - 1 // nobody there is one version
		clock.Pass(2 * time.Minute)
	}
}

// What nodes that know nothing of each other say of a project in which nobody is goes up, and
// seldom, or whoever looks at it would be given the same list again and again.
func TestAnEmptyProjectHasOneVersionOnAllNodes(t *testing.T) { // invariant 8
	server := redistest.Start(t)
	var clocks [2]redisstore.Clock
	var nodes []*redisstore.Store
	for i := range clocks {
		nodes = append(nodes, open(t, server.URL(), &clocks[i]))
	}
	last, news := uint64(0), 0
	for range 210 {
		for i, s := range nodes {
			snapshot, err := s.Snapshot(t.Context(), project)
			if err != nil || snapshot.Version < last || snapshot.Count > 0 {
				t.Fatalf("node %d, after version %d: %d, %v", i, last, snapshot.Version, err)
			}
			if snapshot.Version > last {
				last, news = snapshot.Version, news+1
			}
			if _, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range clocks {
			clocks[i].Pass(6 * time.Second)
		}
	}
	if news > 4 {
		t.Errorf("in 21 minutes it has %d versions; due: one in ten minutes", news)
	}
}

// A project from which all have gone does not get the version back that it had before they came.
func TestVersionsGrowOverAnEmptyProject(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
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
		t.Errorf("where nobody is, the version goes from %d to %d by looking", empty, again)
	}
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	reply, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: "x", Seq: 2})
	if err != nil {
		t.Fatal(err)
	}
	if now := version(); now < reply.Version {
		t.Errorf("after version %d a list has %d", reply.Version, now)
	}
}
