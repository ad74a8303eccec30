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
	// soundEvery is how often a node tries whether it hears wake-ups, and deafAfter is how
	// long after the last that it heard it holds that it does not.
	soundEvery = time.Second
	deafAfter  = 3500 * time.Millisecond
	// probePrefix is how the names of probe channels begin.
	probePrefix = "writer-presence:probe:"
)

// probe tells whether wake-ups come: a connection may be open, and answer, while nothing
// that is published gets to it, as with one to a master that was replaced. What is sounded is
// numbered, so that a node which was deaf for a second only finds that out afterwards.
//
// A cluster that gives each of its masters some of the channels is tried by shard, so that one
// master that is away is no reason to ask the others for all that they have.
type probe struct {
	channels []channel // by shard, or one

	mu       sync.Mutex
	sounded  time.Time
	number   int64
	sounding bool
}

// channel is one of a node's own.
type channel struct {
	name  string
	heard atomic.Int64 // when, in milliseconds of Unix time; 0 for never
	last  atomic.Int64 // the number that was heard then

	turn   context.Context // ends when all that listens there has to listen anew
	next   context.CancelFunc
	turned time.Time
}

func newProbe(sharded bool) *probe {
	tags := []string{"0"}
	if sharded {
		tags = nil
		for shard := range shards {
			tags = append(tags, tagIn(shard))
		}
	}
	p, node := &probe{channels: make([]channel, len(tags))}, rand.Text()
	for i, tag := range tags {
		c := &p.channels[i]
		c.name, c.turned = fmt.Sprintf("%s%s:{%s}", probePrefix, node, tag), time.Now()
		c.turn, c.next = context.WithCancel(context.Background())
	}
	return p
}

// near gives the channels that tell of a shard, from one to before another: its own, and those
// beside it, since the master of a slot at its border may have the middle of none but that.
func (p *probe) near(shard int) (from, to int) {
	if len(p.channels) == 1 {
		return 0, 1
	}
	return max(shard-1, 0), min(shard+2, shards)
}

// tellsOf says whether a channel tells of a shard.
func (p *probe) tellsOf(channel, shard int) bool {
	from, to := p.near(shard)
	return from <= channel && channel < to
}

// hear takes in that a message came, and tells whether one before it did not.
func (c *channel) hear(text string) (missed bool) {
	n, _ := strconv.ParseInt(text, 10, 64)
	c.heard.Store(time.Now().UnixMilli())
	return c.last.Swap(n) != n-1
}

// age is how long ago a node heard itself on all of some channels, nil if it never did.
func age(channels []channel) *time.Duration {
	oldest := channels[0].heard.Load()
	for i := range channels {
		oldest = min(oldest, channels[i].heard.Load())
	}
	if oldest == 0 {
		return nil
	}
	return new(time.Since(time.UnixMilli(oldest)))
}

// heard tells whether that was just now.
func heard(channels []channel) bool {
	age := age(channels)
	return age != nil && *age < deafAfter
}

// hears tells whether wake-ups come in a shard, as far as is known.
func (p *probe) hears(shard int) bool {
	from, to := p.near(shard)
	return heard(p.channels[from:to])
}

// thisTurn ends when all that listens in a shard has to listen anew.
func (p *probe) thisTurn(shard int) context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[min(shard, len(p.channels)-1)].turn
}

// sound publishes what this node should hear, if it is time.
func (s *Store) sound() {
	p, now := s.probe, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for shard := range p.channels {
		if c := &p.channels[shard]; now.Sub(c.turned) > deafAfter && !p.hears(shard) {
			c.next()
			c.turn, c.next = context.WithCancel(context.Background())
			c.turned = now
			s.pubsub.drop(shard)
		}
	}
	if p.sounding || now.Sub(p.sounded) < soundEvery {
		return
	}
	p.sounding, p.sounded = true, now
	p.number++
	text := number(uint64(p.number))
	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, callTime)
		defer cancel()
		var all []rueidis.Completed
		for i := range p.channels {
			all = append(all, s.publication(p.channels[i].name, text))
		}
		for _, result := range s.client.DoMulti(ctx, all...) { // at once: a master that hangs delays none of the others
			s.outage.note(result.Error())
		}
		s.logRefusals()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sounding = false
	})
}
