package announce

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// claim is the claim on a project. Its context ends when the claim is lost.
type claim struct {
	context.Context
	store      Store
	project    presence.Project
	holder     string
	delivering sync.WaitGroup // goroutines that deliver events
}

// keep renews a claim until end is called, which gives it back.
func (a *Announcer) keep(ctx context.Context, project presence.Project, holder string) (c *claim, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	c = &claim{Context: ctx, store: a.o.Store, project: project, holder: holder}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.renew(cancel)
	}()
	return c, func() {
		cancel()
		c.delivering.Wait()
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

// announce stores what was announced at a version, 0 while there is more to deliver.
func (c *claim) announce(version uint64, occupied bool, states states) (ok bool, err error) {
	text, err := json.Marshal(states)
	if err != nil {
		return false, err
	}
	return c.store.Announce(c, c.project, c.holder, presence.Announcement{Version: version, Occupied: occupied, State: text})
}
