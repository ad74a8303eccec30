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
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// maxPings is how many pings, and how many pongs, of a client are accepted between two calls of checkAccess.
const maxPings = 100

// What happens to the session when its connection ends.
const (
	broken  int32 = iota // the connection was lost: the session waits for another one
	settled              // nothing: the session has left, was never stored, or the server restarts
	revoked              // the user lost access: the session ends at once
)

// conn is one live connection. It belongs to one session once it has received a hello.
//
// A connection without traffic has no goroutine: one poller waits for the next messages of all of them. Where that
// cannot be done, and before the hello, it has one, await, with a small stack. Both pass the connection to a goroutine
// that reads and answers until nothing more is there. The goroutine of the room sends snapshots and deltas. A slow
// client skips the states in between: once it has read the last frame it is sent the newest state.
type conn struct {
	hub        *Hub
	id         uint64 // see presence.Update.Connection
	out        writer
	counted    *connlimit.Conn
	project    presence.Project
	group      int32 // of Hub.conns, and the place in it
	place      int32
	helloTimer *time.Timer // nil after the hello
	request    string      // X-Request-ID of the handshake; empty if it had none

	// since is the version of the project from which on a removal closes the connection: at first that of the hello.
	// Once the connection has joined its room, only the room uses it.
	since uint64

	// Used only by the goroutine that reads, and after it by end.
	room     *room // nil before a place in it is reserved
	mistakes int32
	joined   bool // the hello was accepted

	// Of the poller, guarded by its mu.
	interrupted bool
	socket      int32

	lastMessage    atomic.Int64 // time of the last message, by Hub.uptime
	lastAuthorized atomic.Int64 // time at which access was last known to be granted, by Hub.uptime
	lastPong       atomic.Int64 // time of the last pong, or the end of a slow write, by Hub.uptime
	pings          atomic.Int32 // since the last checkAccess
	pongs          atomic.Int32 // since the last checkAccess
	ending         atomic.Int32 // broken, settled or revoked
	holds          holding      // guarded by mu

	mu          sync.Mutex
	credentials credentials
	// user and session are set by the hello. Only the reading goroutine writes them.
	user    presence.User
	session string
	// removals is the version of the removals everywhere before the user was authenticated.
	removals uint64
	have     uint64 // version that was last sent to the client
	known    uint64 // version that the client reported; 0 once a newer one was sent
	restate  uint64 // presence.Snapshot.Loss for which the client was asked to send its session again
	pending  *state // newest state to send; nil while nothing is being sent or held
}

// holding says whether the first state during an update is held, to be sent with the ack in one write. That state usually
// has the client's own change, which the client knows. A second state does not wait, since the ack may wait for the disk.
type holding int8

const (
	holdsNone holding = iota
	holdsNext         // an update is being stored
	holdsOne          // likewise, and pending is held
)

// wait has read called when the next message arrives, or when the connection is closed.
func (c *conn) wait() {
	if !c.joined || !c.hub.poller.wait(c) { // before the hello, connlimit may close the connection, which the poller does not notice
		go c.await()
	}
}

// await blocks until the first bytes of the next message arrive.
func (c *conn) await() {
	first := make([]byte, 192) // most messages fit
	n, err := c.out.Read(first)
	if err != nil {
		go c.end()
		return
	}
	c.hub.readers.do(arrival{c, first[:n]})
}

// read reads and handles messages until nothing more is there. first was read already, and may be empty.
func (c *conn) read(first []byte) {
	in := newReader(&c.out, first)
	defer in.release()
	defer func() {
		if cause := recover(); cause != nil {
			c.hub.access.Log.Error("a live connection panicked", "request", c.requestID(), "cause", cause, "stack", string(debug.Stack()))
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
			go c.end() // which may take a second, and needs no buffers
			return
		}
		if in.isEmpty() {
			c.wait()
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
		c.out.write(ws.MustCompileFrame(ws.NewPongFrame(payload)))
	case op == ws.OpPong:
		c.lastPong.Store(int64(c.hub.uptime()))
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
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// end removes the connection from its room and the hub, and ends its session unless that is settled.
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
	switch c.ending.Load() {
	case broken:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id, Broken: true})
	case revoked:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id})
	}
	if err != nil {
		c.hub.access.Log.Error("could not end the session of a live connection; it is listed until its lease expires", "project", c.project, "error", err)
	}
}

