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
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

// TestInvariant8OverAFailover kills a master whose last changes its replica never got. The
// Sentinel takes the replica for the new master, with which the nodes go on by themselves;
// versions do not go back, though Redis lost some, and what comes back as the old master,
// with nothing in it, is not believed.
func TestInvariant8OverAFailover(t *testing.T) { // case 36, invariant 8
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	sentinel := redistest.StartSentinel(t, master, replica)
	nodes := []*node{startNode(t, sentinel, nil, leaseHere), startNode(t, sentinel, nil, leaseHere)}
	screens := []*screen{nodes[0].watch(page), nodes[1].watch(page)}
	nodes[0].lives("Alice", "a")
	nodes[1].lives("Bob", "b")
	agree(t, nodes, screens, "Alice Bob", soon)
	// From here on the replica learns nothing: it may not come back to its master.
	replica.Do("CONFIG", "SET", "masterauth", "wrong", "masteruser", "nobody")
	replica.Do("CLIENT", "KILL", "TYPE", "master")
	nodes[0].until("the replica is cut off", soon, func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:down")
	})
	for i := range 20 {
		nodes[i%2].update(page, writer("Carol"), presence.Update{Session: "tab", Seq: uint64(i + 1), Section: presence.Section(fmt.Sprint("s", i))})
	}
	agree(t, nodes, screens, "Alice Bob Carol", soon)
	before := nodes[0].newest.Load()
	master.Kill()

	// Nobody asks the replica itself: as it becomes the master, all are disconnected from it.
	nodes[0].until("there is a new master", 20*time.Second, func() bool {
		_, known := nodes[0].update(page, writer("Alice"), presence.Update{Session: "another tab"})
		return known
	})
	agree(t, nodes, screens, "Alice Bob", soon)
	if now := nodes[0].newest.Load(); now <= before {
		t.Errorf("the version was %d before, and is %d now", before, now)
	}
	if reply, known := nodes[1].update(page, writer("Carol"), presence.Update{Session: "tab", Seq: 30, Section: "a"}); known && reply.Version <= before {
		t.Errorf("the version was %d before, and a change is told as %d", before, reply.Version)
	}
	for _, n := range nodes {
		n.until("wake-ups come again", soon, func() bool { return n.store.Ready(context.Background()) == nil })
	}

	master.Run() // with nothing in it, and for a while it takes itself for the master
	late := startNode(t, sentinel, nil, leaseHere)
	nodes[0].lives("Dora", "a")
	for began := time.Now(); time.Since(began) < 2*time.Second; time.Sleep(50 * time.Millisecond) {
		for _, n := range append(nodes, late) {
			if names, _, known := n.list(page); !known || !strings.HasPrefix(names, "Alice Bob") {
				t.Fatalf("%s shows %q, known %v, while the old master is back", n.name, names, known)
			}
		}
	}
	agree(t, append(nodes, late), screens, "Alice Bob Dora", soon)
}

// projectOf finds a project that a master has: of the slots that [redistest.StartCluster] gave
// out in order, each has as many.
func projectOf(masters []*redistest.Server, i int) presence.Project {
	for n := 0; ; n++ {
		project := presence.Project(fmt.Sprint("p", n))
		slot, _ := strconv.Atoi(masters[0].Do("CLUSTER", "KEYSLOT", redisstore.KeyOf(project)))
		if slot*len(masters)/16384 == i {
			return project
		}
	}
}

