package announce

import (
	"context"
	"encoding/json"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// claim is the claim on a project. Its context ends when the claim is lost.
type claim struct {
	context.Context
	store   Store
	project presence.Project
	holder  string
}

// keep renews a claim until end is called, which gives it back.
func (a *Announcer) keep(ctx context.Context, project presence.Project, holder string) (c *claim, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	c = &claim{ctx, a.o.Store, project, holder}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.renew(cancel)
	}()
	return c, func() {
		cancel()
		<-ended
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // also when the server ends
		defer cancel()
		_, _ = c.store.Renew(release, project, holder, 0) // otherwise it ends by itself
	}
}

// renew renews the claim until its context ends. It calls lost once another process may have it.
func (c *claim) renew(lost func()) {
	for until := time.Now().Add(claimTime); sleep(c, claimTime/4); {
		began := time.Now()
		ok, err := c.store.Renew(c, c.project, c.holder, claimTime)
		switch {
		case err == nil && ok:
			until = began.Add(claimTime)
		case err == nil || time.Until(until) < claimTime/4:
			lost()
		}
	}
}

// announce stores what was announced at a version, with the events that may not have been passed on.
func (c *claim) announce(version uint64, state presence.EventState, outbox []presence.Event) (ok bool, err error) {
	text, err := json.Marshal(kept{state, outbox})
	if err != nil {
		return false, err
	}
	return c.store.Announce(c, c.project, c.holder, presence.Announcement{Version: version, Occupied: !state.IsEmpty(), State: text})
}
