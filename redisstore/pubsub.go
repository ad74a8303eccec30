package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// resubscribeFirst is how long to wait after a subscription ended before the next
	// attempt; the wait doubles up to resubscribeMost. Half of it is jitter.
	resubscribeFirst = 200 * time.Millisecond
	resubscribeMost  = time.Second
	// staleMost is how many channels may stay subscribed that nobody listens to, or as many
	// as there are rooms that listen, before the connections are replaced.
	staleMost = 100
)

// pubsub is the client for subscriptions, with connections of its own. A channel that nobody
// needs any more is not unsubscribed: the connection is closed and the channels in use are
// subscribed again on a new one. The client library ends the process if Redis answers
// UNSUBSCRIBE with an error, as it does while a script runs for too long (-BUSY).
type pubsub struct {
	client rueidis.Client

	mu    sync.Mutex
	conns map[*pubsubConn]struct{}
	probe *probe // nil before the server was checked
	stale int    // channels subscribed on conns that nobody listens to
}

// pubsubConn is a connection of the pub/sub client.
type pubsubConn struct {
	net.Conn
	of *pubsub
	// probes are the probe channels that were subscribed over this connection, by index;
	// guarded by of.mu.
	probes map[int]struct{}
}

// newPubsub connects a client for subscriptions; see [connect] for time limits.
func newPubsub(ctx context.Context, option rueidis.ClientOption) (*pubsub, error) {
	p := &pubsub{conns: map[*pubsubConn]struct{}{}}
	dial := option.DialCtxFn
	if dial == nil {
		dial = dialRedis
	}
	option.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, address, dialer, config)
		if err != nil {
			return nil, err
		}
		return p.add(conn), nil
	}
	option.PipelineMultiplex = -1 // one connection to each server
	option.DisableRetry = true    // so that subscribe learns that it no longer hears
	client, err := connect(ctx, option)
	p.client = client
	return p, err
}

// use has connections note the probe channels of a node.
func (p *pubsub) use(probe *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probe = probe
}

func dialRedis(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return dialer.DialContext(ctx, "tcp", address)
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
}

func (p *pubsub) add(conn net.Conn) *pubsubConn {
	c := &pubsubConn{Conn: conn, of: p, probes: map[int]struct{}{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	return c
}

// Write notes which probe channels are subscribed over the connection, since the library does
// not tell on which connection a subscription is.
func (c *pubsubConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(probePrefix)) {
		c.of.mu.Lock()
		if c.of.probe != nil {
			for i := range c.of.probe.channels {
				if bytes.Contains(b, []byte(c.of.probe.channels[i].name)) {
					c.probes[i] = struct{}{}
				}
			}
		}
		c.of.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *pubsubConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// drop closes the connections that a probe channel was subscribed on, and all where that is
// not known. All subscriptions on them end.
func (p *pubsub) drop(channel int) {
	p.dropIf(func(c *pubsubConn) bool { _, ok := c.probes[channel]; return ok })
}

func (p *pubsub) dropIf(wanted func(*pubsubConn) bool) {
	p.mu.Lock()
	var some, all []*pubsubConn
	for c := range p.conns {
		all = append(all, c)
		if wanted(c) {
			some = append(some, c)
		}
	}
	p.mu.Unlock()
	if len(some) == 0 {
		some = all
	}
	for _, c := range some {
		go c.Close() // TLS says goodbye first, which may take seconds
	}
}

// left notes that a channel stays subscribed though nobody listens to it any more.
func (p *pubsub) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stale++
}

// sweep replaces the connections when too many of their channels are not needed any more.
// Listening is how many rooms listen.
func (p *pubsub) sweep(listening int) {
	p.mu.Lock()
	due := p.stale > 0 && (listening == 0 || p.stale >= staleMost && p.stale > listening)
	if due {
		p.stale = 0
	}
	p.mu.Unlock()
	if due {
		p.dropIf(func(*pubsubConn) bool { return true })
	}
}

// subscribe listens to a channel until the context ends, and subscribes again whenever the
// subscription ends. It calls hears when it begins to hear and when it no longer does.
func (s *Store) subscribe(ctx context.Context, channel string, shard int, hears func(bool), message func(string)) {
	var succeeded atomic.Bool
	confirmed := func(c rueidis.PubSubSubscription) {
		if begins(c) {
			succeeded.Store(true)
			s.subscribed(nil)
		}
		hears(begins(c))
	}
	for wait := resubscribeFirst; ctx.Err() == nil; wait = min(2*wait, resubscribeMost) {
		attempt, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(s.probe.thisTurn(shard), cancel) // no probe came: begin anew
		err := s.pubsub.client.Receive(rueidis.WithOnSubscriptionHook(attempt, confirmed), s.subscription(channel), func(m rueidis.PubSubMessage) { message(m.Message) })
		stop()
		cancel()
		hears(false)
		if attempt.Err() == nil {
			s.subscribed(err)
		}
		if succeeded.Swap(false) {
			wait = resubscribeFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

// subscribed notes how an attempt to subscribe ended.
func (s *Store) subscribed(err error) { s.deaf.Store(&err) }

// logRefusals logs that Redis answers subscriptions with an error, and that it no longer does.
// Network errors are logged by those who ask Redis something.
func (s *Store) logRefusals() {
	err := s.whyDeaf()
	if _, refused := rueidis.IsRedisErr(err); refused || err == nil {
		s.mute.note(err)
	}
}

// whyDeaf gives the error of the last attempt to subscribe, nil if it succeeded.
func (s *Store) whyDeaf() error {
	if err := s.deaf.Load(); err != nil {
		return *err
	}
	return nil
}

// begins tells whether a channel is listened to from now on, or no longer.
func begins(c rueidis.PubSubSubscription) bool {
	return c.Kind == "subscribe" || c.Kind == "ssubscribe"
}

func (s *Store) subscription(channel string) rueidis.Completed {
	if s.sharded {
		return s.pubsub.client.B().Ssubscribe().Channel(channel).Build()
	}
	return s.pubsub.client.B().Subscribe().Channel(channel).Build()
}

// publication sends a word to all who listen to a channel.
func (s *Store) publication(channel, text string) rueidis.Completed {
	if s.sharded {
		return s.client.B().Spublish().Channel(channel).Message(text).Build()
	}
	return s.client.B().Publish().Channel(channel).Message(text).Build()
}

// publishCommand is that command's name, for the scripts.
func (s *Store) publishCommand() string {
	if s.sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}
