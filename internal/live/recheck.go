package live

import (
	"errors"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// renewTime is how long before its end a client is asked for a new token. A token has a minute of leeway, so
// this is a minute before its exp.
const renewTime = 2 * time.Minute

// check runs every checkEvery. It closes the connection if it is dead, if its session sent nothing for a lease,
// or if the user lost access. Otherwise it pings the client.
func (c *conn) check() {
	defer recoverAndLog(c.hub.access.Log)
	c.mu.Lock()
	credentials, user := c.credentials, c.user
	c.mu.Unlock()
	if user.ID == "" {
		return // no hello yet; helloTimer closes it
	}
	c.pings.Store(0)
	c.pongs.Store(0)
	silent := c.hub.uptime()-time.Duration(c.lastMessage.Load()) > c.hub.access.Lease
	busy := c.out.isBusy() // a slow write has timeouts of its own
	if alive := c.alive.Swap(busy); !alive && !busy || silent {
		c.out.cut()
		return
	}
	now, err := c.authenticate(credentials)
	if err == nil && now.User.ID != user.ID {
		err = identity.ErrNobody
	}
	c.mu.Lock()
	renewed := c.credentials != credentials
	c.mu.Unlock()
	switch {
	case renewed: // a hello renewed the token during the check, and was authenticated
	case lostAccess(err):
		c.countFailure(err)
		c.revoke(err, 0)
		return
	case err == nil:
		c.lastAuthorized.Store(int64(c.hub.uptime()))
	case c.hub.uptime()-time.Duration(c.lastAuthorized.Load()) > c.hub.access.Lease:
		c.reject(err) // the authenticator has been unavailable for a whole lease
		return
	}
	if !now.Until.IsZero() && time.Until(now.Until) < renewTime {
		c.sendError(wire.ErrTokenEnds)
	}
	if !busy {
		c.out.write(ws.CompiledPing)
	}
}

// closeRemoved closes the connections of users who were removed from all projects at a version above since.
func (h *Hub) closeRemoved(since uint64) {
	for i := range groups {
		for _, c := range h.group(i) {
			c.mu.Lock()
			user, began := c.user.ID, c.removals
			c.mu.Unlock()
			if user == "" { // join checks again once the user is known
				continue
			}
			if err := h.access.RemovedSince(max(since, began), c.project, user); err != nil {
				go c.closeRemoved(err)
			}
		}
	}
}

// closeRemoved ends the connection and its session, because the host removed the user.
func (c *conn) closeRemoved(err error) {
	defer recoverAndLog(c.hub.access.Log)
	c.countFailure(err)
	c.revoke(err, 0)
}

// lostAccess reports whether an error says that the user may no longer take part, or that the connection
// belongs to somebody else. An error such as [presence.ErrUnavailable], after which this is unknown, ends no
// session.
func lostAccess(err error) bool {
	f := wire.FailureOf(err)
	return err != nil && (f.Status == http.StatusUnauthorized || f.Err == identity.ErrProjectUnknown || f.Err == presence.ErrRemoved) || errors.Is(err, errHelloOther)
}
