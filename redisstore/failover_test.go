package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// A master ends whose last changes its replica never got. The Sentinel promotes the replica, and the nodes
// follow. Versions must not go back, and the old master, which comes back empty, must not be used.
func TestVersionsGrowOverASentinelFailover(t *testing.T) { // invariant 8, case 36
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	sentinel := redistest.StartSentinel(t, master, replica)
	nodes := []*node{startNode(t, sentinel, nil, shortLease), startNode(t, sentinel, nil, shortLease)}
	screens := []*screen{nodes[0].watch(project), nodes[1].watch(project)}
	nodes[0].keepAlive("Alice", "a")
	nodes[1].keepAlive("Bob", "b")
	agree(t, nodes, screens, "Alice Bob", recoveryTime)
	// From here on the replica gets no changes: its master rejects its password.
	replica.Do("CONFIG", "SET", "masterauth", "wrong", "masteruser", "nobody")
	replica.Do("CLIENT", "KILL", "TYPE", "master")
	nodes[0].until("the replica is disconnected", recoveryTime, func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:down")
	})
	for i := range 20 {
		nodes[i%2].update(project, writer("Carol"), presence.Update{Session: "tab", Seq: uint64(i + 1), Section: presence.Section(fmt.Sprint("s", i))})
	}
	agree(t, nodes, screens, "Alice Bob Carol", recoveryTime)
	before := nodes[0].newest.Load()
	master.Kill()

	// The test asks a node, not the replica: a replica that becomes a master closes all connections.
	// A Sentinel that was stalled for more than 2 s fails nothing over for 30 s (TILT).
	nodes[0].until("there is a new master", time.Minute, func() bool {
		_, ok := nodes[0].update(project, writer("Alice"), presence.Update{Session: "another tab"})
		return ok
	})
	agree(t, nodes, screens, "Alice Bob", recoveryTime)
	if now := nodes[0].newest.Load(); now <= before {
		t.Errorf("the version is %[2]d after the failover and was %[1]d before; want a higher one", before, now)
	}
	if reply, ok := nodes[1].update(project, writer("Carol"), presence.Update{Session: "tab", Seq: 30, Section: "a"}); ok && reply.Version <= before {
		t.Errorf("a change after the failover has version %[2]d and the version before was %[1]d; want a higher one", before, reply.Version)
	}
	for _, n := range nodes {
		n.untilReady(recoveryTime)
	}

	master.Run() // it is empty, and a master until the Sentinel makes it a replica
	late := startNode(t, sentinel, nil, shortLease)
	nodes[0].keepAlive("Dora", "a")
	for began := time.Now(); time.Since(began) < 2*time.Second; time.Sleep(50 * time.Millisecond) {
		for _, n := range append(nodes, late) {
			if names, _, ok := n.list(project); !ok || !strings.HasPrefix(names, "Alice Bob") {
				t.Fatalf("%s lists %q, answered: %v, while the old master is back; want Alice and Bob", n.name, names, ok)
			}
		}
	}
	agree(t, append(nodes, late), screens, "Alice Bob Dora", recoveryTime)
}

// projectOf finds a project whose slot belongs to a master of [redistest.StartCluster].
func projectOf(masters []*redistest.Server, i int) presence.Project {
	for n := 0; ; n++ {
		project := presence.Project(fmt.Sprint("p", n))
		slot, _ := strconv.Atoi(masters[0].Do("CLUSTER", "KEYSLOT", redisstore.ProjectKey(project)))
		if slot*len(masters)/16384 == i {
			return project
		}
	}
}

