// Package httpserver serves an HTTP handler with timeouts that slow clients cannot extend, a bounded number
// of connections, and an orderly end.
package httpserver

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/writer-presence/writer-presence/internal/connlimit"
)

const (
	// drainTimeout is how long Serve waits at its end for requests that are in flight.
	drainTimeout = 10 * time.Second
	// maxHeader is the largest header of a request, in bytes; net/http accepts 4 KiB more. A browser may have 50
	// cookies of 4 KiB for a site (RFC 6265, 6.1), but live connections keep their cookies in memory.
	maxHeader = 64 << 10
	// maxRejections bounds how many connections are answered 429 at the same time; above it they are
	// closed without an answer.
	maxRejections = 64
	// rejectTimeout bounds the answer to a connection that is rejected.
	rejectTimeout = time.Second
	// firstRead is how many bytes of a rejected connection are read before the answer.
	firstRead = 16 << 10
	// maxDiscard is how many bytes of a rejected connection are read after the answer.
	maxDiscard = 64 << 10
)

// Options of [Serve].
type Options struct {
	// Connections bounds the open connections; more wait to be accepted. 0 is no limit.
	Connections int
	// Limits counts the connections to their addresses, and is asked to evict one if Connections are open.
	// Nil does neither.
	Limits *connlimit.Limits
	// Address returns the key by which Limits counts a remote address, and false for a trusted proxy, whose
	// connections belong to many clients. It is needed with Limits.
	Address func(remote net.Addr) (key string, ok bool)
	// Reject returns the answer to a connection over the limit of its address. It is needed with Limits.
	Reject func(error) *http.Response
	// AnswerTimeout is the timeout from the start of a request to the start of its answer. Default: ten seconds.
	AnswerTimeout time.Duration
	Log           *slog.Logger
}

// Serve serves h on l until ctx ends. Then it accepts no more connections, finishes the requests that are in
// flight, within ten seconds, and returns nil. An answer that a client still reads after nine is cut off.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o Options) error {
	p := newListener(l, o)
	defer p.rejecting.Wait()
	server := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return connlimit.NewContext(ctx, &c.(*Conn).counted)
		},
		Handler:        h,
		ConnState:      p.changed,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var sweeps sync.WaitGroup
	sweeps.Go(func() { p.run(sweeping) })
	defer sweeps.Wait()
	defer stop()

	served := make(chan error, 1)
	go func() { served <- server.Serve(p) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	p.cutAfter(drainTimeout - time.Second)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	p.Close()
	<-served //nolint:errcheck // that of the listener, which was closed
	// Shutdown would close a connection without an answer whose first request it has not read yet. So every connection
	// gets its answer before.
	server.SetKeepAlivesEnabled(false) // closes idle connections, and the others after their answer
	select {
	case <-p.empty():
	case <-drain.Done():
	}
	err := server.Shutdown(drain)
	if err != nil {
		server.Close()
	}
	return err
}

// reject answers a connection with err in another goroutine, and closes it. If maxRejections are being
// answered already, it closes the connection without an answer.
func (l *listener) reject(conn net.Conn, err error) {
	select {
	case l.rejections <- struct{}{}:
		l.rejecting.Go(func() {
			answer(conn, l.o.Reject(err))
			<-l.rejections
		})
	default:
		conn.Close()
	}
}

// answer sends a response to the first request of a connection, and closes it. It takes rejectTimeout at most.
func answer(conn net.Conn, response *http.Response) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(rejectTimeout))
	if _, err := conn.Read(make([]byte, firstRead)); err != nil {
		return // clients expect no answer before they have sent a request
	}
	if response.Write(conn) != nil {
		return
	}
	if w, ok := conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, maxDiscard) // closing with unread input resets the connection, which can drop the answer
	}
}
