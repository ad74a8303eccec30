package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	// outageLogInterval is the time between two log lines about an outage.
	outageLogInterval = time.Minute
	// outageEndsAfter is how long no call must have failed until the outage counts as over: when one
	// server of a cluster fails, the others go on answering.
	outageEndsAfter = 3 * time.Second
)

// outage logs that calls to Redis fail, and that they succeed again. A node calls Redis at least once a
// second, so that both are logged without any traffic. Its methods are safe to call concurrently.
type outage struct {
	log           *slog.Logger
	failing, over string // the log messages

	mu     sync.Mutex
	failed time.Time // the last failure; zero without an outage
	logged time.Time
}

// note records the outcome of a call. A call that its caller cancelled is not counted.
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
		if now.Sub(o.logged) > outageLogInterval {
			o.logged = now
			o.log.Error(o.failing, "error", err)
		}
	case !o.failed.IsZero() && now.Sub(o.failed) > outageEndsAfter:
		o.failed, o.logged = time.Time{}, time.Time{}
		o.log.Info(o.over)
	}
}
