package web

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"writer-presence/tally"
)

// outlet is the writing side of a live connection. It takes whole frames, one after the
// other, and lets nothing follow a close frame. Whoever reads on the other side can read to
// the end what was said: that would be lost if this side closed with something left to read.
type outlet struct {
	net.Conn
	raw  syscall.RawConn // nil where there is none
	over atomic.Bool     // a close frame was sent
	sent *tally.Count    // bytes, of all outlets

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

// write writes a frame, and waits for as long as that takes. A connection that cannot be
// written to is at its end.
func (o *outlet) write(frame []byte) {
	o.busy <- struct{}{}
	o.finish(frame)
}

// offer writes as much of a frame as can be written without waiting. The rest, if there is
// one, is to be given to the function, which may wait.
func (o *outlet) offer(frame []byte) (rest []byte, finish func([]byte)) {
	if o.raw == nil {
		return frame, o.write
	}
	select {
	case o.busy <- struct{}{}:
	default:
		return frame, o.write
	}
	o.raw.Write(func(fd uintptr) bool {
		if n, err := syscall.Write(int(fd), frame); err == nil {
			o.sent.Add(uint64(n))
			frame = frame[n:]
		}
		return true // whatever it came to: this does not wait
	})
	if len(frame) > 0 {
		return frame, o.finish
	}
	<-o.busy
	return nil, nil
}

// finish writes what is left of a frame, for whoever has made the outlet busy.
func (o *outlet) finish(rest []byte) {
	defer func() { <-o.busy }()
	if o.over.Load() {
		return
	}
	n, err := o.Conn.Write(rest)
	o.sent.Add(uint64(n))
	if err != nil {
		o.cut()
	}
}

// end writes a close frame, and ends the writing and the reading: linger and cut have to
// follow.
func (o *outlet) end(closeFrame []byte) {
	o.SetWriteDeadline(time.Now().Add(closeTime)) // for who is at it, too
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
