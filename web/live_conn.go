package web

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	presence "writer-presence"
	"writer-presence/identity"
)

// The close codes of docs/protocol.md, which are those of RFC 6455, 7.4.1.
const (
	closeNormal   = 1000
	closeBinary   = 1003
	closeRefused  = 1008
	closeDraining = 1012
)

// lastBytes is how much is read, and thrown away, after the last word to a client.
const lastBytes = 64 << 10

// The fates of a session whose connection ends.
const (
	broken   int32 = iota // it may come back
	replaced              // it has come back, by another connection
	settled               // nothing is to be said of it
	expelled              // its user may no longer
)

// liveConn is one live connection: of one session, once it has said hello.
//
// One goroutine reads, and answers what it reads. What is new is told by another one, for
// as long as there is something: a connection that reads slowly is told the newest state
// when it is ready for it. Both write whole frames, which the connection keeps apart.
type liveConn struct {
	gws.SessionStorage // none; it is how gws carries this along
	live               *live
	socket             *gws.Conn
	conn               *lingering
	project            presence.Project
	group              int
	hello              *time.Timer // nil once it was said

	// What only the reading goroutine uses, and the end after it.
	seq      uint64 // the newest that this connection said of the session
	mistakes int
	feed     *feed

	heard atomic.Int64 // when the last message came, by live.uptime
	alive atomic.Bool  // something came since the last turn
	pings atomic.Int32 // since the last turn
	fate  atomic.Int32 // what the end of the connection means for the session

	mu   sync.Mutex
	says credentials
	// user and session are whose it is, since the hello; only the reading goroutine writes.
	user    presence.User
	session string
	at      uint64 // the version that was told last
	step    *step  // the newest that is to be told
	telling bool
	since   time.Time // when the telling of a frame began
}

// liveEvents hands what gws reads to the connection.
type liveEvents struct{ gws.BuiltinEventHandler }

func (liveEvents) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	if c := socket.Session().(*liveConn); !c.conn.over.Load() {
		c.receive(message)
	}
}

func (liveEvents) OnPing(socket *gws.Conn, payload []byte) {
	switch c := socket.Session().(*liveConn); {
	case c.conn.over.Load():
	case c.pings.Add(1) > mostPings:
		c.refuse(errTooMany)
	default:
		socket.WritePong(payload)
	}
}

func (liveEvents) OnPong(socket *gws.Conn, _ []byte) {
	socket.Session().(*liveConn).alive.Store(true)
}

// run reads until the connection ends.
func (c *liveConn) run() {
	defer c.end()
	defer func() {
		if cause := recover(); cause != nil { // gws, met by a length of 2^63 and more
			c.live.Log.Warn("a live connection broke", "cause", cause)
			c.socket.WriteClose(1002, nil)
		}
	}()
	c.socket.ReadLoop()
}

// end says what the end of the connection means for its session, and forgets it.
func (c *liveConn) end() {
	if c.hello != nil {
		c.hello.Stop()
	}
	if c.feed != nil {
		c.feed.leave(c)
	}
	if user := c.whose(); user.ID != "" {
		c.leaveBehind(user)
	}
	io.CopyN(io.Discard, c.conn, lastBytes) // see lingering
	c.conn.cut()
	c.live.forget(c)
}

func (c *liveConn) leaveBehind(user presence.User) {
	var err error
	switch c.fate.Load() {
	case broken:
		_, err = c.leave(user, presence.Leave{Session: c.session, Seq: c.seq, Broken: true})
	case expelled:
		_, err = c.leave(user, presence.Leave{Session: c.session})
	}
	if err != nil {
		c.live.Log.Error("the store did not hear of the end of a live connection; its session lasts as long as its lease", "project", c.project, "error", err)
	}
}

func (c *liveConn) whose() presence.User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// isReplaced says of a connection that its session has another one now.
func (c *liveConn) isReplaced(by *liveConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c != by && c.user.ID == by.user.ID && c.session == by.session {
		c.fate.CompareAndSwap(broken, replaced)
	}
}

// leave ends the session, or says that it may have ended.
func (c *liveConn) leave(user presence.User, l presence.Leave) (presence.Reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	return c.live.Tracker.Leave(ctx, c.project, user, l)
}

// knows takes in which version the client has.
func (c *liveConn) knows(version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = version
}

// tell has the client told of the newest state, as soon as it takes it. It does not wait.
func (c *liveConn) tell(s *step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.telling:
		c.step = s
	case c.at != s.snapshot.Version:
		c.step, c.telling, c.since = s, true, time.Now()
		go c.catchUp()
	}
}

// catchUp tells until the client has what is newest.
func (c *liveConn) catchUp() {
	for {
		c.mu.Lock()
		s, at := c.step, c.at
		if s == nil || at == s.snapshot.Version {
			c.telling, c.step = false, nil
			c.mu.Unlock()
			return
		}
		c.at, c.since = s.snapshot.Version, time.Now()
		c.mu.Unlock()
		c.write(s.frame(at))
	}
}

// write sends a whole frame. A connection that cannot be written to is at its end.
func (c *liveConn) write(frame []byte) {
	if _, err := c.conn.Write(frame); err != nil && !c.conn.over.Load() {
		c.conn.cut()
	}
}

func (c *liveConn) tellError(err error) { c.sendError(err, 0) }

// sendError says what an error says to do; seq is that of the message that it is about.
func (c *liveConn) sendError(err error, seq uint64) {
	f := failureOf(err)
	c.write(textFrame(func(b []byte) []byte { return appendError(b, f, seq, retryAfter(err, f)) }))
}

// close ends the connection, with a code.
func (c *liveConn) close(code uint16) {
	c.conn.SetWriteDeadline(time.Now().Add(closeTime))
	c.socket.WriteClose(code, nil)
}

// refuse ends the connection for a reason that it tells.
func (c *liveConn) refuse(err error) {
	c.conn.SetWriteDeadline(time.Now().Add(closeTime))
	c.tellError(err)
	c.close(closeRefused)
}

// drain ends the connection for now: its session goes on.
func (c *liveConn) drain(after time.Duration) {
	c.fate.Store(settled)
	c.conn.SetWriteDeadline(time.Now().Add(closeTime))
	f := failureOf(errDraining)
	c.write(textFrame(func(b []byte) []byte { return appendError(b, f, 0, after) }))
	c.close(closeDraining)
}

// turn is what happens every turnEvery: whoever is dead, or may no longer, is let go, and
// the others are pinged.
func (c *liveConn) turn() {
	defer notEverything(c.live.Log)
	c.mu.Lock()
	says, user := c.says, c.user
	stuck := c.telling && time.Since(c.since) > slowTime
	c.mu.Unlock()
	silent := c.live.uptime()-time.Duration(c.heard.Load()) > c.live.Lease
	if user.ID == "" {
		return // its hello is due sooner
	}
	c.pings.Store(0)
	if !c.alive.Swap(false) || stuck || silent {
		c.conn.cut()
		return
	}
	now, err := c.whoSays(says)
	if err == nil && now.ID != user.ID {
		err = identity.ErrNobody
	}
	if err != nil && !errors.Is(err, presence.ErrUnavailable) {
		c.fate.Store(expelled)
		c.refuse(err)
		return
	}
	c.write(pingFrame)
}
