package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
	"github.com/writer-presence/writer-presence/storetest"
)

const (
	// leaseHere and beat are those of these tests, in real time: a heartbeat is lost in
	// ten, and all is over soon.
	leaseHere = 3 * time.Second
	beat      = 300 * time.Millisecond
	// longestCall is what [presence.Store] promises of every call.
	longestCall = 5 * time.Second
	// soon is how long after a fault all is as before.
	soon = 5 * time.Second

	page = presence.Project("p")
)

// node is a store with what stands between it and Redis. Its calls hold it to the time that
// they may take, and to saying so where it does not know.
type node struct {
	*testing.T
	store *redisstore.Store
	proxy *redistest.Proxy
	name  string

	newest atomic.Uint64 // version that was seen here
	why    atomic.Value  // the last error
}

func (n *node) call(what string, call func() error) (known bool) {
	began := time.Now()
	err := call()
	if took := time.Since(began); took > longestCall {
		n.Errorf("%s: %s took %v, and was answered: %v", n.name, what, took, err)
	}
	if err != nil && !errors.Is(err, presence.ErrUnavailable) {
		n.Errorf("%s: %s: %v; due: an answer, or that it is not known", n.name, what, err)
	}
	if err != nil {
		n.why.Store(err.Error())
	}
	return err == nil
}

func (n *node) update(where presence.Project, user presence.User, u presence.Update) (reply presence.Reply, known bool) {
	known = n.call("update", func() (err error) {
		reply, err = n.store.Update(context.Background(), where, user, u)
		return err
	})
	return reply, known
}

func (n *node) leave(where presence.Project, user presence.User, l presence.Leave) (known bool) {
	return n.call("leave", func() error {
		_, err := n.store.Leave(context.Background(), where, user, l)
		return err
	})
}

// list gives the names of those who are listed, and the version; known is false where
// nothing is known. Versions that go back fail the test.
func (n *node) list(where presence.Project) (names string, version uint64, known bool) {
	before := n.newest.Load()
	known = n.call("snapshot", func() error {
		s, err := n.store.Snapshot(context.Background(), where)
		if err != nil {
			return err
		}
		for _, o := range s.Occupants {
			names += o.User.Name + " "
		}
		version = s.Version
		if where == page && version < before {
			n.Errorf("%s: the version went from %d to %d", n.name, before, version)
		}
		for where == page && version > n.newest.Load() {
			n.newest.Store(version)
		}
		return nil
	})
	return strings.TrimSpace(names), version, known
}

// screen shows a project as a live connection does: it looks when it is woken, and again
// where it was told that nothing is known.
type screen struct {
	mu      sync.Mutex
	names   string
	version uint64
}

func (n *node) watch(where presence.Project) *screen {
	s := &screen{}
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	stop := n.store.Watch(where, wake)
	wake()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-woken:
			}
			names, version, known := n.list(where)
			s.mu.Lock()
			if known {
				s.names, s.version = names, version
			} else {
				time.AfterFunc(100*time.Millisecond, wake)
			}
			s.mu.Unlock()
		}
	}()
	n.Cleanup(func() { stop(); cancel(); <-ended })
	return s
}

func (s *screen) shows() (names string, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names, s.version
}

// startNodes starts stores with short leases, each behind a proxy of its own.
func startNodes(t *testing.T, n int, server *redistest.Server, lease time.Duration) []*node {
	t.Helper()
	var nodes []*node
	for range n {
		proxy := redistest.StartProxy(t, server.Addr)
		nodes = append(nodes, startNode(t, proxy.URL(), proxy, lease))
	}
	return nodes
}

var nodesStarted atomic.Int64

func startNode(t *testing.T, url string, proxy *redistest.Proxy, lease time.Duration) *node {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, redisstore.Options{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	n := &node{T: t, store: s, proxy: proxy, name: fmt.Sprintf("node %d", nodesStarted.Add(1))}
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(2 * longestCall):
			t.Errorf("%s does not end", n.name)
			<-ended
		}
	})
	n.until("wake-ups come", soon, func() bool { return s.Ready(context.Background()) == nil })
	return n
}

func writer(name string) presence.User { return presence.User{ID: presence.UserID(name), Name: name} }

// lives has somebody give signs of life at a node until the end of the test.
func (n *node) lives(name string, section presence.Section) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seq := uint64(1); ctx.Err() == nil; seq++ {
			n.update(page, writer(name), presence.Update{Session: "tab", Seq: seq, Section: section})
			select {
			case <-time.After(beat):
			case <-ctx.Done():
			}
		}
	}()
	n.Cleanup(func() { cancel(); <-ended })
}

