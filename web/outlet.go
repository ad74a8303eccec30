package web

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/writer-presence/writer-presence/tally"
)

// outlet is the writing side of a live connection. It takes whole frames, one after the
// other, and lets nothing follow a close frame. Whoever reads on the other side can read to
// the end what was said: that would be lost if this side closed with something left to read.
type outlet struct {
	net.Conn
	raw  syscall.RawConn // nil where there is none
	over atomic.Bool     // a close frame was sent
	// deadline guards ending, which hurry sets, and the write deadline.
	deadline sync.Mutex
	ending   bool
	sent     *tally.Count // bytes, of all outlets

	busy chan struct{} // full while somebody writes
}

// open makes the outlet of a connection, which may be one of ours, around one of the kernel.
func (o *outlet) open(conn net.Conn, sent *tally.Count) {
	o.Conn, o.sent, o.busy = conn, sent, make(chan struct{}, 1)
	if p, ok := conn.(*phasedConn); ok {
		conn = p.Conn
	}
	switch kernel := conn.(type) { // a type that embeds one of these may have a Write of its own
	case *net.TCPConn:
		o.raw, _ = kernel.SyscallConn()
	case *net.UnixConn:
		o.raw, _ = kernel.SyscallConn()
	}
}

// write writes a frame, and waits while the client takes some of it every stallTime, for
// writeLimit at most. It cuts a connection that cannot be written to.
func (o *outlet) write(frame []byte) {
	o.busy <- struct{}{}
	if !o.over.Load() {
		frame = o.writeNow(frame)
	}
	o.finish(frame)
}

// offer writes as much of a frame as can be written without waiting. The rest, if there is
// one, is to be given to the function, which may wait as write does.
func (o *outlet) offer(frame []byte) (rest []byte, finish func([]byte)) {
	if o.raw == nil {
		return frame, o.write
	}
	select {
	case o.busy <- struct{}{}:
	default:
		return frame, o.write
	}
	if rest = o.writeNow(frame); len(rest) > 0 {
		return rest, o.finish
	}
	<-o.busy
	return nil, nil
}

// writeNow writes what can be written without waiting, and returns the rest. The caller has
// made the outlet busy.
func (o *outlet) writeNow(frame []byte) (rest []byte) {
	if o.raw == nil {
		return frame
	}
	o.raw.Write(func(fd uintptr) bool {
		if n, err := syscall.Write(int(fd), frame); err == nil {
			o.sent.Add(uint64(n))
			frame = frame[n:]
		}
		return true // whatever it came to: this does not wait
	})
	return frame
}

// finish writes what is left of a frame, for whoever has made the outlet busy.
func (o *outlet) finish(rest []byte) {
	defer func() { <-o.busy }()
	if len(rest) == 0 || o.over.Load() {
		return
	}
	began := time.Now()
	o.setDeadline(stallTime)
	n, err := writeAll(o.Conn, rest, func(n int, interrupted bool) bool {
		left := writeLimit - time.Since(began)
		if n == 0 || left <= 0 || interrupted && o.isEnding() {
			return false
		}
		o.setDeadline(min(stallTime, left))
		return true
	})
	o.sent.Add(uint64(n))
	if err != nil {
		o.cut()
		return
	}
	o.setDeadline(0)
}

// isBusy reports whether a frame is being written, whose client takes it slowly or not at all.
func (o *outlet) isBusy() bool { return len(o.busy) > 0 }

// setDeadline sets the write deadline d from now, or none for 0. It leaves the deadline of
// hurry as it is.
func (o *outlet) setDeadline(d time.Duration) {
	o.deadline.Lock()
	defer o.deadline.Unlock()
	switch {
	case o.ending:
	case d == 0:
		o.SetWriteDeadline(time.Time{})
	default:
		o.SetWriteDeadline(time.Now().Add(d))
	}
}

// hurry gives what is being written, and what follows, closeTime from now.
func (o *outlet) hurry() {
	o.deadline.Lock()
	defer o.deadline.Unlock()
	o.ending = true
	o.SetWriteDeadline(time.Now().Add(closeTime))
}

func (o *outlet) isEnding() bool {
	o.deadline.Lock()
	defer o.deadline.Unlock()
	return o.ending
}

// end writes a close frame, and ends the writing and the reading: linger and cut have to
// follow.
func (o *outlet) end(closeFrame []byte) {
	o.hurry() // also whoever is writing
	o.busy <- struct{}{}
	defer func() { <-o.busy }()
	if o.over.Swap(true) {
		return
	}
	n, _ := o.Conn.Write(closeFrame)
	o.sent.Add(uint64(n))
	if w, ok := o.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		o.SetReadDeadline(longAgo) // the reading goroutine ends now, and calls linger
	} else {
		o.cut()
	}
}

// linger reads and discards what the client still sends after end, for closeTime at most, so
// that the client can read the close frame before the connection is cut.
func (o *outlet) linger() {
	o.busy <- struct{}{} // end may not have set its deadline yet
	o.SetReadDeadline(time.Now().Add(closeTime))
	<-o.busy
	io.CopyN(io.Discard, o.Conn, lastBytes)
}

// cut ends the connection at once.
func (o *outlet) cut() { o.Conn.Close() }
