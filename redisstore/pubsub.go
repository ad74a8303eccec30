package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// minResubscribeWait is the wait between the end of a subscription and the next attempt. It
	// doubles up to maxResubscribeWait; half of it is jitter.
	minResubscribeWait = 200 * time.Millisecond
	maxResubscribeWait = time.Second
	// maxStale is how many unused channels may stay subscribed before the connections are
	// replaced. With more projects in use than that, as many as those are allowed.
	maxStale = 100
)

// pubsub is the client for subscriptions, on connections of its own. It never unsubscribes from an
// unused channel, because the client library ends the process if Redis answers UNSUBSCRIBE with an
// error, as it does while a script runs for too long (-BUSY). Instead, sweep closes the connection,
// and the channels in use are subscribed again on a new one.
type pubsub struct {
	client rueidis.Client

	mu    sync.Mutex
	conns map[*pubsubConn]struct{}
	probe *probe // nil before the server was checked
	stale int    // unused channels that are still subscribed on conns
}

// pubsubConn is a connection of the pub/sub client.
type pubsubConn struct {
	net.Conn
	of *pubsub
	// probes are the probe channels that were subscribed over this connection, by index;
	// guarded by of.mu.
	probes map[int]struct{}
}

// newPubsub connects a client for subscriptions. See [connect] for the time limits.
func newPubsub(ctx context.Context, option rueidis.ClientOption) (*pubsub, error) {
	p := &pubsub{conns: map[*pubsubConn]struct{}{}}
	dial := option.DialCtxFn
	option.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, address, dialer, config)
		if err != nil {
			return nil, err
		}
		return p.add(conn), nil
	}
	option.PipelineMultiplex = -1 // one connection to each server
	option.DisableRetry = true    // otherwise subscribe does not learn that a subscription ended
	client, err := connect(ctx, option)
	p.client = client
	return p, err
}

// use sets the probe whose channels connections record from now on.
func (p *pubsub) use(probe *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probe = probe
}

func (p *pubsub) add(conn net.Conn) *pubsubConn {
	c := &pubsubConn{Conn: conn, of: p, probes: map[int]struct{}{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	return c
}

// Write records which probe channels are subscribed over the connection, because the library does
// not report the connection of a subscription.
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

// drop closes the connections on which a probe channel was subscribed, or all connections if none is
// known. All subscriptions on them end.
func (p *pubsub) drop(channel int) {
	p.dropIf(func(c *pubsubConn) bool { _, ok := c.probes[channel]; return ok })
}

// dropIf closes the connections for which wanted returns true, or all if there is none.
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
		go c.Close() // TLS sends a close notification first, which may take seconds
	}
}

// left counts a channel that is no longer used and stays subscribed.
func (p *pubsub) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stale++
}

// sweep closes the connections if too many of their channels are unused. Used is the number of channels
// in use.
func (p *pubsub) sweep(used int) {
	p.mu.Lock()
	due := p.stale > 0 && (used == 0 || p.stale >= maxStale && p.stale > used)
	if due {
		p.stale = 0
	}
	p.mu.Unlock()
	if due {
		p.dropIf(func(*pubsubConn) bool { return true })
	}
}

// subscribe receives the messages of a channel until the context ends, and subscribes again whenever
// the subscription ends. It calls setReceiving(true) when Redis confirms a subscription, and
// setReceiving(false) when it has ended.
func (s *Store) subscribe(ctx context.Context, channel string, shard int, setReceiving func(bool), receive func(string)) {
	defer s.subscriptionErrors.set(channel, nil)
	var succeeded atomic.Bool
	confirmed := func(c rueidis.PubSubSubscription) {
		if begins(c) {
			succeeded.Store(true)
			s.subscriptionErrors.set(channel, nil)
		}
		setReceiving(begins(c))
	}
	for wait := minResubscribeWait; ctx.Err() == nil; wait = min(2*wait, maxResubscribeWait) {
		attempt, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(s.probe.attempt(shard), cancel) // subscribe again if the probe receives nothing
		err := s.pubsub.client.Receive(rueidis.WithOnSubscriptionHook(attempt, confirmed), s.subscription(channel), func(m rueidis.PubSubMessage) { receive(m.Message) })
		stop()
		ended := attempt.Err() == nil
		cancel()
		setReceiving(false)
		if ended {
			s.subscriptionErrors.set(channel, err)
		}
		if succeeded.Swap(false) {
			wait = minResubscribeWait
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

// subscriptionErrors holds the last error of each channel whose subscription has failed and not
// succeeded since. Its zero value is ready to use; its methods are safe to call concurrently.
type subscriptionErrors struct{ channels sync.Map }

// set replaces the error of a channel; nil removes it.
func (e *subscriptionErrors) set(channel string, err error) {
	if err == nil {
		e.channels.Delete(channel)
		return
	}
	e.channels.Store(channel, fmt.Errorf("subscription to %q: %w", channel, err))
}

// get returns the error of a channel, nil if it has none.
func (e *subscriptionErrors) get(channel string) error {
	err, _ := e.channels.Load(channel)
	failure, _ := err.(error)
	return failure
}

// rejected returns an error that Redis itself replied to one of the subscriptions, nil if there is
// none. Network errors do not count: the calls that meet them log them.
func (e *subscriptionErrors) rejected() (rejection error) {
	e.channels.Range(func(_, err any) bool {
		if reply := new(rueidis.RedisError); errors.As(err.(error), &reply) {
			rejection = err.(error)
		}
		return rejection == nil
	})
	return rejection
}

// probeSubscriptionError returns the subscription error of a probe channel, nil if there is none. A project's
// own channel does not count: it says nothing about the other projects.
func (s *Store) probeSubscriptionError() error {
	for i := range s.probe.channels {
		if err := s.subscriptionErrors.get(s.probe.channels[i].name); err != nil {
			return err
		}
	}
	return nil
}

// begins reports whether an event is the begin of a subscription, not its end.
func begins(c rueidis.PubSubSubscription) bool {
	return c.Kind == "subscribe" || c.Kind == "ssubscribe"
}

// subscription builds the command that subscribes to a channel.
func (s *Store) subscription(channel string) rueidis.Completed {
	if s.sharded {
		return s.pubsub.client.B().Ssubscribe().Channel(channel).Build()
	}
	return s.pubsub.client.B().Subscribe().Channel(channel).Build()
}

// publication builds the command that publishes a text on a channel.
func (s *Store) publication(channel, text string) rueidis.Completed {
	if s.sharded {
		return s.client.B().Spublish().Channel(channel).Message(text).Build()
	}
	return s.client.B().Publish().Channel(channel).Message(text).Build()
}

// publishCommand returns the name of the publish command, for the scripts.
func (s *Store) publishCommand() string {
	if s.sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}
