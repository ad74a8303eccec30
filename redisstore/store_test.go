package redisstore_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	presence "writer-presence"
	"writer-presence/redisstore"
	"writer-presence/redisstore/redistest"
	"writer-presence/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func contract(t *testing.T, address string, empty func()) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		empty()
		var clock redisstore.Clock
		s := open(t, address, &clock)
		test(t, &storetest.Subject{
			Store: s, Lease: presence.DefaultLease, Grain: 200 * time.Millisecond, Now: clock.Now, Pass: clock.Pass,
			Restart: func() presence.Store { return open(t, address, &clock) }, // another node
		})
	})
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	server := redistest.Start(t)
	contract(t, server.URL(), func() { server.Do("FLUSHALL") })
}

func TestTheStoreKeepsTheContractOnACluster(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	contract(t, nodes[0].URL(), func() {
		for _, n := range nodes {
			n.Do("FLUSHALL")
		}
	})
}
