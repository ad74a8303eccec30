package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// waitTime is how long a change may wait until it is durable. A change that is not by then stands,
// and its answer says that it is not durable.
const waitTime = 2 * time.Second

// durability decides what [presence.Reply.Durable] says, by Options.Durability.
type durability struct {
	// aof has changes wait until the disk of their server has them, and replicas is how many
	// replicas they wait for. Without either, none or what the server's configuration promises counts.
	aof      bool
	replicas int64
	auto     bool

	// persists says that the server writes each change to its disk before it answers.
	persists atomic.Bool
	client   rueidis.Client // for waiting, which holds up a connection; nil where nothing waits

	mu     sync.Mutex
	groups map[string]*group
}

// group has the changes of one key, or of one server, wait together: one round runs, and the changes
// that come meanwhile share the next one.
type group struct{ next *round }

type round struct {
	done    chan struct{}
	durable bool // once done is closed
}

// parseDurability reads Options.Durability: "", "auto", "none", "aof" or "wait:N".
func parseDurability(text string) (*durability, error) {
	d := &durability{groups: map[string]*group{}}
	number, waits := strings.CutPrefix(text, "wait:")
	n, err := strconv.ParseInt(number, 10, 32)
	switch {
	case text == "" || text == "auto":
		d.auto = true
	case text == "none":
	case text == "aof":
		d.aof = true
	case waits && err == nil && n > 0:
		d.replicas = n
	default:
		return nil, fmt.Errorf("the durability %q of Redis is none of auto, none, aof and wait:N (N replicas, such as wait:1)", text)
	}
	return d, nil
}

func (d *durability) waits() bool { return d.aof || d.replicas > 0 }

// open connects where changes wait, and finds out whether they can.
func (d *durability) open(ctx context.Context, option rueidis.ClientOption) error {
	if !d.waits() {
		return nil
	}
	// A connection that is given back while its background goroutines run is sent UNSUBSCRIBE by the
	// library; see pubsub. They do not run without its pings and with deadlines on all calls.
	option.Dialer.KeepAlive = -1
	option.BlockingPoolSize = 64
	var err error
	if d.client, err = connect(ctx, option); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err = d.ask(ctx, "writer-presence:wait", 100*time.Millisecond)
	return err
}

func (d *durability) close() {
	if d.client != nil {
		d.client.Close()
	}
}

// findOut asks how the server persists, which may change with each connection to another one. Only a
// single server whose disk has each change before the answer loses nothing: after a failover the new
// master may lack what was acknowledged.
func (s *Store) findOut() {
	d := s.durability
	if !d.auto {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, callTime)
	defer cancel()
	is := func(name, due string) bool {
		got, err := s.client.Do(ctx, s.client.B().ConfigGet().Parameter(name).Build()).AsStrMap()
		return err == nil && got[name] == due
	}
	d.persists.Store(s.client.Mode() == rueidis.ClientModeStandalone && is("appendonly", "yes") && is("appendfsync", "always"))
}

// durable tells whether a change that was just made with a key is durable, and waits for that where
// it is to, as long as the context and waitTime allow. A renewal grants nothing that a restart would
// not, and never waits.
func (s *Store) durable(ctx context.Context, key string, changed bool) bool {
	d := s.durability
	switch {
	case !d.waits():
		return d.persists.Load()
	case !changed:
		return true
	}
	tag := "writer-presence:wait"
	if s.client.Mode() == rueidis.ClientModeCluster { // the master that has the key
		tag = "writer-presence:wait:" + strings.TrimPrefix(key, "writer-presence:")
	}
	r := d.join(tag)
	select {
	case <-r.done:
		return r.durable
	case <-ctx.Done():
		return false
	}
}

// join gives the next round, which begins after this call.
func (d *durability) join(tag string) *round {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.groups[tag]
	if g == nil {
		g = &group{}
		d.groups[tag] = g
		defer func() { go d.run(tag, g) }()
	}
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
	}
	return g.next
}

func (d *durability) run(tag string, g *group) {
	for {
		d.mu.Lock()
		r := g.next
		g.next = nil
		if r == nil {
			delete(d.groups, tag)
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), waitTime+time.Second)
		r.durable, _ = d.ask(ctx, tag, waitTime)
		cancel()
		close(r.done)
	}
}

// ask writes a key on a connection of its own and waits until that is durable. Redis replicates and
// persists writes in order, so that all before it are, too.
func (d *durability) ask(ctx context.Context, key string, within time.Duration) (durable bool, err error) {
	c, release := d.client.Dedicate()
	defer func() {
		if err != nil {
			c.Close()
		} else {
			release()
		}
	}()
	wait := c.B().Wait().Numreplicas(d.replicas).Timeout(within.Milliseconds()).Build()
	if d.aof {
		wait = c.B().Waitaof().Numlocal(1).Numreplicas(0).Timeout(within.Milliseconds()).Build()
	}
	results := c.DoMulti(ctx,
		c.B().Hset().Key(key).FieldValue().FieldValue("mark", rand.Text()).Build(),
		c.B().Pexpire().Key(key).Milliseconds(time.Minute.Milliseconds()).Build(),
		wait)
	for _, result := range results {
		err = errors.Join(err, result.Error())
	}
	switch {
	case err != nil:
		return false, err
	case d.aof:
		counts, err := results[2].AsIntSlice()
		return err == nil && len(counts) == 2 && counts[0] >= 1, err
	}
	n, err := results[2].AsInt64()
	return n >= d.replicas, err
}
