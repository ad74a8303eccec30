package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	presence "writer-presence"
	"writer-presence/identity"
	"writer-presence/limit"
)

// mostMistakes is how many messages of a connection may be refused before it is closed.
const mostMistakes = 10

// liveMessage is a message of docs/protocol.md from the client.
type liveMessage struct {
	Type   string `json:"type"`
	Token  string `json:"token"`
	Hidden bool   `json:"hidden"`
	updateBody
}

// plain implements the quick way of decode.
func (m *liveMessage) plain(name, value []byte) bool {
	switch string(name) {
	case "type":
		return plainText(&m.Type, value)
	case "token":
		return plainText(&m.Token, value)
	case "hidden":
		return plainBool(&m.Hidden, value)
	default:
		return m.updateBody.plain(name, value)
	}
}

// known gives the version that the client has, 0 for none.
func (m *liveMessage) known() uint64 {
	if m.KnownVersion == nil {
		return 0
	}
	return *m.KnownVersion
}

// receive takes in a message, and answers it.
func (c *liveConn) receive(op ws.OpCode, message []byte) {
	c.alive.Store(true)
	c.heard.Store(int64(c.live.uptime()))
	c.live.Counts.Messages.Add(1)
	if op != ws.OpText {
		c.tellError(errNotText)
		c.close(ws.StatusUnsupportedData)
		return
	}
	var m liveMessage
	err := parse(message, &m, m.plain)
	if err == nil {
		err = c.take(&m)
	}
	if err == nil {
		return
	}
	f := c.live.failed(err)
	if f.status < 500 {
		c.mistakes++
	} else { // it is one of ours
		c.live.Log.Error("a live message failed", "project", c.project, "error", err)
	}
	c.conn.write(errorFrame(err, m.Seq))
	switch {
	case c.feed == nil, c.mistakes >= mostMistakes, errors.Is(err, errHelloAgain), isRefusal(f):
		c.close(ws.StatusPolicyViolation)
	}
}

// isRefusal tells of an error that says that somebody may not.
func isRefusal(f failure) bool {
	return f.status == http.StatusUnauthorized || f.err == identity.ErrProjectUnknown
}

// take does what a message says.
func (c *liveConn) take(m *liveMessage) error {
	user := c.whose()
	switch {
	case user.ID == "" && m.Type != "hello":
		return errHelloFirst
	case m.Type == "hello":
		return c.greet(m, user)
	case m.Session != "" && m.Session != c.session:
		return presence.ErrSessionInvalid
	case m.Type == "update":
		_, err := c.update(m, user)
		return err
	case m.Type == "leave":
		reply, err := c.leave(user, presence.Leave{Session: c.session, Seq: m.Seq, Hidden: m.Hidden})
		if err != nil {
			return err
		}
		if !reply.Stale { // or it has ended nothing
			c.fate.Store(settled)
		}
		c.conn.write(textFrame(func(b []byte) []byte { return c.live.appendAck(b, m.Seq, reply) }))
		c.close(ws.StatusNormalClosure)
		return nil
	default:
		return errUnknownType
	}
}

// greet takes a hello: the first, which says whose the connection is, or one that renews
// the credential.
func (c *liveConn) greet(m *liveMessage, known presence.User) error {
	switch {
	case known.ID != "" && (m.Token == "" || m.Session != c.session):
		return errHelloAgain
	case m.Session == "":
		return presence.ErrSessionInvalid
	}
	if strings.ContainsFunc(m.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return identity.ErrTokenInvalid // RFC 6750, 2.1
	}
	if known.ID != "" {
		if err := c.live.PerUser.Take(string(known.ID), errTooMany); err != nil {
			return err
		}
	}
	says := c.says
	says.token = cmp.Or(m.Token, says.token)
	admission, err := c.whoSays(says)
	user := admission.User
	switch {
	case err != nil:
		return err
	case user.ID == "":
		return identity.ErrNobody
	case known.ID != "" && known.ID != user.ID:
		return errHelloAgain
	}
	reply, err := c.update(m, user)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.says, c.user, c.session = says, user, m.Session
	c.mu.Unlock()
	if known.ID == "" {
		c.hello.Stop()
		c.hello = nil
		c.vouched.Store(int64(c.live.uptime()))
		if c.feed = c.live.feeds.join(c, c.project, !reply.Stale); c.feed == nil {
			c.fate.Store(settled) // the others go on
			return presence.ErrTooManySessions
		}
		c.feed.markSince(m.known())
	}
	return nil
}

// whoSays asks who is asking, and whether they may. Nobody becomes a visitor here: a
// connection cannot give a cookie.
func (c *liveConn) whoSays(says credentials) (identity.Admission, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gateTime)
	defer cancel()
	return c.live.Gate.Admit(ctx, says.request(c.project))
}

// update says where the session is, and answers. Whoever is above a limit may still renew,
// and is read no faster than the limit allows.
func (c *liveConn) update(m *liveMessage, user presence.User) (reply presence.Reply, err error) {
	u, err := m.update()
	if err != nil {
		return reply, err
	}
	above := c.live.PerUser.Take(string(user.ID), errTooMany)
	var tooMany *limit.TooMany
	if errors.As(above, &tooMany) {
		time.Sleep(min(tooMany.After, time.Second))
		c.live.PerUser.Take(string(user.ID), nil)
	}
	u.Session, u.OnlyRenew = cmp.Or(c.session, m.Session), above != nil
	ask, known := u.Poll || m.Type == "hello", u.Known
	u.Poll = false // whoever asks is told by the feed
	reply, err = c.live.Tracker.Update(context.Background(), c.project, user, u)
	if errors.Is(err, presence.ErrTooManyChanges) {
		err = errors.Join(err, above)
	}
	if err != nil {
		return reply, err
	}
	if !reply.Stale {
		c.seq = max(c.seq, u.Seq)
		c.fate.CompareAndSwap(replaced, broken) // and came back by this one
	}
	c.conn.write(textFrame(func(b []byte) []byte { return c.live.appendAck(b, u.Seq, reply) }))
	if ask {
		c.knows(known)
		if c.feed != nil {
			c.feed.markSince(known)
		}
	}
	return reply, nil
}
