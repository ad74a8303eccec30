package live

import (
	"cmp"
	"context"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// renewTime is how long before its end a client is asked for a new token. A token has a minute of
	// leeway, so this is a minute before its exp.
	renewTime = 2 * time.Minute
	// authTimeout bounds an authentication. Stores have timeouts of their own.
	authTimeout = 5 * time.Second
	// maxPings is how many pings, and how many pongs, of a client are accepted between two checks.
	maxPings = 100
)

// What the end of a connection means for its session.
const (
	broken   int32 = iota // the connection was lost; the session waits for another one
	settled               // nothing: the session has left, or nothing was stored, or the server restarts
	expelled              // the user lost access; the session ends at once
)

// conn is one live connection. It belongs to one session once it has received a hello.
//
// One goroutine, await, waits for the first bytes of the next message with a small stack: most connections
// are quiet most of the time, and grown stacks would be half of their memory. It passes the connection to
// a goroutine that reads and answers until nothing more is there, which starts await again. Snapshots and
// deltas are sent by the goroutine of the room; a client that reads slowly is sent the newest state when
// it is ready for it, and nothing in between.
type conn struct {
	hub        *Hub
	id         uint64 // see presence.Update.Connection
	out        writer
	counted    *connlimit.Conn
	project    presence.Project
	group      int
	helloTimer *time.Timer // nil after the hello
	request    string      // X-Request-ID of the handshake, if failures are logged one by one
	first      [192]byte   // what await reads into; most messages fit

	// These are used by the reading goroutine only, and by end after it.
	mistakes int
	room     *room // from the moment at which a place in it is reserved
	joined   bool  // the hello was accepted

	lastMessage    atomic.Int64 // time of the last message, by Hub.uptime
	lastAuthorized atomic.Int64 // time at which access was last known to be granted, by Hub.uptime
	alive          atomic.Bool  // something arrived since the last check
	pings          atomic.Int32 // since the last check
	pongs          atomic.Int32 // since the last check
	fate           atomic.Int32 // what the end of the connection means for the session

	mu          sync.Mutex
	credentials credentials
	// user and session are set by the hello. Only the reading goroutine writes them.
	user    presence.User
	session string
	have    uint64 // version that the client was sent last
	known   uint64 // version that the client says it has; 0 once it was sent a newer one
	restate uint64 // loss of data for which the client was asked to restate; see presence.Snapshot.Loss
	pending *state // newest state to send; nil while nothing is being sent
}

// await blocks until the first bytes of the next message arrive.
func (c *conn) await() {
	n, err := c.out.Read(c.first[:])
	if err != nil {
		go c.end()
		return
	}
	select {
	case c.hub.arrived <- arrival{c, c.first[:n]}:
	default: // all readers are busy
		go c.read(c.first[:n])
	}
}

// read reads and handles messages until nothing more is there. first was read already.
func (c *conn) read(first []byte) {
	in := newReader(c.out.Conn, first)
	defer in.release()
	defer func() {
		if cause := recover(); cause != nil {
			c.hub.access.Log.Error("a live connection panicked", "cause", cause, "stack", string(debug.Stack()))
			c.close(ws.StatusInternalServerError)
			c.end()
		}
	}()
	for {
		op, payload, err := in.next()
		switch code := closeCode(err); {
		case code != 0:
			c.close(code)
		case err != nil, c.out.closed.Load():
		case op.IsControl():
			c.control(op, payload)
		default:
			c.receive(op, payload)
		}
		if err != nil || c.out.closed.Load() {
			c.end()
			return
		}
		if in.isEmpty() {
			go c.await()
			return
		}
	}
}

// control handles a control frame.
func (c *conn) control(op ws.OpCode, payload []byte) {
	switch {
	case op == ws.OpPing && c.pings.Add(1) > maxPings, op == ws.OpPong && c.pongs.Add(1) > maxPings:
		c.reject(wire.ErrTooManyRequests)
	case op == ws.OpPing:
		c.out.write(compile(ws.NewPongFrame(payload)))
	case op == ws.OpPong:
		c.alive.Store(true)
	case op == ws.OpClose:
		c.close(closeAnswer(payload))
	}
}

// closeAnswer returns the code that answers a close frame: the same one (RFC 6455, 5.5.1), if it is valid.
func closeAnswer(payload []byte) ws.StatusCode {
	if len(payload) == 0 {
		return ws.StatusNormalClosure
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if len(payload) == 1 || !isCloseCode(code) || !utf8.ValidString(reason) {
		return ws.StatusProtocolError
	}
	return code
}

// isCloseCode reports whether a close frame may have a code (RFC 6455, 7.4, and the registry that it began,
// which has 1012 to 1014 by now): 1004 is reserved, 1005, 1006 and 1015 are never sent, and 3000 to 4999
// belong to libraries and applications.
func isCloseCode(code ws.StatusCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// end ends the session if it has to, and forgets the connection.
func (c *conn) end() {
	defer recoverAndLog(c.hub.access.Log)
	defer c.hub.remove(c)
	defer c.hub.limits.Remove(c.counted)
	defer c.out.cut()
	if c.helloTimer != nil {
		c.helloTimer.Stop()
	}
	if user := c.identified(); user.ID != "" {
		if c.room != nil {
			c.room.leave(c, user.ID)
		}
		c.endSession(user)
	}
	if c.out.closed.Load() {
		c.out.linger()
	}
}

func (c *conn) endSession(user presence.User) {
	var err error
	switch c.fate.Load() {
	case broken:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id, Broken: true})
	case expelled:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id})
	}
	if err != nil {
		c.hub.access.Log.Error("the store could not be told that a live connection ended; its session is listed until its lease expires", "project", c.project, "error", err)
	}
}

