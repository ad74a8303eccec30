package redisstore_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/storetest"
)

// TestMain lets more tests run at once than there are processors: most of their time they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	// What these do after a client was closed is to wait, for seconds, and end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"), goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func1"))
}

// open opens a store on a server and runs it until the end of the test, with a clock of its
// own if there is one.
func open(t testing.TB, address string, clock *redisstore.Clock) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), address, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if clock != nil {
		clock.TakeOver(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

func contract(t *testing.T, address string, volatile bool, empty func()) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		empty()
		var clock redisstore.Clock
		s := open(t, address, &clock)
		test(t, &storetest.Subject{
			Store: s, Volatile: volatile, Lease: presence.DefaultLease, Grain: 200 * time.Millisecond, Now: clock.Now, Pass: clock.Pass,
			Restart: func() presence.Store { return open(t, address, &clock) }, // another node
		})
	})
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	contract(t, server.URL(), false, func() { server.Do("FLUSHALL") })
}

func TestTheStoreKeepsTheContractOnACluster(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	contract(t, nodes[0].URL(), true, func() {
		for _, n := range nodes {
			n.Do("FLUSHALL")
		}
	})
}
