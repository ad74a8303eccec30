package announce

import (
	"context"
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

// announce stores an announcement. It returns false if the claim is lost.
func (c *claim) announce(a presence.Announcement) (ok bool, err error) {
	return c.store.Announce(c, c.project, c.holder, a)
}
