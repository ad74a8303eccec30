package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// durabilityMode is how a store finds out whether a change is durable.
type durabilityMode int

const (
	durableNever        durabilityMode = iota // "none"
	durableByServer                           // "auto": if the server syncs each change before it answers
	durableInFile                             // "aof": WAITAOF
	durableWithReplicas                       // "wait:N": WAIT
)

// durability decides what [presence.Reply.Durable] says, by Options.Durability.
type durability struct {
	mode     durabilityMode
	replicas int64 // of durableWithReplicas

	// persists says that the server writes each change to its disk before it answers.
	persists atomic.Bool
	client   rueidis.Client // for waiting, which blocks a connection; nil where nothing waits
	outage   outage         // logs rounds that Redis answers with an error

	mu       sync.Mutex
	groups   map[int]*group // by slot in a cluster, otherwise one at 0; only those in use
	rechecks int            // rounds under way that renewals started
}

// parseDurability reads Options.Durability: "", "auto", "none", "aof" or "wait:N".
func parseDurability(text string, log *slog.Logger) (*durability, error) {
	d := &durability{groups: map[int]*group{}, outage: outage{log: log,
		failing: "Redis answers WAIT or WAITAOF with an error, so replies say that changes are not durable; check the user's permissions and the network; logged once a minute",
		over:    "Redis confirms durable changes again"}}
	number, waits := strings.CutPrefix(text, "wait:")
	n, err := strconv.ParseInt(number, 10, 32)
	switch {
	case text == "" || text == "auto":
		d.mode = durableByServer
	case text == "none":
		d.mode = durableNever
	case text == "aof":
		d.mode = durableInFile
	case waits && err == nil && n > 0:
		d.mode, d.replicas = durableWithReplicas, n
	default:
		return nil, fmt.Errorf("the durability %q of Redis is none of auto, none, aof and wait:N (N replicas, such as wait:1)", text)
	}
	return d, nil
}

func (d *durability) waits() bool { return d.mode == durableInFile || d.mode == durableWithReplicas }

// open connects the client for waiting, if the mode needs one, and checks that Redis accepts the
// commands.
func (d *durability) open(ctx context.Context, option rueidis.ClientOption) error {
	if !d.waits() {
		return nil
	}
	// The library sends UNSUBSCRIBE on a connection that is released while its background goroutines
	// run (see pubsub). They do not run without pings and with a deadline on every call.
	option.Dialer.KeepAlive = -1
	option.BlockingPoolSize = 64
	var err error
	if d.client, err = connect(ctx, option); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return d.ask(ctx, &round{mark: markKey, within: 100 * time.Millisecond})
}

func (d *durability) close() {
	if d.client != nil {
		d.client.Close()
	}
}

// detectPersistence asks how the server persists. It is called again after each reconnection, which may
// lead to another server. Only a single server that syncs each change before it answers loses nothing:
// after a failover the new master may lack acknowledged changes.
func (s *Store) detectPersistence() {
	d := s.durability
	if d.mode != durableByServer {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	is := func(name, want string) bool {
		got, err := s.client.Do(ctx, s.client.B().ConfigGet().Parameter(name).Build()).AsStrMap()
		return err == nil && got[name] == want
	}
	d.persists.Store(s.client.Mode() == rueidis.ClientModeStandalone && is("appendonly", "yes") && is("appendfsync", "always"))
}

// durable reports whether a change of a project is durable, and waits for that where the mode says so,
// at most until the context ends. Clock is that of the project's roster after the change; 0 stands for
// a renewal, which never waits and is answered by the outcome of the changes before it.
func (s *Store) durable(ctx context.Context, key string, clock uint64) bool {
	d := s.durability
	if !d.waits() {
		return d.persists.Load()
	}
	slot, mark := s.partition(key)
	if clock == 0 {
		return d.renewed(slot, mark)
	}
	r := d.join(slot, mark, key)
	select {
	case <-r.done:
		// After a failover another server may answer the round, which may lack the change.
		return r.durable && r.keys[key] >= clock
	case <-ctx.Done():
		d.doubt(slot)
		return false
	}
}

// noteFailure records that an operation failed: its change may have been made without being durable.
func (s *Store) noteFailure(key string) {
	if s.durability.waits() {
		slot, _ := s.partition(key)
		s.durability.doubt(slot)
	}
}

// markKey is the key that rounds write outside of a cluster.
const markKey = "writer-presence:wait"

// partition gives the group of a project, and a key that is on the same server as the project.
func (s *Store) partition(key string) (slot int, mark string) {
	if s.client.Mode() != rueidis.ClientModeCluster {
		return 0, markKey
	}
	return slotOf(key), markKey + ":" + strings.TrimPrefix(key, "writer-presence:")
}
