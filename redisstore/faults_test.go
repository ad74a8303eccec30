package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/internal/wire"
	"github.com/writer-presence/writer-presence/redisstore"
)

// Two users are alive on two nodes, and a third one sends no more heartbeats, while Redis or the network
// has a fault. During the fault calls end in time, and nothing unknown is stated. Afterwards all nodes and
// screens show the two users, at a newer version.
func TestNodesRecoverFromFaultsOfRedis(t *testing.T) { // invariants 1, 2, 7 and 10, rule 13, cases 30 and 35
	type setup struct {
		server *redistest.Server
		nodes  []*node
	}
	all := func(f func(*redistest.Proxy)) func(*setup) {
		return func(s *setup) {
			for _, n := range s.nodes {
				f(n.proxy)
			}
		}
	}
	for _, c := range []struct {
		name        string
		begin, end  func(*setup)
		unavailable bool // during the fault
		lost        bool // whether Redis loses its data
	}{
		{"killed", func(s *setup) { s.server.Kill() }, func(s *setup) { s.server.Run() }, true, true},
		{"paused", func(s *setup) { s.server.Pause() }, func(s *setup) { s.server.Resume() }, true, false},
		{"disconnected", all((*redistest.Proxy).Cut), all((*redistest.Proxy).Pass), true, false},
		{"silent", all((*redistest.Proxy).Hold), all((*redistest.Proxy).Pass), true, false},
		{"slow", all(func(p *redistest.Proxy) { p.Slow(200 * time.Millisecond) }), all((*redistest.Proxy).Pass), false, false},
		{"flushed", func(s *setup) { s.server.Do("FLUSHALL") }, func(*setup) {}, false, true},
		{"without its scripts", func(s *setup) { s.server.Do("SCRIPT", "FLUSH") }, func(*setup) {}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			s := &setup{server, startNodes(t, 2, server, shortLease)}
			screens := []*screen{s.nodes[0].watch(project), s.nodes[1].watch(project)}
			s.nodes[0].keepAlive("Alice", "a")
			s.nodes[1].keepAlive("Bob", "b")
			agree(t, s.nodes, screens, "Alice Bob", recoveryTime)
			s.nodes[0].update(project, writer("Carol"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
			lastUpdate := time.Now()
			agree(t, s.nodes, screens, "Alice Bob Carol", recoveryTime)
			before := s.nodes[0].newest.Load()

			c.begin(s)
			for _, n := range s.nodes {
				for began := time.Now(); time.Since(began) < time.Second || c.unavailable && time.Since(began) < shortLease+maxCall; {
					names, _, ok := n.list(project)
					if !ok && !c.unavailable {
						t.Fatalf("%s does not answer: %v", n.name, n.lastError.Load())
					}
					if !ok {
						break
					}
					if !c.lost && !strings.HasPrefix(names, "Alice Bob") {
						t.Fatalf("%s lists %q; want Alice and Bob", n.name, names)
					}
					time.Sleep(20 * time.Millisecond)
				}
				if _, _, ok := n.list(project); ok && c.unavailable {
					t.Errorf("%s answers during the fault; want ErrUnavailable", n.name)
				}
			}
			c.end(s)

			within := max(recoveryTime, time.Until(lastUpdate.Add(shortLease+time.Second)))
			agree(t, s.nodes, screens, "Alice Bob", within)
			if now := s.nodes[0].newest.Load(); now <= before {
				t.Errorf("the version is %[2]d without Carol and was %[1]d with her; want a higher one", before, now)
			}
			// A wake-up brings a change to the other screen again.
			for _, n := range s.nodes {
				n.untilReady(recoveryTime)
			}
			s.nodes[0].update(project, writer("Dora"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
			agree(t, s.nodes, screens, "Alice Bob Dora", recoveryTime)
		})
	}
}

// Two nodes lose their network with one message each under way. Redis gets these messages after newer ones
// of the same sessions through another node.
func TestDelayedMessagesDoNotUndoNewerOnes(t *testing.T) { // rule 8, case 35
	t.Parallel()
	nodes := startNodes(t, 3, redistest.Start(t), presence.DefaultLease) // the lease is longer than the test
	alice, bob := writer("Alice"), writer("Bob")
	for i := range 2 { // opens the connections
		nodes[i].update(project, alice, presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[i].update(project, bob, presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[i].proxy.Hold()
	}
	var sent sync.WaitGroup
	sent.Go(func() { nodes[0].update(project, alice, presence.Update{Session: "tab", Seq: 2, Section: "old"}) })
	sent.Go(func() { nodes[1].leave(project, bob, presence.Leave{Session: "tab", Seq: 2}) })
	sent.Wait()
	nodes[2].leave(project, alice, presence.Leave{Session: "tab", Seq: 4})
	nodes[2].update(project, bob, presence.Update{Session: "tab", Seq: 3, Section: "new"})
	nodes[0].proxy.Pass()
	nodes[1].proxy.Pass()
	agree(t, nodes, nil, "Bob", recoveryTime)
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; time.Sleep(20 * time.Millisecond) { // the delayed messages arrive in this time
		for _, n := range nodes {
			s, err := n.store.Snapshot(t.Context(), project)
			if err != nil || len(s.Occupants) != 1 || !slices.Equal(s.Occupants[0].Sections, []presence.Section{"new"}) {
				t.Fatalf("%s lists %s, %v; want only Bob, in new", n.name, wire.List(s), err)
			}
		}
	}
}

// More calls wait for Redis than fit into the queue of a connection.
func TestThousandsOfCallsEndInTimeWhileRedisHangs(t *testing.T) { // invariant 10
	t.Parallel()
	server := redistest.Start(t)
	n := startNodes(t, 1, server, shortLease)[0]
	var all sync.WaitGroup
	for i := range 100 { // makes the client share a connection between calls
		all.Go(func() { n.update(project, writer(fmt.Sprint(i)), presence.Update{Section: "a"}) })
	}
	all.Wait()
	server.Pause()
	defer server.Resume()
	for i := range 6000 {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 500 * time.Microsecond) // spreads the calls, so that they do not all fail at the same moment
			if _, ok := n.update(project, writer(fmt.Sprint(i)), presence.Update{Section: "a"}); ok {
				t.Error("an update was answered while Redis was paused")
			}
		})
	}
	all.Wait()
}

// More refreshes are due than may run at the same time.
func TestRunEndsWhileRedisHangs(t *testing.T) { // invariant 11
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.OpenStore(t, server.URL(), redisstore.Options{Lease: shortLease})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for i := range 1500 {
		defer s.Watch(presence.Project(fmt.Sprint("p", i)), func() {})()
	}
	server.Pause()
	time.Sleep(time.Second) // until refreshes hang
	cancel()
	select {
	case <-ended:
	case <-time.After(maxCall):
		t.Errorf("Run has not returned %v after its context ended", maxCall)
		server.Resume()
		<-ended
	}
}
