package web

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// outlet is the writing side of a live connection. It takes whole frames, one after the
// other, and lets nothing follow a close frame. Whoever reads on the other side can read to
// the end what was said: that would be lost if this side closed with something left to read.
type outlet struct {
	net.Conn
	raw  syscall.RawConn // nil where there is none
	over atomic.Bool     // a close frame was sent

	mu   sync.Mutex
	busy bool      // somebody writes
	free sync.Cond // with mu: nobody does
}

// open makes the outlet of a connection, which may be one of ours, around one of the kernel.
func (o *outlet) open(conn net.Conn) {
	o.Conn, o.free.L = conn, &o.mu
	if p, ok := conn.(*phasedConn); ok {
		conn = p.Conn
	}
	if kernel, ok := conn.(syscall.Conn); ok {
		o.raw, _ = kernel.SyscallConn()
	}
}

// write writes a frame, and waits for as long as that takes. A connection that cannot be
// written to is at its end.
func (o *outlet) write(frame []byte) {
	o.take()
	o.finish(frame)
}

// offer writes as much of a frame as can be written without waiting. The rest, if there is
// one, is to be given to the function, which may wait.
func (o *outlet) offer(frame []byte) (rest []byte, finish func([]byte)) {
	o.mu.Lock()
	if o.busy || o.raw == nil {
		o.mu.Unlock()
		return frame, o.write
	}
	o.busy = true
	o.mu.Unlock()
	if o.over.Load() {
		o.release()
		return nil, nil
	}
	o.raw.Write(func(fd uintptr) bool {
		if n, err := syscall.Write(int(fd), frame); err == nil {
			frame = frame[n:]
		}
		return true // whatever it came to: this does not wait
	})
	if len(frame) > 0 {
		return frame, o.finish
	}
	o.release()
	return nil, nil
}

// finish writes what is left of a frame, for whoever has made the outlet busy.
func (o *outlet) finish(rest []byte) {
	defer o.release()
	if o.over.Load() {
		return
	}
	if _, err := o.Conn.Write(rest); err != nil {
		o.cut()
	}
}

// end writes a close frame, and then ends the writing, and the reading soon: cut ends it
// all.
func (o *outlet) end(closeFrame []byte) {
	o.SetWriteDeadline(time.Now().Add(closeTime)) // for who is at it, too
	o.take()
	defer o.release()
	if o.over.Swap(true) {
		return
	}
	o.Conn.Write(closeFrame)
	if w, ok := o.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		o.SetReadDeadline(time.Now().Add(closeTime))
	} else {
		o.cut()
	}
}

func (o *outlet) take() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.busy {
		o.free.Wait()
	}
	o.busy = true
}

func (o *outlet) release() {
	o.mu.Lock()
	o.busy = false
	o.mu.Unlock()
	o.free.Signal()
}

// cut ends the connection at once.
func (o *outlet) cut() { o.Conn.Close() }
