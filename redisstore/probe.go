package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// probeInterval is how often a node publishes a probe message to itself. It takes wake-ups for lost
	// if it has received none for probeTimeout.
	probeInterval = time.Second
	probeTimeout  = 3500 * time.Millisecond
	// probePrefix begins the name of each probe channel.
	probePrefix = "writer-presence:probe:"
)

// probe checks that this node receives wake-ups: a connection may be open and answer pings while no
// published message arrives, for example a connection to a master that was replaced. Probe messages
// are numbered, so that a node also notices when it missed some for a short time.
//
// In a cluster with sharded pub/sub each shard has a probe channel, so that an unreachable master
// affects only the projects of its own shards.
type probe struct {
	channels []probeChannel // by shard, or one

	mu      sync.Mutex
	sentAt  time.Time
	number  int64 // of the last message
	sending bool
}

// probeChannel is a channel that only this node uses.
type probeChannel struct {
	name       string
	receivedAt atomic.Int64 // when the last message arrived, in Unix milliseconds; 0 for never
	last       atomic.Int64 // the number of that message

	// marker is a key in the same shard, and mark the value that was last read from it. A changed value
	// means that Redis lost its data; see [Store.checkMarkers].
	marker, mark string

	// attempt ends when the subscriptions of the shard must be made again; guarded by probe.mu, like
	// the fields below.
	attempt        context.Context
	endAttempt     context.CancelFunc
	attemptStarted time.Time
}

func newProbe(sharded bool) *probe {
	tags := []string{"0"}
	if sharded {
		tags = nil
		for shard := range shards {
			tags = append(tags, shardTag(shard))
		}
	}
	p, node := &probe{channels: make([]probeChannel, len(tags))}, rand.Text()
	for i, tag := range tags {
		c := &p.channels[i]
		c.name, c.attemptStarted = fmt.Sprintf("%s%s:{%s}", probePrefix, node, tag), time.Now()
		c.marker = fmt.Sprintf("writer-presence:data:{%s}", tag)
		c.attempt, c.endAttempt = context.WithCancel(context.Background())
	}
	return p
}

// covering returns the channels that check a shard, from one up to but excluding another: its own and
// those of its neighbours, because the master of a slot near a border of the shard may hold the middle
// of the neighbour only.
func (p *probe) covering(shard int) (from, to int) {
	if len(p.channels) == 1 {
		return 0, 1
	}
	return max(shard-1, 0), min(shard+2, shards)
}

// covers reports whether a channel checks a shard.
func (p *probe) covers(channel, shard int) bool {
	from, to := p.covering(shard)
	return from <= channel && channel < to
}

// receive records a message, and reports whether the one before it is missing.
func (c *probeChannel) receive(message string) (missed bool) {
	n, _ := strconv.ParseInt(message, 10, 64)
	c.receivedAt.Store(time.Now().UnixMilli())
	return c.last.Swap(n) != n-1
}

// age returns the time since the last message of the channel that has waited longest; nil if one of
// them has received none.
func age(channels []probeChannel) *time.Duration {
	oldest := channels[0].receivedAt.Load()
	for i := range channels {
		oldest = min(oldest, channels[i].receivedAt.Load())
	}
	if oldest == 0 {
		return nil
	}
	return new(time.Since(time.UnixMilli(oldest)))
}

// allReceive reports whether all channels have received a message within probeTimeout.
func allReceive(channels []probeChannel) bool {
	age := age(channels)
	return age != nil && *age < probeTimeout
}

// receives reports whether the wake-ups of a shard are received, as far as the node knows.
func (p *probe) receives(shard int) bool {
	from, to := p.covering(shard)
	return allReceive(p.channels[from:to])
}

// attempt returns a context that ends when the subscriptions of a shard must be made again.
func (p *probe) attempt(shard int) context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[min(shard, len(p.channels)-1)].attempt
}

// subscribeToProbes starts the subscriptions to the probe channels. They end with s.ctx.
func (s *Store) subscribeToProbes() {
	for i := range s.probe.channels {
		c := &s.probe.channels[i]
		confirmed := func(subscribed bool) {
			if subscribed { // perhaps on another server than before
				s.running.Go(s.detectPersistence)
			}
		}
		received := func(message string) {
			if c.receive(message) {
				s.invalidateShard(i)
			}
		}
		s.running.Go(func() { s.subscribe(s.ctx, c.name, i, confirmed, received) })
	}
}

// invalidateShard invalidates the cached projects that a probe channel checks.
func (s *Store) invalidateShard(channel int) {
	for _, c := range s.cachedProjects() {
		if s.probe.covers(channel, c.shard) {
			c.invalidate()
		}
	}
}

// checkProbes replaces the connections of shards that receive no messages, and sends the next probe
// messages if it is time.
func (s *Store) checkProbes() {
	p, now := s.probe, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for shard := range p.channels {
		if c := &p.channels[shard]; now.Sub(c.attemptStarted) > probeTimeout && !p.receives(shard) {
			c.endAttempt()
			c.attempt, c.endAttempt = context.WithCancel(context.Background())
			c.attemptStarted = now
			s.pubsub.drop(shard)
		}
	}
	if p.sending || now.Sub(p.sentAt) < probeInterval {
		return
	}
	p.sending, p.sentAt = true, now
	p.number++
	message := number(uint64(p.number))
	s.running.Go(func() {
		s.sendProbes(message)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sending = false
	})
}

// sendProbes publishes a message on each probe channel, and does the other checks of each second.
func (s *Store) sendProbes(message string) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	var all []rueidis.Completed
	for i := range s.probe.channels {
		all = append(all, s.publication(s.probe.channels[i].name, message))
	}
	for _, result := range s.client.DoMulti(ctx, all...) { // in parallel: a master that hangs does not delay the others
		s.outage.note(result.Error())
	}
	s.subscriptionOutage.note(s.subscriptionErrors.rejected())
	s.checkMarkers(ctx)
}