// One of three masters ends. Its projects are unavailable. Those of the other masters stay available and up
// to date.
func TestProjectsOfOtherMastersStayAvailable(t *testing.T) { // rule 13
	t.Parallel()
	masters := redistest.StartCluster(t, 3)
	nodes := []*node{startNode(t, masters[0].URL(), nil, shortLease), startNode(t, masters[0].URL(), nil, shortLease)}
	living, dead := projectOf(masters, 0), projectOf(masters, 2)
	screen := nodes[1].watch(living)
	deadScreen := nodes[1].watch(dead)
	masters[2].Kill()
	for i := range 12 {
		name := fmt.Sprintf("Writer %02d", i)
		if _, ok := nodes[0].update(living, writer(name), presence.Update{Session: "tab", Seq: 1, Section: "a"}); !ok {
			t.Errorf("an update of a project on another master fails: %v", nodes[0].lastError.Load())
		}
		nodes[1].until("the screen shows "+name, 3*time.Second, func() bool {
			names, _ := screen.shows()
			return strings.Contains(names, name)
		})
		if names, _, ok := nodes[1].list(living); !ok || !strings.Contains(names, name) {
			t.Errorf("a project on another master lists %q, answered: %v; want %s in it", names, ok, name)
		}
		if _, ok := nodes[0].update(dead, writer(name), presence.Update{Session: "tab", Seq: 1, Section: "a"}); ok {
			t.Errorf("an update of a project on the ended master is answered")
		}
		time.Sleep(300 * time.Millisecond) // 12 times this is longer than probeTimeout
	}
	if _, _, ok := nodes[1].list(dead); ok {
		t.Error("a list of a project on the ended master is answered")
	}
	// The other masters must not get more load: no shard of the first master is checked by a probe channel
	// on the third.
	nodes[1].until("a probe channel receives nothing", recoveryTime, func() bool {
		age := nodes[1].store.Figures().PubSubAge
		return age != nil && *age > 4*time.Second
	})
	nodes[1].until("lists are answered from the cache", recoveryTime, func() bool {
		before := calls(masters[0])
		for range 20 {
			nodes[1].list(living)
		}
		return calls(masters[0]) == before
	})
	if err := nodes[0].store.Ready(context.Background()); !errors.Is(err, presence.ErrDegraded) {
		t.Errorf("without one of the masters Ready returns %v; want ErrDegraded", err)
	}
	masters[2].Run()
	nodes[1].until("the project on the ended master is available again", 2*recoveryTime, func() bool {
		nodes[0].update(dead, writer("Bob"), presence.Update{Session: "tab", Seq: 9, Section: "a"})
		names, _ := deadScreen.shows()
		return names == "Bob"
	})
	for _, n := range nodes {
		n.untilReady(2 * recoveryTime)
	}
	// A ping to a server that hangs takes longer than the caller waits.
	masters[1].Pause()
	defer masters[1].Resume()
	for range 4 { // the order of the pings is random
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := nodes[0].store.Ready(ctx)
		cancel()
		if !errors.Is(err, presence.ErrDegraded) {
			t.Errorf("while one of the masters hangs Ready returns %v; want ErrDegraded", err)
		}
	}
}

// The slot of a project moves to another master while people are in it. Nothing is lost, and watchers are
// woken as before.
func TestProjectStaysAvailableWhileItsSlotMigrates(t *testing.T) {
	t.Parallel()
	masters := redistest.StartCluster(t, 2)
	where := projectOf(masters, 0)
	nodes := []*node{startNode(t, masters[0].URL(), nil, shortLease), startNode(t, masters[1].URL(), nil, shortLease)}
	screens := []*screen{nodes[0].watch(where), nodes[1].watch(where)}
	change := func(section string) {
		for i, n := range nodes {
			n.until("an update is answered", recoveryTime, func() bool {
				_, ok := n.update(where, writer([]string{"Alice", "Bob"}[i]), presence.Update{Session: "tab", Section: presence.Section(section)})
				return ok
			})
		}
	}
	shown := func(when string, want string) {
		for i, n := range nodes {
			n.until(when+" the list and the screen show "+want, recoveryTime, func() bool {
				names, _, ok := n.list(where)
				on, _ := screens[i].shows()
				return ok && names == want && on == want
			})
		}
	}
	change("a")
	shown("before the move", "Alice Bob")

	key := redisstore.ProjectKey(where)
	slot := masters[0].Do("CLUSTER", "KEYSLOT", key)
	from, to := masters[0].Do("CLUSTER", "MYID"), masters[1].Do("CLUSTER", "MYID")
	masters[1].Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from)
	masters[0].Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
	change("b") // while it moves
	host, port, _ := net.SplitHostPort(masters[1].Addr)
	masters[0].Do("MIGRATE", host, port, key, "0", "2000")
	change("c") // after its key and before its slot
	for _, m := range []*redistest.Server{masters[1], masters[0]} {
		m.Do("CLUSTER", "SETSLOT", slot, "NODE", to)
	}
	change("d")
	shown("after the move", "Alice Bob")
	nodes[0].leave(where, writer("Bob"), presence.Leave{Session: "tab"})
	shown("after the move and a leave", "Alice")
}
