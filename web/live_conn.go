package web

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/limit"
)

// statusRestart says that the server goes away for a moment (the registry of close codes
// that RFC 6455, 11.7, began).
const statusRestart ws.StatusCode = 1012

// lastBytes is how much is read, and thrown away, after the last word to a client.
const lastBytes = 64 << 10

// What the end of a connection means for its session.
const (
	broken   int32 = iota // the connection was lost; the session may come back by another one
	settled               // nothing: the session has left, or nothing was stored, or the server restarts
	expelled              // the user has lost access; the session ends at once
)

// liveConn is one live connection: of one session, once it has said hello.
//
// One goroutine waits until something comes, with next to no stack: connections are mostly
// quiet, and their stacks would be half of the memory that they take. It hands over to one
// that reads, and answers what it reads, until nothing more is there, and hands back. What
// is new is told by whoever has it; a connection that reads slowly is told the newest state
// when it is ready for it.
type liveConn struct {
	live    *live
	id      uint64 // see presence.Update.Connection
	conn    outlet
	held    *heldConn
	project presence.Project
	group   int
	hello   *time.Timer // nil once it was said
	request string      // the X-Request-ID of the handshake, if refusals are logged
	began   [192]byte   // of what comes; most messages fit

	// What only the reading goroutine uses, and the end after it.
	mistakes int
	feed     *feed // the room, from the moment a place in it is reserved
	joined   bool  // the hello was taken in

	heard atomic.Int64 // when the last message came, by live.uptime
	// vouched is when it was last known that the user may, likewise.
	vouched atomic.Int64
	alive   atomic.Bool  // something came since the last turn
	pings   atomic.Int32 // since the last turn
	pongs   atomic.Int32 // likewise
	fate    atomic.Int32 // what the end of the connection means for the session

	mu   sync.Mutex
	says credentials
	// user and session are whose it is, since the hello; only the reading goroutine writes.
	user    presence.User
	session string
	at      uint64 // the version that was told last
	known   uint64 // the version that the client says it has, until it was told another
	restate uint64 // the loss of data for which the client was asked to restate; see presence.Snapshot
	step    *step  // the newest that is to be told; nil: nothing is being told
}

// await waits until something comes.
func (c *liveConn) await() {
	n, err := c.conn.Read(c.began[:])
	if err != nil {
		go c.end()
		return
	}
	select {
	case c.live.heard <- heard{c, c.began[:n]}:
	default:
		go c.hear(c.began[:n])
	}
}

// hear takes in what comes, of which some has been read, until nothing more is there.
func (c *liveConn) hear(began []byte) {
	in := newInlet(c.conn.Conn, began)
	defer in.release()
	defer func() {
		if cause := recover(); cause != nil {
			c.live.Log.Error("a live connection broke", "cause", cause, "stack", string(debug.Stack()))
			c.close(ws.StatusInternalServerError)
			c.end()
		}
	}()
	for {
		op, payload, err := in.next()
		switch code := codeOf(err); {
		case code != 0:
			c.close(code)
		case err != nil: // nobody is there
		case c.conn.over.Load(): // nobody is to be
		case op.IsControl():
			c.control(op, payload)
		default:
			c.receive(op, payload)
		}
		if err != nil || c.conn.over.Load() {
			c.end()
			return
		}
		if in.isEmpty() {
			go c.await()
			return
		}
	}
}

// control takes in a control frame.
func (c *liveConn) control(op ws.OpCode, payload []byte) {
	switch {
	case op == ws.OpPing && c.pings.Add(1) > mostPings, op == ws.OpPong && c.pongs.Add(1) > mostPings:
		c.refuse(errTooMany)
	case op == ws.OpPing:
		c.conn.write(compile(ws.NewPongFrame(payload)))
	case op == ws.OpPong:
		c.alive.Store(true)
	case op == ws.OpClose:
		c.close(answerTo(payload))
	}
}