// identified returns the user of the connection; without an id before the hello.
func (c *conn) identified() presence.User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// leave ends the session. If the leave is Broken, the session waits for another connection instead.
func (c *conn) leave(user presence.User, l presence.Leave) (presence.Reply, error) {
	return c.hub.access.Presence.Leave(context.Background(), c.project, user, l)
}

// setKnown records the version that the client reported.
func (c *conn) setKnown(version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have, c.known = version, version
}

// send sends the newest state as soon as the client reads. It does not block.
func (c *conn) send(s *state) {
	c.mu.Lock()
	if c.holds == holdsOne && s.version != c.pending.version {
		c.holds = holdsNone
		c.mu.Unlock()
		c.sendPending() // the held state first: without it, this one could not be sent as a delta
		c.mu.Lock()
	}
	start := c.pending == nil
	if c.holds == holdsNext && start && s.snapshot != nil {
		c.holds, start = holdsOne, false
	}
	c.pending = s
	c.mu.Unlock()
	if start {
		c.sendPending()
	}
}

// hold begins to hold the next state, until sendWithHeld.
func (c *conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds = holdsNext
}

// sendWithHeld sends a frame, and with it the state that is held, if any. It appends the state to the frame in place, so
// no other goroutine may use the frame's array.
func (c *conn) sendWithHeld(frame []byte) {
	c.mu.Lock()
	held := c.holds == holdsOne
	c.holds = holdsNone
	c.mu.Unlock()
	if !held {
		c.out.write(frame)
		return
	}
	state := c.nextFrame()
	c.out.write(append(frame, state...))
	if state != nil {
		c.sendPending()
	}
}

// sendPending sends until the client has the newest state. If a write would block, a new goroutine continues.
func (c *conn) sendPending() {
	for frame := c.nextFrame(); frame != nil; frame = c.nextFrame() {
		if rest, finish := c.out.offer(frame); rest != nil {
			go func() {
				defer recoverAndLog(c.hub.access.Log)
				began := c.hub.uptime()
				finish(rest)
				if now := c.hub.uptime(); now-began > time.Second { // a ping would have waited behind the frame
					c.lastPong.Store(int64(now))
				}
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
	if s.snapshot != nil && s.version < c.known && s.asked < c.known { // the client has a newer version, from another node
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

// sendError sends and counts an error.
func (c *conn) sendError(err error) {
	c.countFailure(err)
	c.out.write(errorFrame(err, 0))
}

// countFailure counts an error that is sent to the client, and logs it at level debug.
func (c *conn) countFailure(err error) {
	c.hub.access.CountFailure(err, c.request)
	if c.hub.access.Debug() {
		c.hub.access.LogFailure("live", c.requestID(), c.project, c.identified().ID, err)
	}
}

// requestID returns the id of the connection in log lines: that of the handshake, or one that begins with live-.
func (c *conn) requestID() string {
	return cmp.Or(c.request, "live-"+strconv.FormatUint(c.id, 36))
}

// close ends the connection with a code.
func (c *conn) close(code ws.StatusCode) {
	c.out.close(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))
}

// revoke ends the connection and its session, because the user lost access; see lostAccess.
func (c *conn) revoke(err error, seq uint64) {
	c.ending.CompareAndSwap(broken, revoked)
	c.out.beginClosing()
	c.out.write(errorFrame(err, seq))
	c.close(ws.StatusPolicyViolation)
}

// reject ends the connection with an error.
func (c *conn) reject(err error) { c.rejectWith(err, ws.StatusPolicyViolation) }

func (c *conn) rejectWith(err error, code ws.StatusCode) {
	c.out.beginClosing()
	c.sendError(err)
	c.close(code)
}

// drain ends the connection but not the session, and tells the client when to reconnect.
func (c *conn) drain(after time.Duration) {
	defer recoverAndLog(c.hub.access.Log)
	c.ending.Store(settled)
	c.rejectWith(&ratelimit.Exceeded{Err: wire.ErrDraining, After: after}, statusRestart)
}
