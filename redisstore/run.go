package redisstore

import (
	"context"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// tickInterval is how often the cached projects are checked for refreshes that are due.
	tickInterval = 250 * time.Millisecond
	// refreshInterval is how often Redis is asked about a watched project, because wake-ups may be lost.
	// It is as often as a page polls.
	refreshInterval = presence.DefaultHeartbeat
	// refreshIntervalWithoutWakeUps is refreshInterval while the node receives no wake-ups.
	refreshIntervalWithoutWakeUps = time.Second
	// maxRefreshes bounds the refreshes that run at the same time.
	maxRefreshes = 1024
)

// Run refreshes watched projects, checks that wake-ups are received, and removes idle projects from the
// cache, until the context ends. Then it closes the store and returns nil. It must be called once.
func (s *Store) Run(ctx context.Context) error {
	if s.client == nil {
		return errNotOpen
	}
	s.subscribeToProbes()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s.tick()
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock() // no subscription begins after this
	s.cancel()
	s.mu.Unlock()
	s.running.Wait()
	s.client.Close()
	s.pubsub.client.Close()
	s.durability.close()
	return nil
}

// tick starts the refreshes that are due, and removes idle projects from the cache.
func (s *Store) tick() {
	s.checkProbes()
	now, subscribed := s.now(), 0
	for _, c := range s.cachedProjects() {
		if c.isSubscribed() {
			subscribed++
		}
		switch {
		case c.wantsRefresh(now):
			select {
			case s.refreshes <- struct{}{}:
				c.postponeRefresh(now.Add(callTimeout))
				s.running.Go(func() {
					defer func() { <-s.refreshes }()
					s.refresh(c)
				})
			default: // too many are running; a later tick tries again
			}
		case c.isIdle(now):
			s.removeIdle(c, now)
		}
	}
	s.pubsub.sweep(subscribed)
}

// refresh asks Redis about a watched project. A new version wakes the watchers. So does an error: they
// read the snapshot and get the error, too.
func (s *Store) refresh(c *projectCache) {
	_, cached, _ := c.state()
	if _, err := s.readSnapshot(s.ctx, c, versionOf(cached)); err != nil {
		c.wake()
	}
}
