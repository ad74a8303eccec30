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
	// shards is on how many channels a cluster is tried that gives each of its nodes some of
	// the channels: of three nodes one is left out once in 600.
	shards = 16
)

// probe tells whether wake-ups come: a connection may be open, and answer, while nothing
// that is published gets to it, as with one to a master that was replaced. What is sounded is
// numbered, so that a node which was deaf for a second only finds that out afterwards.
type probe struct {
	channels []string       // of this node
	heard    []atomic.Int64 // when, in milliseconds of Unix time
	last     []atomic.Int64 // the number that was heard then

	mu       sync.Mutex
	sounded  time.Time
	number   int64
	sounding bool
	turn     context.Context
	next     context.CancelFunc
	turned   time.Time
}

func newProbe(sharded bool) *probe {
	p, node, n := &probe{}, rand.Text(), 1
	if sharded {
		n = shards
	}
	for i := range n {
		p.channels = append(p.channels, fmt.Sprintf("writer-presence:probe:%s:{%d}", node, i))
	}
	p.heard, p.last = make([]atomic.Int64, n), make([]atomic.Int64, n)
	p.turn, p.next = context.WithCancel(context.Background())
	return p
}

// hear takes in that a message came, and tells whether one before it did not.
func (p *probe) hear(channel int, text string) (missed bool) {
	n, _ := strconv.ParseInt(text, 10, 64)
	p.heard[channel].Store(time.Now().UnixMilli())
	return p.last[channel].Swap(n) != n-1
}

// age is how long ago a node heard itself on all channels.
func (p *probe) age() time.Duration {
	oldest := p.heard[0].Load()
	for i := range p.heard {
		oldest = min(oldest, p.heard[i].Load())
	}
	return time.Since(time.UnixMilli(oldest))
}

// hears tells whether wake-ups come, as far as is known.
func (s *Store) hears() bool { return s.probe.age() < deafAfter }

// thisTurn ends when all that listens has to listen anew.
func (p *probe) thisTurn() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turn
}

// sound publishes what this node should hear, if it is time.
func (s *Store) sound() {
	p, now := s.probe, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.turned) > deafAfter && !s.hears() {
		p.next()
		p.turn, p.next = context.WithCancel(context.Background())
		p.turned = now
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
		for _, channel := range p.channels {
			all = append(all, s.publication(channel, text))
		}
		s.client.DoMulti(ctx, all...) // at once: a node of a cluster that hangs delays none of the others
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sounding = false
	})
}
