package redisstore

import (
	"context"
	"encoding/binary"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Clock is the time of a store under test: that of Redis and of the node, shifted.
type Clock struct {
	store *Store
	shift atomic.Int64
}

// TakeOver gives a store the time of the clock from now on; before it is run.
func (c *Clock) TakeOver(s *Store) {
	c.store = s
	s.now = c.Now
	s.scripts.Store(newScripts(presence.DefaultLease, presence.DefaultHeartbeat, s.publishCommand(), time.Duration(c.shift.Load())))
}

func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

// Pass lets time pass for the scripts and for the node, lets the node look at what is due
// then, and waits until what was published before that has arrived.
func (c *Clock) Pass(d time.Duration) {
	if d > 0 {
		shift := time.Duration(c.shift.Add(int64(d)))
		c.store.scripts.Store(newScripts(presence.DefaultLease, presence.DefaultHeartbeat, c.store.publishCommand(), shift))
	}
	for range 2 { // what the looks of the first time publish arrives by the second
		c.store.tick()
		for range looksAtOnce { // until all looks are over
			c.store.looks <- struct{}{}
		}
		for range looksAtOnce {
			<-c.store.looks
		}
		c.store.hearAll()
	}
}

// hearAll waits until the rooms that listen know of what there is.
func (s *Store) hearAll() {
	for _, r := range s.held() {
		packed, _ := s.client.Do(context.Background(), s.client.B().Hget().Key(r.key).Field("roster").Build()).AsBytes()
		version := uint64(0)
		if len(packed) > 0 {
			version = uint64(math.Float64frombits(binary.BigEndian.Uint64(packed)))
		}
		for {
			r.mu.Lock()
			listens, told := r.listen != nil, r.told.version
			r.mu.Unlock()
			if !listens || told >= version {
				break
			}
			runtime.Gosched()
		}
	}
}

// KeyOf is where Redis keeps a project.
func KeyOf(project presence.Project) string { return keyOf(project) }

// SetMostRooms sets from how many rooms on unused ones are let go; before the store is used.
func (s *Store) SetMostRooms(n int) { s.most = n }

// Told counts the projects of which only the version is remembered.
func (s *Store) Told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told.Len()
}

// Rooms counts the projects that the node has to do with.
func (s *Store) Rooms() int { return len(s.held()) }

// MajorOf is what a version of Redis is taken for.
func MajorOf(version string) (int, error) { return majorOf(version) }

// Confirms asks for the durability of a change of a project that left the roster at a clock.
func (s *Store) Confirms(ctx context.Context, project presence.Project, clock uint64) bool {
	return s.durable(ctx, keyOf(project), clock)
}

// SubscriptionError returns the error of a project's subscription, nil if it has none.
func (s *Store) SubscriptionError(project presence.Project) error { return s.deaf.get(keyOf(project)) }

// Hears tells whether the subscription of a watched project is established.
func (s *Store) Hears(project presence.Project) bool {
	r := s.room(project, false)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard
}
