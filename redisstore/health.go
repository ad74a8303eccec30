package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// sayEvery is how often the log says that Redis fails, while it does.
	sayEvery = time.Minute
	// calmAfter is for how long nothing must have failed, until the log says that it is over:
	// where it is one node of a cluster, others go on answering.
	calmAfter = 3 * time.Second
)

// outage has the log say that Redis does not answer, and that it does again. A node asks at
// least once a second, so that both are said though nobody comes by.
type outage struct {
	log           *slog.Logger
	failing, over string // what the log says

	mu     sync.Mutex
	failed time.Time // the last time; zero while all is well
	said   time.Time
}

// note takes in how a call ended. A caller who went away says nothing about Redis.
func (o *outage) note(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		o.failed = now
		if now.Sub(o.said) > sayEvery {
			o.said = now
			o.log.Error(o.failing, "error", err)
		}
	case !o.failed.IsZero() && now.Sub(o.failed) > calmAfter:
		o.failed, o.said = time.Time{}, time.Time{}
		o.log.Info(o.over)
	}
}

// Ready implements [presence.Health]: without wake-ups presence goes on, a second later.
func (s *Store) Ready(ctx context.Context) error {
	if s.client == nil {
		return errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	nodes := s.client.Nodes()
	pings := make(chan error, len(nodes)) // at once: one that hangs takes no time from the others
	for address, node := range nodes {
		go func() {
			err := node.Do(ctx, node.B().Ping().Build()).Error()
			if err != nil {
				err = fmt.Errorf("Redis at %s does not answer: %w", address, err)
			}
			pings <- err
		}()
	}
	answered, down := false, error(nil)
	for range nodes {
		err := <-pings
		answered, down = answered || err == nil, cmp.Or(down, err)
	}
	switch {
	case !answered:
		return cmp.Or(down, errors.New("Redis has no node"))
	case down != nil: // one of a cluster: who is in the projects of the others is known
		return fmt.Errorf("%w: %w", presence.ErrDegraded, down)
	}
	if !heard(s.probe.channels) {
		err := fmt.Errorf("%w: Redis passes on no wake-ups from node to node, so that changes of other nodes show a second late", presence.ErrDegraded)
		if why := s.whyDeaf(); why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
		return err
	}
	return nil
}

// Figures implements [presence.Health]: of the projects that this node has to do with.
func (s *Store) Figures() presence.Figures {
	if s.client == nil {
		return presence.Figures{}
	}
	f := presence.Figures{PubSubAge: age(s.probe.channels)}
	for _, r := range s.held() {
		if n := r.people(); n > 0 {
			f.Projects, f.People = f.Projects+1, f.People+n
		}
	}
	return f
}
