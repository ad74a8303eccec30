package redisstore_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/storetest"
)

// TestMain runs more tests in parallel than there are processors, because they wait most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	flag.Set("rapid.checks", "20") // three contracts, each call with a commit of Redis; package sqlitestore checks more histories
	// These goroutines of the client library end a few seconds after the client was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient).redirectOrNew.func1"))
}

// contract runs the conformance suite for stores. Empty deletes all keys.
func contract(t *testing.T, address string, volatile bool, empty func()) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		empty()
		var clock redisstore.Clock
		s := openWithClock(t, address, &clock)
		test(t, &storetest.Subject{
			Store: s, Volatile: volatile, Lease: presence.DefaultLease, Grain: 400 * time.Millisecond, Now: clock.Now, Pass: clock.Advance,
			Restart: func() presence.Store { return openWithClock(t, address, &clock) }, // another node
		})
	})
}

func TestStoreKeepsTheContract(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	contract(t, server.URL(), false, func() { server.Do("FLUSHALL") })
}

func TestStoreKeepsTheContractOnACluster(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	contract(t, nodes[0].URL(), true, func() {
		for _, n := range nodes {
			n.Do("FLUSHALL")
		}
	})
}

func TestHistoriesOverThreeNodesEqualTheRoster(t *testing.T) { // rules 1, 3 to 9 and 18 to 20, invariants 1 to 4 and 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	var nodes []presence.Store
	for range 3 {
		nodes = append(nodes, openWithClock(t, server.URL(), &clock))
	}
	storetest.RunHistories(t, storetest.Subject{
		Volatile: true, Lease: presence.DefaultLease, Grain: 400 * time.Millisecond, Now: clock.Now, Pass: clock.Advance,
	}, nodes...)
}

// Of users who enter a section at the same time through different nodes, each later one is told of the
// earlier ones.
func TestConcurrentEntrantsOnSeveralNodesAreToldOfEachOther(t *testing.T) { // invariant 5, case 21
	t.Parallel()
	var stores []presence.Store
	for _, n := range startNodes(t, 3, redistest.Start(t), shortLease) {
		stores = append(stores, n.store)
	}
	for round := range 5 {
		storetest.EnterStores(t, presence.Project(fmt.Sprint("p", round)), stores...)
	}
}