// until waits for a condition.
func (n *node) until(what string, within time.Duration, holds func() bool) {
	n.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > within {
			n.Fatalf("%s: after %v it is not so that %s", n.name, within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// agree waits until all nodes and all screens show the same, and gives the version.
func agree(t *testing.T, nodes []*node, screens []*screen, due string, within time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		var seen []string
		same := true
		note := func(names string, version uint64, known bool) {
			seen = append(seen, fmt.Sprintf("%q at %d, known %v", names, version, known))
			same = same && known && names == due && seen[0] == seen[len(seen)-1]
		}
		for _, n := range nodes {
			note(n.list(page))
		}
		for _, s := range screens {
			names, version := s.shows()
			note(names, version, true)
		}
		switch {
		case same:
			return
		case time.Since(began) > within:
			t.Fatalf("after %v the lists of the nodes, and then the screens, are\n  %s\ndue: %q at one version", within, strings.Join(seen, "\n  "), due)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestInvariants1And2And7And10InFaultsOfRedis has two people write at two nodes, and a third
// one fall silent, while Redis or the way there is at fault. Whatever happens, calls end in
// time, what is not known is said, and versions grow; and afterwards all nodes and screens
// show those who live, and nobody else.
func TestInvariants1And2And7And10InFaultsOfRedis(t *testing.T) { // rule 13, cases 30 and 35, invariants 1, 2, 7 and 10
	type world struct {
		server *redistest.Server
		nodes  []*node
	}
	all := func(f func(*redistest.Proxy)) func(*world) {
		return func(w *world) {
			for _, n := range w.nodes {
				f(n.proxy)
			}
		}
	}
	for _, c := range []struct {
		name       string
		begin, end func(*world)
		// unknown says that nothing is known meanwhile, and lost that Redis forgets.
		unknown, lost bool
	}{
		{"killed", func(w *world) { w.server.Kill() }, func(w *world) { w.server.Run() }, true, true},
		{"stopped", func(w *world) { w.server.Freeze() }, func(w *world) { w.server.Thaw() }, true, false},
		{"cut off", all((*redistest.Proxy).Cut), all((*redistest.Proxy).Pass), true, false},
		{"silent", all((*redistest.Proxy).Hold), all((*redistest.Proxy).Pass), true, false},
		{"slow", all(func(p *redistest.Proxy) { p.Slow(200 * time.Millisecond) }), all((*redistest.Proxy).Pass), false, false},
		{"flushed", func(w *world) { w.server.Do("FLUSHALL") }, func(*world) {}, false, true},
		{"without its scripts", func(w *world) { w.server.Do("SCRIPT", "FLUSH") }, func(*world) {}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			w := &world{server, startNodes(t, 2, server, leaseHere)}
			screens := []*screen{w.nodes[0].watch(page), w.nodes[1].watch(page)}
			w.nodes[0].lives("Alice", "a")
			w.nodes[1].lives("Bob", "b")
			agree(t, w.nodes, screens, "Alice Bob", soon)
			w.nodes[0].update(page, writer("Carol"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
			silent := time.Now()
			agree(t, w.nodes, screens, "Alice Bob Carol", soon)
			before := w.nodes[0].newest.Load()

			c.begin(w)
			for _, n := range w.nodes {
				for began := time.Now(); time.Since(began) < time.Second || c.unknown && time.Since(began) < leaseHere+longestCall; {
					names, _, known := n.list(page)
					if !known && !c.unknown {
						t.Fatalf("%s does not know who is here", n.name)
					}
					if !known {
						break
					}
					if !c.lost && !strings.HasPrefix(names, "Alice Bob") {
						t.Fatalf("%s shows %q while nothing else is known than that Alice and Bob are here", n.name, names)
					}
					time.Sleep(20 * time.Millisecond)
				}
				if _, _, known := n.list(page); known && c.unknown {
					t.Errorf("%s does not say that it does not know", n.name)
				}
			}
			c.end(w)

			within := max(soon, time.Until(silent.Add(leaseHere+time.Second)))
			agree(t, w.nodes, screens, "Alice Bob", within)
			if now := w.nodes[0].newest.Load(); now <= before {
				t.Errorf("the version was %d before Carol went, and is %d now", before, now)
			}
			// And as before: a change is on the other screen at once, by a wake-up.
			for _, n := range w.nodes {
				n.until("wake-ups come again", soon, func() bool { return n.store.Ready(context.Background()) == nil })
			}
			w.nodes[0].update(page, writer("Dora"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
			agree(t, w.nodes, screens, "Alice Bob Dora", soon)
		})
	}
}

// TestStarvedNodesNoticeAndAsk drops all that is published to nodes, which is else as well as
// ever.
func TestStarvedNodesNoticeAndAsk(t *testing.T) { // case 36
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), leaseHere)
	screens := []*screen{nodes[0].watch(page), nodes[1].watch(page)}
	nodes[0].lives("Alice", "a")
	agree(t, nodes, screens, "Alice", soon)
	for _, n := range nodes {
		n.proxy.Starve()
	}
	nodes[0].lives("Bob", "a")
	agree(t, nodes, screens, "Alice Bob", soon+time.Second) // of which it takes a part to notice
	for _, n := range nodes {
		n.until("it is not ready", soon, func() bool {
			err := n.store.Ready(context.Background())
			return err != nil && strings.Contains(err.Error(), "wake-ups")
		})
	}
	nodes[1].lives("Carol", "a")
	agree(t, nodes, screens, "Alice Bob Carol", 3*time.Second) // they ask every second
	for _, n := range nodes {
		n.proxy.Pass()
	}
	for _, n := range nodes {
		n.until("it is ready again", soon, func() bool { return n.store.Ready(context.Background()) == nil })
	}
	nodes[1].lives("Dora", "a")
	agree(t, nodes, screens, "Alice Bob Carol Dora", soon)
}

// TestInvariant7AfterAStarvationThatNobodyNoticed loses a wake-up, in so short a time that
// the node never takes itself for deaf.
func TestInvariant7AfterAStarvationThatNobodyNoticed(t *testing.T) { // invariant 7
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), presence.DefaultLease)
	screens := []*screen{nodes[0].watch(page), nodes[1].watch(page)}
	nodes[0].update(page, writer("Zoe"), presence.Update{Section: "a", Session: "tab", Seq: 1})
	agree(t, nodes, screens, "Zoe", soon)
	nodes[1].until("it hears wake-ups, and does not look each second", soon, func() bool { return nodes[1].store.Ready(t.Context()) == nil })
	nodes[1].proxy.Starve()
	nodes[0].update(page, writer("Alice"), presence.Update{Section: "a"})
	time.Sleep(1500 * time.Millisecond) // so long is the fault
	nodes[1].proxy.Pass()
	if names, _ := screens[1].shows(); names != "Zoe" {
		t.Fatalf("the screen shows %q: nothing was lost", names)
	}
	agree(t, nil, screens, "Alice Zoe", soon) // without anybody who asks
}

// TestRule8OfMessagesThatWereOnTheirWay cuts two nodes off with a message each on its way to
// Redis, which gets there when its sender has long said something newer elsewhere.
func TestRule8OfMessagesThatWereOnTheirWay(t *testing.T) { // rule 8, case 35
	t.Parallel()
	nodes := startNodes(t, 3, redistest.Start(t), presence.DefaultLease) // so that nobody lapses meanwhile
	alice, bob := writer("Alice"), writer("Bob")
	for i := range 2 { // so that the connections are open
		nodes[i].update(page, alice, presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[i].update(page, bob, presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[i].proxy.Hold()
	}
	var sent sync.WaitGroup
	sent.Go(func() { nodes[0].update(page, alice, presence.Update{Session: "tab", Seq: 2, Section: "old"}) })
	sent.Go(func() { nodes[1].leave(page, bob, presence.Leave{Session: "tab", Seq: 2}) })
	sent.Wait()
	nodes[2].leave(page, alice, presence.Leave{Session: "tab", Seq: 4})
	nodes[2].update(page, bob, presence.Update{Session: "tab", Seq: 3, Section: "new"})
	nodes[0].proxy.Pass()
	nodes[1].proxy.Pass()
	agree(t, nodes, nil, "Bob", soon)
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; time.Sleep(20 * time.Millisecond) { // the late ones come now
		for _, n := range nodes {
			s, err := n.store.Snapshot(t.Context(), page)
			if err != nil || len(s.Occupants) != 1 || !slices.Equal(s.Occupants[0].Sections, []presence.Section{"new"}) {
				t.Fatalf("%s: %s, %v; due: Bob alone, where he went last", n.name, wire.Occupants(s), err)
			}
		}
	}
}

// TestInvariant10OfThousandsOfCalls has more calls wait for Redis than a connection has room
// for.
func TestInvariant10OfThousandsOfCalls(t *testing.T) { // invariant 10
	t.Parallel()
	server := redistest.Start(t)
	n := startNodes(t, 1, server, leaseHere)[0]
	var all sync.WaitGroup
	for i := range 100 { // so that the connection is one that many share
		all.Go(func() { n.update(page, writer(fmt.Sprint(i)), presence.Update{Section: "a"}) })
	}
	all.Wait()
	server.Freeze()
	defer server.Thaw()
	for i := range 6000 {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 500 * time.Microsecond) // not all fail at one moment
			if _, known := n.update(page, writer(fmt.Sprint(i)), presence.Update{Section: "a"}); known {
				t.Error("an update was answered while Redis was stopped")
			}
		})
	}
	all.Wait()
}

// TestRunEndsWhileRedisHangs ends a store with more looks due than go on at once.
func TestRunEndsWhileRedisHangs(t *testing.T) { // invariant 11
	t.Parallel()
	server := redistest.Start(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{Lease: leaseHere})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for i := range 1500 {
		defer s.Watch(presence.Project(fmt.Sprint("p", i)), func() {})()
	}
	server.Freeze()
	time.Sleep(time.Second) // so long does it hang
	cancel()
	select {
	case <-ended:
	case <-time.After(longestCall):
		t.Errorf("it does not end")
		server.Thaw()
		<-ended
	}
}

// TestInvariant5AcrossNodes has writers enter one section at once, each time through any of
// three nodes.
func TestInvariant5AcrossNodes(t *testing.T) { // case 21, invariant 5
	t.Parallel()
	var stores []presence.Store
	for _, n := range startNodes(t, 3, redistest.Start(t), leaseHere) {
		stores = append(stores, n.store)
	}
	for round := range 5 {
		storetest.EnterStores(t, presence.Project(fmt.Sprint("p", round)), stores...)
	}
}
