package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// Serve serves the handler on l until ctx ends, with timeouts that slow clients cannot extend. It is an
// alternative to [http.Server] for programs that listen for presence alone, and enforces limits that only a
// listener can: at most Options.Connections open connections (more wait to be accepted) and at most
// Options.AddressConnections of one address. To make room for new connections it closes the oldest ones
// that have sent neither a request nor a hello.
//
// When ctx ends, Serve accepts no more connections, finishes the requests in flight within ten seconds and
// returns nil. It cuts off an answer that a client still reads after nine seconds. [Handler.Run] must run
// beside it. Call Serve once for a handler: two listeners would evict each other's connections.
func (h *Handler) Serve(ctx context.Context, l net.Listener) error {
	if h.hub == nil {
		return errNotMade
	}
	return httpserver.Serve(ctx, l, h, httpserver.Options{
		Connections: cmp.Or(h.o.Connections, DefaultConnections), Log: h.o.Log,
		Limits: h.limits, Address: h.remoteKey, Reject: h.rejection,
	})
}

// remoteKey returns the key by which limits count a remote address, and false for a trusted proxy; see isProxy.
func (h *Handler) remoteKey(remote net.Addr) (key string, ok bool) {
	c := newConnection(remote.String(), remote.Network() == "unix")
	return c.key, !h.isProxy(c)
}

// rejection returns the answer to a connection over the limit of its address.
func (h *Handler) rejection(err error) *http.Response {
	h.access.CountFailure(err, "")
	f := wire.FailureOf(err)
	body := f.Body()
	return &http.Response{
		StatusCode: f.Status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{
			"Content-Type": jsonType, "X-Content-Type-Options": noSniff, "Cache-Control": noStore,
			"Retry-After": {strconv.Itoa(int(wire.RetryAfter(err) / time.Second))},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
