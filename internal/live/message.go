package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// maxMistakes is how many messages of a connection may be answered with an error before it is closed.
const maxMistakes = 10

// receive decodes and handles a message. On an error it answers with the error, and closes the connection if
// the hello failed, the user lost access, or there were maxMistakes errors.
func (c *conn) receive(op ws.OpCode, message []byte) {
	c.lastMessage.Store(int64(c.hub.uptime()))
	c.hub.access.Metrics.Messages.Inc()
	if op != ws.OpText {
		c.sendError(wire.ErrNotText)
		c.close(ws.StatusUnsupportedData)
		return
	}
	var m wire.Message
	err := wire.Decode(message, &m)
	if err == nil {
		err = c.handle(&m)
	}
	if err == nil {
		return
	}
	c.countFailure(err)
	if c.joined && lostAccess(err) {
		c.revoke(err, m.Seq)
		return
	}
	if f := wire.FailureOf(err); f.Status < 500 {
		c.mistakes++
	} else {
		c.hub.access.Log.Error("a live message failed", "request", c.requestID(), "code", f.Code, "project", c.project, "error", err)
	}
	if !c.joined { // closed below, so a newer connection may evict it already
		c.hub.limits.Keep(c.counted, 0)
	}
	c.sendWithHeld(errorFrame(err, m.Seq))
	if !c.joined || c.mistakes >= maxMistakes || errors.Is(err, wire.ErrHelloAgain) {
		c.close(ws.StatusPolicyViolation)
	}
}

// errHelloOther reports a second hello of another user or session.
var errHelloOther = fmt.Errorf("another user or session: %w", wire.ErrHelloAgain)

// handle handles a decoded message. It answers it unless it returns an error.
func (c *conn) handle(m *wire.Message) error {
	user := c.identified()
	switch {
	case user.ID == "" && m.Type != "hello":
		return wire.ErrHelloFirst
	case m.Type == "hello":
		return c.hello(m, user)
	case m.Session != "" && m.Session != c.session:
		return presence.ErrSessionInvalid
	case m.Type == "update":
		return c.update(m, user)
	case m.Type == "leave":
		reply, err := c.leave(user, presence.Leave{Session: c.session, Seq: m.Seq, Hidden: m.Hidden})
		if err != nil {
			return err
		}
		if !reply.Stale {
			c.ending.Store(settled)
		}
		c.sendAck(m.Seq, reply)
		c.close(ws.StatusNormalClosure)
		return nil
	default:
		return wire.ErrUnknownType
	}
}

func (c *conn) sendAck(seq uint64, reply presence.Reply) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	c.sendWithHeld(e.text(func(b []byte) []byte { return wire.AppendAck(b, seq, reply, c.hub.access.Heartbeat) }))
}

// hello handles the first hello, which identifies the user and the session, and later ones, which renew the
// token. known is the user of the first hello.
func (c *conn) hello(m *wire.Message, known presence.User) error {
	switch {
	case known.ID != "" && m.Session != c.session:
		return errHelloOther
	case known.ID != "" && m.Token == "":
		return wire.ErrHelloAgain
	case m.Session == "":
		return presence.ErrSessionInvalid
	}
	if strings.ContainsFunc(m.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return identity.Reject(identity.Malformed) // RFC 6750, 2.1
	}
	if known.ID != "" {
		if err := c.hub.access.TakeUser(c.project, known.ID); err != nil {
			return err
		}
	} else {
		c.hub.limits.Keep(c.counted, authTimeout)
	}
	removals := c.hub.access.RemovalsVersion() // before the user is authenticated
	credentials := c.credentials
	credentials.token = cmp.Or(m.Token, credentials.token)
	ctx, cancel := context.WithTimeout(context.Background(), authTimeout)
	defer cancel()
	principal, err := c.authenticate(ctx, credentials)
	user := principal.User
	switch {
	case err != nil:
		if known.ID == "" && access.LosesSession(err) {
			c.hub.access.EndSession(context.Background(), c.project, user, m.Session)
			err = access.WithUser(err, user.ID)
		}
		return err
	case user.ID == "":
		return identity.ErrNobody
	case known.ID != "" && known.ID != user.ID:
		return errHelloOther
	case known.ID != "":
		return c.renew(m, credentials, user)
	default:
		return c.join(m, credentials, user, removals)
	}
}

// renew handles a second hello of the same user and session, with a new token. It stores the token before it
// sends the ack, so that a check after the ack uses the new one.
func (c *conn) renew(m *wire.Message, credentials credentials, user presence.User) error {
	c.mu.Lock()
	c.credentials, c.user = credentials, user
	c.mu.Unlock()
	return c.update(m, user)
}

// join handles the first hello. It counts the connection for its user and reserves a place in the room before
// it stores the session, so that a rejected connection stores none.
func (c *conn) join(m *wire.Message, credentials credentials, user presence.User, removals uint64) error {
	if err := c.hub.limits.Identify(c.counted, access.UserKey(c.project, user.ID), user.Visitor); err != nil {
		return err
	}
	room := c.hub.rooms.reserve(c.project, user.ID)
	if room == nil {
		return presence.ErrTooManySessions
	}
	c.room = room // end releases the place
	c.mu.Lock()
	c.credentials, c.user, c.session, c.removals = credentials, user, m.Session, removals
	c.mu.Unlock()
	if err := c.hub.access.RemovedSince(removals, c.project, user.ID); err != nil { // the hub did not know the user yet
		c.ending.Store(settled)
		return err
	}
	if err := c.update(m, user); err != nil {
		if !errors.Is(err, presence.ErrUnavailable) { // which may have stored it
			c.ending.Store(settled)
		}
		return err
	}
	c.helloTimer.Stop()
	c.helloTimer = nil
	c.lastAuthorized.Store(int64(c.hub.uptime()))
	c.joined = true
	room.join(c)
	room.markSince(m.Known())
	return nil
}

// update stores the session and sends the ack. For a user over the rate limit it waits before it stores, so
// that messages are read no faster than the limit allows; only renewals succeed then.
func (c *conn) update(m *wire.Message, user presence.User) error {
	u, err := m.Domain()
	if err != nil {
		return err
	}
	exceeded := c.hub.access.TakeUser(c.project, user.ID)
	var limit *ratelimit.Exceeded
	if errors.As(exceeded, &limit) {
		time.Sleep(min(limit.After, time.Second))
		_ = c.hub.access.TakeUser(c.project, user.ID)
	}
	u.Session, u.Connection = c.session, c.id
	hasVersion, version := u.Poll || m.Type == "hello", m.Known()
	u.Poll = false // the room sends the snapshot
	c.hold()
	reply, err := c.hub.access.Update(context.Background(), access.Sender{Project: c.project, User: user, Address: c.credentials.address, Exceeded: exceeded}, u)
	if err != nil {
		return err
	}
	if !c.joined {
		c.since = reply.Version
	}
	if hasVersion { // before the ack, with which a held state is sent
		c.setKnown(version)
	}
	c.sendAck(u.Seq, reply)
	if hasVersion && c.room != nil {
		c.room.markSince(version)
	}
	return nil
}
