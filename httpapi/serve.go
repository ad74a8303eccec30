package httpapi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// Serve serves h on l until ctx ends, with timeouts that slow clients cannot extend. Then it accepts no more
// connections, finishes the requests that are in flight, within ten seconds, and returns nil; an answer that a
// client still reads after nine is cut off. connections bounds the open connections, 0 for no limit; more wait
// to be accepted. If h is a [Handler], Serve also bounds the connections of each address, and closes the oldest
// connections without a request or a hello to make room for new ones.
func Serve(ctx context.Context, l net.Listener, h http.Handler, connections int, log *slog.Logger) error {
	o := httpserver.Options{Connections: connections, Log: log}
	if h, ok := h.(*Handler); ok {
		o.Limits, o.Address, o.Reject = h.limits, h.remoteKey, h.rejection
	}
	return httpserver.Serve(ctx, l, h, o)
}

// remoteKey returns the key by which limits count a remote address, and false for a trusted proxy.
func (h *Handler) remoteKey(remote string) (key string, ok bool) {
	if port, err := netip.ParseAddrPort(remote); err == nil && h.trusts(port.Addr().Unmap().WithZone("")) {
		return "", false
	}
	return addressKey(remote), true
}

// rejection returns the answer to a connection over the limit of its address.
func (h *Handler) rejection(err error) *http.Response {
	h.access.CountFailure(err)
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
