package live

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// renewTime is how long before its end a client is asked for a new token. A token has a minute of leeway, so
// this is a minute before its exp.
const renewTime = 2 * time.Minute

const (
	// pingAfter is after how much silence a client is pinged. Clients that send the default heartbeat are not.
	pingAfter = presence.DefaultHeartbeat + time.Second
	// deadAfter is after how much silence a connection is taken for dead.
	deadAfter = pingAfter + 20*time.Second
	// pingsAtOnce is how many clients are pinged before a pause of pingPause. It takes up to 0.4 ms.
	pingsAtOnce = 20
	pingPause   = time.Millisecond
)

// ping pings clients, with pauses: after a restart all clients connect at once and are silent at once, and without pauses
// messages would wait until all are pinged.
func ping(silent []*conn) {
	for i, c := range silent {
		if i > 0 && i%pingsAtOnce == 0 {
			time.Sleep(pingPause)
		}
		if rest, finish := c.out.offer(ws.CompiledPing); rest != nil {
			go finish(rest)
		}
	}
}

// needsPing reports whether nothing has arrived from a client for pingAfter. It cuts a connection from which nothing has
// arrived for deadAfter, or no message for a lease. It is called every pingEvery, and does not block.
func (c *conn) needsPing(now time.Duration) bool {
	message := time.Duration(c.lastMessage.Load())
	silence := now - max(message, time.Duration(c.lastPong.Load()))
	switch {
	case now-message > c.hub.access.Lease:
		c.out.cut()
	case silence < pingAfter:
	case c.out.isBusy(): // a slow write has timeouts of its own, and the ping waited behind it
		c.lastPong.Store(int64(now))
	case silence >= deadAfter:
		c.out.cut()
	default:
		return true
	}
	return false
}

// checkAccess runs every checkEvery. It closes the connection if the user lost access.
func (c *conn) checkAccess(ctx context.Context) {
	defer recoverAndLog(c.hub.access.Log)
	c.mu.Lock()
	credentials, user := c.credentials, c.user
	c.mu.Unlock()
	if user.ID == "" {
		return // no hello yet; helloTimer closes it
	}
	c.pings.Store(0)
	c.pongs.Store(0)
	now, err := c.authenticate(ctx, credentials)
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
}

// checks are the connections whose access is checked in one tick of [Hub.Run]. One goroutine checks them one after the
// other, because most checks ask nobody, and waking a goroutine for each would cost as much as they do. Those that are
// left at the next tick, behind a slow host, get a goroutine each.
type checks struct {
	conns []*conn
	next  atomic.Int32
}

// run checks connections until none is left. It may run several times at once.
func (c *checks) run() {
	ctx, cancel := context.WithTimeout(context.Background(), authTimeout) // for all: none begins after the next tick
	defer cancel()
	for i := c.next.Add(1) - 1; int(i) < len(c.conns); i = c.next.Add(1) - 1 {
		c.conns[i].checkAccess(ctx)
	}
}

// left returns how many connections nobody has begun to check.
func (c *checks) left() int { return max(0, len(c.conns)-int(c.next.Load())) }

// cancel leaves out the checks that have not begun.
func (c *checks) cancel() { c.next.Add(int32(len(c.conns))) }

// closeRemoved closes the connections of users who were removed from all projects at a version above since.
func (h *Hub) closeRemoved(since uint64) {
	for i := range groups {
		for _, c := range h.appendGroup(nil, i) {
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
	if err == nil {
		return false
	}
	f := wire.FailureOf(err)
	return f.Status == http.StatusUnauthorized || f.Err == identity.ErrProjectUnknown || f.Err == presence.ErrRemoved || errors.Is(err, errHelloOther)
}