// answerTo is the code that answers a close frame: the one that it has (RFC 6455, 5.5.1).
func answerTo(payload []byte) ws.StatusCode {
	if len(payload) == 0 {
		return ws.StatusNormalClosure
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if len(payload) == 1 || !mayBeSent(code) || !utf8.ValidString(reason) {
		return ws.StatusProtocolError
	}
	return code
}

// mayBeSent reports whether a close frame may have a code (RFC 6455, 7.4, and the registry that
// it began, which has 1012 to 1014 by now): 1004 means nothing yet, 1005, 1006 and 1015 are
// never sent, and 3000 to 4999 belong to libraries and applications.
func mayBeSent(code ws.StatusCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// end says what the end of the connection means for its session, and forgets it.
func (c *liveConn) end() {
	defer notEverything(c.live.Log)
	defer c.live.forget(c)
	defer c.live.connLimits.remove(c.held)
	defer c.conn.cut()
	if c.hello != nil {
		c.hello.Stop()
	}
	if user := c.whose(); user.ID != "" {
		if c.feed != nil {
			c.feed.leave(c, user.ID)
		}
		c.leaveBehind(user)
	}
	if c.conn.over.Load() {
		c.conn.linger()
	}
}

func (c *liveConn) leaveBehind(user presence.User) {
	var err error
	switch c.fate.Load() {
	case broken:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id, Broken: true})
	case expelled:
		_, err = c.leave(user, presence.Leave{Session: c.session, Connection: c.id})
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

// leave ends the session, or says that it may have ended.
func (c *liveConn) leave(user presence.User, l presence.Leave) (presence.Reply, error) {
	return c.live.Tracker.Leave(context.Background(), c.project, user, l)
}

// knows takes in which version the client has.
func (c *liveConn) knows(version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.known = version, version
}

// tell has the client told of the newest state, as soon as it takes it. It does not wait.
func (c *liveConn) tell(s *step) {
	c.mu.Lock()
	begins := c.step == nil
	c.step = s
	c.mu.Unlock()
	if begins {
		c.catchUp()
	}
}

// catchUp tells until the client has what is newest. Where that would mean to wait, another
// goroutine does.
func (c *liveConn) catchUp() {
	for frame := c.news(); frame != nil; frame = c.news() {
		if rest, finish := c.conn.offer(frame); rest != nil {
			go func() {
				defer notEverything(c.live.Log)
				finish(rest)
				c.alive.Store(true) // or cut; a ping would wait behind the frame, in the kernel too
				c.catchUp()
			}()
			return
		}
	}
}

// news gives what is to be told next, nil for nothing.
func (c *liveConn) news() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, at := c.step, c.at
	if s.snapshot != nil && s.version < c.known && s.asked < c.known { // this process is behind
		c.step = nil
		return nil
	}
	var ask []byte
	if s.snapshot != nil && s.snapshot.Partial && c.restate != s.snapshot.Loss {
		c.restate, ask = s.snapshot.Loss, restateFrame
	}
	if at == s.version {
		if ask == nil {
			c.step = nil
		}
		return ask
	}
	c.at = s.version
	if s.snapshot != nil {
		c.known = 0
	}
	frame, count := s.frame(at, c.live.Counts)
	count.Add(1)
	if ask != nil {
		frame = append(frame[:len(frame):len(frame)], ask...)
	}
	return frame
}

// tellError says what an error says to do.
func (c *liveConn) tellError(err error) {
	c.failed(err)
	c.conn.write(errorFrame(err, 0))
}

// close ends the connection, with a code.
func (c *liveConn) close(code ws.StatusCode) {
	c.conn.end(compile(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))
}

// expel ends the connection, and the session with it, because the user has lost access. All
// that takes access away from a live connection calls it; see lostAccess.
func (c *liveConn) expel(err error, seq uint64) {
	c.fate.CompareAndSwap(broken, expelled)
	c.conn.hurry()
	c.conn.write(errorFrame(err, seq))
	c.close(ws.StatusPolicyViolation)
}

// refuse ends the connection for a reason that it tells.
func (c *liveConn) refuse(err error) { c.dismiss(err, ws.StatusPolicyViolation) }

func (c *liveConn) dismiss(err error, code ws.StatusCode) {
	c.conn.hurry()
	c.tellError(err)
	c.close(code)
}

// drain ends the connection for now: its session goes on.
func (c *liveConn) drain(after time.Duration) {
	defer notEverything(c.live.Log)
	c.fate.Store(settled)
	c.dismiss(&limit.TooMany{Err: errDraining, After: after}, statusRestart) // too many to come back at once
}

// turn is what happens every turnEvery: whoever is dead, or may no longer, is let go, and
// the others are pinged.
func (c *liveConn) turn() {
	defer notEverything(c.live.Log)
	c.mu.Lock()
	says, user := c.says, c.user
	c.mu.Unlock()
	silent := c.live.uptime()-time.Duration(c.heard.Load()) > c.live.Lease
	if user.ID == "" {
		return // its hello is due sooner
	}
	c.pings.Store(0)
	c.pongs.Store(0)
	busy := c.conn.isBusy() // with a frame, whose progress has limits of its own
	if alive := c.alive.Swap(busy); !alive && !busy || silent {
		c.conn.cut()
		return
	}
	now, err := c.whoSays(says)
	if err == nil && now.User.ID != user.ID {
		err = identity.ErrNobody
	}
	c.mu.Lock()
	renewed := c.says != says
	c.mu.Unlock()
	switch {
	case renewed: // by a hello meanwhile, which was checked
	case lostAccess(err):
		c.failed(err)
		c.expel(err, 0)
		return
	case err == nil:
		c.vouched.Store(int64(c.live.uptime()))
	case c.live.uptime()-time.Duration(c.vouched.Load()) > c.live.Lease:
		c.refuse(err) // whether they still may has been unknown for too long
		return
	}
	if !now.Until.IsZero() && time.Until(now.Until) < renewTime {
		c.tellError(errTokenEnds)
	}
	if !busy {
		c.conn.write(ws.CompiledPing)
	}
}