// identified returns the user of the connection; without an id before the hello.
func (c *conn) identified() presence.User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// leave ends the session, or, if the leave is Broken, lets it wait for another connection.
func (c *conn) leave(user presence.User, l presence.Leave) (presence.Reply, error) {
	return c.hub.access.Presence.Leave(context.Background(), c.project, user, l)
}

// setKnown records which version the client has.
func (c *conn) setKnown(version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have, c.known = version, version
}

// send sends the newest state, as soon as the client takes it. It does not wait.
func (c *conn) send(s *state) {
	c.mu.Lock()
	idle := c.pending == nil
	c.pending = s
	c.mu.Unlock()
	if idle {
		c.sendPending()
	}
}

// sendPending sends until the client has the newest state. Where that would block, another goroutine goes on.
func (c *conn) sendPending() {
	for frame := c.nextFrame(); frame != nil; frame = c.nextFrame() {
		if rest, finish := c.out.offer(frame); rest != nil {
			go func() {
				defer recoverAndLog(c.hub.access.Log)
				finish(rest)
				c.alive.Store(true) // a ping would have waited behind the frame
				c.sendPending()
			}()
			return
		}
	}
}

// nextFrame returns the next frame to send, nil for none.
func (c *conn) nextFrame() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, have := c.pending, c.have
	if s.snapshot != nil && s.version < c.known && s.asked < c.known { // this process is behind the client
		c.pending = nil
		return nil
	}
	var restate []byte
	if s.snapshot != nil && s.snapshot.Partial && c.restate != s.snapshot.Loss {
		c.restate, restate = s.snapshot.Loss, restateFrame
	}
	if have == s.version {
		if restate == nil {
			c.pending = nil
		}
		return restate
	}
	c.have = s.version
	if s.snapshot != nil {
		c.known = 0
	}
	frame := s.frame(have, c.hub.access.Metrics)
	if restate != nil {
		frame = append(frame[:len(frame):len(frame)], restate...)
	}
	return frame
}

// sendError sends an error, which it counts.
func (c *conn) sendError(err error) {
	c.countFailure(err)
	c.out.write(errorFrame(err, 0))
}

// countFailure counts an error that the client is told, and logs it if failures are logged one by one.
func (c *conn) countFailure(err error) {
	c.hub.access.CountFailure(err)
	if c.hub.access.Debug() {
		id := cmp.Or(c.request, "live-"+strconv.FormatUint(c.id, 36))
		c.hub.access.LogFailure("live", id, c.project, c.identified().ID, err)
	}
}

// close ends the connection with a code.
func (c *conn) close(code ws.StatusCode) {
	c.out.close(compile(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))
}

// expel ends the connection and its session, because the user lost access; see lostAccess.
func (c *conn) expel(err error, seq uint64) {
	c.fate.CompareAndSwap(broken, expelled)
	c.out.hurry()
	c.out.write(errorFrame(err, seq))
	c.close(ws.StatusPolicyViolation)
}

// reject ends the connection with an error.
func (c *conn) reject(err error) { c.rejectWith(err, ws.StatusPolicyViolation) }

func (c *conn) rejectWith(err error, code ws.StatusCode) {
	c.out.hurry()
	c.sendError(err)
	c.close(code)
}

// drain ends the connection, not the session, and tells the client when to come back.
func (c *conn) drain(after time.Duration) {
	defer recoverAndLog(c.hub.access.Log)
	c.fate.Store(settled)
	c.rejectWith(&ratelimit.Exceeded{Err: wire.ErrDraining, After: after}, statusRestart)
}

// check runs every checkEvery. It closes dead and no longer authorised connections, and pings the others.
func (c *conn) check() {
	defer recoverAndLog(c.hub.access.Log)
	c.mu.Lock()
	credentials, user := c.credentials, c.user
	c.mu.Unlock()
	if user.ID == "" {
		return // helloTimer ends it sooner
	}
	c.pings.Store(0)
	c.pongs.Store(0)
	silent := c.hub.uptime()-time.Duration(c.lastMessage.Load()) > c.hub.access.Lease
	busy := c.out.isBusy() // with a frame, which has timeouts of its own
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
	case renewed: // by a hello during the check, which was authenticated itself
	case lostAccess(err):
		c.countFailure(err)
		c.expel(err, 0)
		return
	case err == nil:
		c.lastAuthorized.Store(int64(c.hub.uptime()))
	case c.hub.uptime()-time.Duration(c.lastAuthorized.Load()) > c.hub.access.Lease:
		c.reject(err) // the authenticator has been unavailable for too long
		return
	}
	if !now.Until.IsZero() && time.Until(now.Until) < renewTime {
		c.sendError(wire.ErrTokenEnds)
	}
	if !busy {
		c.out.write(ws.CompiledPing)
	}
}
