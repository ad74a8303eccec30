package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	presence "github.com/writer-presence/writer-presence"
)

// Ready implements [presence.Health]. A node that receives no wake-ups is only degraded: it shows
// changes of other nodes a second late.
func (s *Store) Ready(ctx context.Context) error {
	if s.client == nil {
		return errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nodes := s.client.Nodes()
	pings := make(chan error, len(nodes)) // in parallel: a server that hangs does not delay the others
	for address, node := range nodes {
		go func() {
			err := node.Do(ctx, node.B().Ping().Build()).Error()
			if err != nil {
				err = fmt.Errorf("Redis at %s does not answer: %w", address, err)
			}
			pings <- err
		}()
	}
	answered, failure := false, error(nil)
	for range nodes {
		err := <-pings
		answered, failure = answered || err == nil, cmp.Or(failure, err)
	}
	switch {
	case !answered:
		return cmp.Or(failure, errors.New("Redis has no node"))
	case failure != nil: // one server of a cluster: the projects of the others are available
		return fmt.Errorf("%w: %w", presence.ErrDegraded, failure)
	}
	if !allReceive(s.probe.channels) {
		err := fmt.Errorf("%w: this node receives no wake-ups (pub/sub messages) from Redis, so changes of other nodes appear a second late", presence.ErrDegraded)
		if cause := s.probeSubscriptionError(); cause != nil {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return err
	}
	return nil
}

// Figures implements [presence.Health]. It counts the projects that this node has cached.
func (s *Store) Figures() presence.Figures {
	if s.client == nil {
		return presence.Figures{}
	}
	f := presence.Figures{PubSubAge: age(s.probe.channels)}
	for _, c := range s.cachedProjects() {
		if n := c.people(); n > 0 {
			f.Projects, f.People = f.Projects+1, f.People+n
		}
	}
	return f
}
