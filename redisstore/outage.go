package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
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
	log *slog.Logger

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
			o.log.Error("Redis does not answer as it should, and presence is unknown; this is said once a minute", "error", err)
		}
	case !o.failed.IsZero() && now.Sub(o.failed) > calmAfter:
		o.failed, o.said = time.Time{}, time.Time{}
		o.log.Info("Redis answers again")
	}
}