// TestProjectsOfLivingMastersGoOn kills one of three masters. Its projects are not known;
// those of the others go on as ever, though wake-ups are not believed meanwhile.
func TestProjectsOfLivingMastersGoOn(t *testing.T) { // rule 13
	t.Parallel()
	masters := redistest.StartCluster(t, 3)
	nodes := []*node{startNode(t, masters[0].URL(), nil, leaseHere), startNode(t, masters[0].URL(), nil, leaseHere)}
	living, dead := projectOf(masters, 0), projectOf(masters, 2)
	screen := nodes[1].watch(living)
	ghost := nodes[1].watch(dead)
	masters[2].Kill()
	for i := range 12 {
		name := fmt.Sprintf("Writer %02d", i)
		if _, known := nodes[0].update(living, writer(name), presence.Update{Session: "tab", Seq: 1, Section: "a"}); !known {
			t.Errorf("a project of a master that lives is not known: %v", nodes[0].why.Load())
		}
		nodes[1].until("whoever watches sees "+name, 3*time.Second, func() bool {
			names, _ := screen.shows()
			return strings.Contains(names, name)
		})
		if names, _, known := nodes[1].list(living); !known || !strings.Contains(names, name) {
			t.Errorf("a project of a master that lives is %q, known %v; due: with %s", names, known, name)
		}
		if _, known := nodes[0].update(dead, writer(name), presence.Update{Session: "tab", Seq: 1, Section: "a"}); known {
			t.Errorf("an update is taken in by a master that is dead")
		}
		time.Sleep(300 * time.Millisecond) // so that all of the fault is seen: longer than until nodes are deaf
	}
	if _, _, known := nodes[1].list(dead); known {
		t.Error("a project of a dead master is known")
	}
	// Those who hear of the living need not ask them for what they know: of three masters, the
	// first has nothing to do with the shards of the third.
	nodes[1].until("it holds that it does not hear of the third", soon, func() bool {
		age := nodes[1].store.Figures().PubSubAge
		return age != nil && *age > 4*time.Second
	})
	nodes[1].until("a list is told again without asking", soon, func() bool {
		before := calls(masters[0])
		for range 20 {
			nodes[1].list(living)
		}
		return calls(masters[0]) == before
	})
	if err := nodes[0].store.Ready(context.Background()); !errors.Is(err, presence.ErrDegraded) {
		t.Errorf("without one of its masters a node is %v; due: degraded, for it knows of the projects of the others", err)
	}
	masters[2].Run()
	nodes[1].until("the dead project is known again", 2*soon, func() bool {
		nodes[0].update(dead, writer("Bob"), presence.Update{Session: "tab", Seq: 9, Section: "a"})
		names, _ := ghost.shows()
		return names == "Bob"
	})
	for _, n := range nodes {
		n.until("it is ready again", 2*soon, func() bool { return n.store.Ready(context.Background()) == nil })
	}
	// One that hangs takes longer to be found out than whoever asks may wait.
	masters[1].Freeze()
	defer masters[1].Thaw()
	for range 6 { // they are asked in any order
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		err := nodes[0].store.Ready(ctx)
		cancel()
		if !errors.Is(err, presence.ErrDegraded) {
			t.Errorf("while one of its masters hangs a node is %v; due: degraded", err)
		}
	}
}

// A cluster moves slots from one master to another while people are there. All of a project
// moves, and whoever watches hears of changes as before.
func TestAProjectMovesToAnotherMasterOfTheCluster(t *testing.T) {
	t.Parallel()
	masters := redistest.StartCluster(t, 2)
	where := projectOf(masters, 0)
	nodes := []*node{startNode(t, masters[0].URL(), nil, leaseHere), startNode(t, masters[1].URL(), nil, leaseHere)}
	screens := []*screen{nodes[0].watch(where), nodes[1].watch(where)}
	change := func(section string) {
		for i, n := range nodes {
			n.until("an update is taken in", soon, func() bool {
				_, known := n.update(where, writer([]string{"Alice", "Bob"}[i]), presence.Update{Session: "tab", Section: presence.Section(section)})
				return known
			})
		}
	}
	shown := func(when string, due string) {
		for i, n := range nodes {
			n.until(when+" node and screen show "+due, soon, func() bool {
				names, _, known := n.list(where)
				on, _ := screens[i].shows()
				return known && names == due && on == due
			})
		}
	}
	change("a")
	shown("before the move", "Alice Bob")

	key := redisstore.KeyOf(where)
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
