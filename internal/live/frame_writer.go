package live

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/writer-presence/writer-presence/internal/netio"
)

const (
	// closeTimeout is how long the last frames of a connection may take.
	closeTimeout = time.Second
	// maxDrain is how many bytes are read and discarded after the close frame.
	maxDrain = 64 << 10
)

// writer writes whole frames to a connection, one at a time and nothing after a close frame, and reads from it. Its
// methods are safe for concurrent use, but only one goroutine may read.
type writer struct {
	netio.Socket
	closed atomic.Bool // a close frame was sent
	// deadline guards the write deadline and closing. After beginClosing nothing moves the deadline.
	deadline sync.Mutex
	closing  bool
	sent     prometheus.Counter // bytes, of all connections
	// interrupt is called before the connection is closed and after its read deadline was moved, for whoever waits for
	// its next bytes without reading. It may be called twice.
	interrupt func()

	busy chan struct{} // full while a frame is being written
}

// open initialises the writer for a connection.
func (w *writer) open(conn net.Conn, sent prometheus.Counter, interrupt func()) {
	w.Socket, w.sent, w.interrupt, w.busy = netio.NewSocket(conn), sent, interrupt, make(chan struct{}, 1)
}

// write writes a frame. It waits while the client takes some of it every StallTimeout, for WriteTimeout
// at most, and cuts a connection that cannot be written to.
func (w *writer) write(frame []byte) {
	w.busy <- struct{}{}
	if !w.closed.Load() {
		frame = w.writeNow(frame)
	}
	w.finish(frame)
}

// offer writes as much of a frame as it can without waiting. If some is left, the caller must pass it to
// finish, which may wait as write does.
func (w *writer) offer(frame []byte) (rest []byte, finish func([]byte)) {
	select {
	case w.busy <- struct{}{}:
	default:
		return frame, w.write
	}
	if rest = w.writeNow(frame); len(rest) > 0 {
		return rest, w.finish
	}
	<-w.busy
	return nil, nil
}

// writeNow writes what the socket takes without waiting, and returns the rest. busy must be full.
func (w *writer) writeNow(frame []byte) (rest []byte) {
	n := w.WriteNow(frame)
	w.sent.Add(float64(n))
	return frame[n:]
}

// finish writes the rest of a frame, and empties busy.
func (w *writer) finish(rest []byte) {
	defer func() { <-w.busy }()
	if len(rest) == 0 || w.closed.Load() {
		return
	}
	began := time.Now()
	w.setDeadline(netio.StallTimeout)
	n, err := netio.WriteAll(&w.Socket, rest, func(n int, interrupted bool) bool {
		left := netio.WriteTimeout - time.Since(began)
		if n == 0 || left <= 0 || interrupted && w.isClosing() {
			return false
		}
		w.setDeadline(min(netio.StallTimeout, left))
		return true
	})
	w.sent.Add(float64(n))
	if err != nil {
		w.cut()
		return
	}
	w.setDeadline(0)
}

// isBusy reports whether a frame is being written. Usually the client reads slowly then.
func (w *writer) isBusy() bool { return len(w.busy) > 0 }

// setDeadline sets the write deadline to d from now, or to none for 0. It does nothing after beginClosing.
func (w *writer) setDeadline(d time.Duration) {
	w.deadline.Lock()
	defer w.deadline.Unlock()
	switch {
	case w.closing:
	case d == 0:
		w.SetWriteDeadline(time.Time{})
	default:
		w.SetWriteDeadline(time.Now().Add(d))
	}
}

// beginClosing gives the frame that is being written, and those that follow, closeTimeout from now.
func (w *writer) beginClosing() {
	w.deadline.Lock()
	defer w.deadline.Unlock()
	w.closing = true
	w.SetWriteDeadline(time.Now().Add(closeTimeout))
}

func (w *writer) isClosing() bool {
	w.deadline.Lock()
	defer w.deadline.Unlock()
	return w.closing
}

// close writes a close frame, and ends writing and reading. The caller must call linger and cut afterwards.
func (w *writer) close(closeFrame []byte) {
	w.beginClosing() // bounds the wait for the frame that is being written
	w.busy <- struct{}{}
	defer func() { <-w.busy }()
	if w.closed.Swap(true) {
		return
	}
	n, _ := w.Write(closeFrame)
	w.sent.Add(float64(n))
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		w.SetReadDeadline(netio.LongAgo) // ends the reading goroutine, which calls linger
		w.interrupt()
	} else {
		w.cut()
	}
}

// linger reads and discards what the client still sends after close, for closeTimeout at most. Closing a
// socket with unread input would reset the connection, and the client would lose the close frame.
func (w *writer) linger() {
	w.busy <- struct{}{} // close may not have set its deadline yet
	w.SetReadDeadline(time.Now().Add(closeTimeout))
	<-w.busy
	io.CopyN(io.Discard, &w.Socket, maxDrain)
}

// cut closes the connection at once.
func (w *writer) cut() {
	w.interrupt()
	w.Conn.Close()
}
