package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/limit"
)

// mostMistakes is how many messages of a connection may be refused before it is closed.
const mostMistakes = 10

// liveMessage is a message of docs/reference/protocol.md from the client.
type liveMessage struct {
	Type   string
	Token  string
	Hidden bool
	updateBody
}

// Field implements [strictjson.Fields].
func (m *liveMessage) Field(name []byte) any {
	switch string(name) {
	case "type":
		return &m.Type
	case "token":
		return &m.Token
	case "hidden":
		return &m.Hidden
	default:
		return m.updateBody.Field(name)
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
	err := parse(message, &m)
	if err == nil {
		err = c.take(&m)
	}
	if err == nil {
		return
	}
	f := c.failed(err)
	if c.joined && lostAccess(err) {
		c.expel(err, m.Seq)
		return
	}
	if f.status < 500 {
		c.mistakes++
	} else { // it is one of ours
		c.live.Log.Error("a live message failed", "code", f.code, "project", c.project, "error", err)
	}
	c.conn.write(errorFrame(err, m.Seq))
	switch {
	case !c.joined, c.mistakes >= mostMistakes, errors.Is(err, errHelloAgain):
		c.close(ws.StatusPolicyViolation)
	}
}

// lostAccess reports whether an error says that the user of a live connection may no longer
// take part, or that the connection is no longer theirs. An error that says only that this is
// not known, such as [presence.ErrUnavailable], takes access from nobody.
func lostAccess(err error) bool {
	f := failureOf(err)
	return err != nil && (f.status == http.StatusUnauthorized || f.err == identity.ErrProjectUnknown) || errors.Is(err, errHelloOther)
}

// errHelloOther is a second hello of another user or session.
var errHelloOther = fmt.Errorf("another user or session: %w", errHelloAgain)

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
	case known.ID != "" && m.Session != c.session:
		return errHelloOther
	case known.ID != "" && m.Token == "":
		return errHelloAgain
	case m.Session == "":
		return presence.ErrSessionInvalid
	}
	if strings.ContainsFunc(m.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return identity.Reject(identity.Malformed) // RFC 6750, 2.1
	}
	if known.ID != "" {
		if err := c.live.PerUser.Take(userKey(c.project, known.ID), errTooMany); err != nil {
			return err
		}
	}
	says := c.says
	says.token = cmp.Or(m.Token, says.token)
	admission, err := c.whoSays(says)
	user := admission.User
	switch {
	case err != nil:
		if known.ID == "" && errors.Is(err, identity.ErrProjectUnknown) {
			c.live.endSession(context.Background(), c.project, user, m.Session)
			err = &ofUser{err, user.ID}
		}
		return err
	case user.ID == "":
		return identity.ErrNobody
	case known.ID != "" && known.ID != user.ID:
		return errHelloOther
	case known.ID != "":
		return c.renew(m, says, user)
	default:
		return c.join(m, says, user)
	}
}

// renew takes a second hello, of the same user and session, with a new credential. The
// credential counts from before the ack, so that no recheck of the old one ends the connection.
func (c *liveConn) renew(m *liveMessage, says credentials, user presence.User) error {
	c.mu.Lock()
	c.says, c.user = says, user
	c.mu.Unlock()
	_, err := c.update(m, user)
	return err
}

// join takes the first hello. It counts the connection to its user and reserves its place in
// the room before it stores the session, so that no session is stored for a connection that is
// refused.
func (c *liveConn) join(m *liveMessage, says credentials, user presence.User) error {
	if err := c.identify(user); err != nil {
		return err
	}
	feed := c.live.feeds.reserve(c.project, user.ID)
	if feed == nil {
		return presence.ErrTooManySessions
	}
	c.feed = feed // end gives the place back
	c.mu.Lock()
	c.says, c.user, c.session = says, user, m.Session
	c.mu.Unlock()
	if _, err := c.update(m, user); err != nil {
		if !errors.Is(err, presence.ErrUnavailable) { // after which it may be stored all the same
			c.fate.Store(settled)
		}
		return err
	}
	c.hello.Stop()
	c.hello = nil
	c.vouched.Store(int64(c.live.uptime()))
	c.joined = true
	feed.join(c)
	feed.markSince(m.known())
	return nil
}

// whoSays asks who is asking, and whether they may. Nobody becomes a visitor here: a
// connection cannot give a cookie.
func (c *liveConn) whoSays(says credentials) (identity.Admission, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gateTime)
	defer cancel()
	return c.live.authenticate(ctx, says.request(c.project))
}

// update says where the session is, and answers. Whoever is above a limit may still renew,
// and is read no faster than the limit allows.
func (c *liveConn) update(m *liveMessage, user presence.User) (reply presence.Reply, err error) {
	u, err := m.update()
	if err != nil {
		return reply, err
	}
	above := c.live.PerUser.Take(userKey(c.project, user.ID), errTooMany)
	var tooMany *limit.TooMany
	if errors.As(above, &tooMany) {
		time.Sleep(min(tooMany.After, time.Second))
		c.live.PerUser.Take(userKey(c.project, user.ID), nil)
	}
	u.Session, u.Connection = c.session, c.id
	ask, known := u.Poll || m.Type == "hello", u.Known
	u.Poll = false // whoever asks is told by the feed
	reply, err = c.live.putUpdate(context.Background(), sessionSender{c.project, user, c.says.address, above}, u)
	if err != nil {
		return reply, err
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
