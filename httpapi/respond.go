package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/requestid"
	"github.com/writer-presence/writer-presence/internal/wire"
)

var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
)

// respond sends an answer whose body is in parts, and returns the status.
func respond(w http.ResponseWriter, status int, body ...[]byte) int {
	size := 0
	for _, part := range body {
		size += len(part)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	if size > 2048 { // net/http sets it for smaller ones
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	w.WriteHeader(status)
	for _, part := range body {
		w.Write(part) // fails only if the client is gone
	}
	return status
}

// statusAborted is counted for a request whose client went away, as nginx does.
const statusAborted = 499

// isAborted reports whether a request failed because its client closed the connection. That cancels the context
// of the request, and everything that waits for it fails.
func isAborted(r *http.Request, err error) bool {
	return r.Context().Err() == context.Canceled && (wire.FailureOf(err).Status == http.StatusServiceUnavailable || errors.Is(err, context.Canceled))
}

// fail answers with an error, and returns the status.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) (status int) {
	return h.failFor(w, r, caller{}, err)
}

// failFor answers with the text and code of an error, but not its causes. It logs an error that is the server's
// own fault. from has what is known of the caller.
func (h *Handler) failFor(w http.ResponseWriter, r *http.Request, from caller, err error) (status int) {
	f := wire.FailureOf(err)
	header := w.Header()
	if after := wire.RetryAfter(err); after > 0 {
		header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(after.Seconds())))))
	}
	switch f.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2; browsers show no dialog for it
	case http.StatusUpgradeRequired:
		header.Set("Upgrade", "websocket") // RFC 9110, 15.5.22
		header.Set("Connection", "Upgrade")
		header.Set("Sec-WebSocket-Version", "13") // RFC 6455, 4.4
	}
	aborted := isAborted(r, err)
	if aborted {
		h.o.Log.Debug("the client went away before its request was answered", "request", requestid.For(w), "method", r.Method, "path", r.URL.Path, "error", err)
	} else {
		h.logFailure(w, r, f, err)
		h.access.CountFailure(err, requestid.Of(header))
		h.logForDebug(w, r, from, err)
	}
	header["Cache-Control"] = noStore
	status = respond(w, f.Status, f.Body())
	if aborted {
		return statusAborted
	}
	return status
}

// logFailure logs the failures that an operator has to act on.
func (h *Handler) logFailure(w http.ResponseWriter, r *http.Request, f wire.Failure, err error) {
	switch {
	case f.Status == http.StatusInternalServerError:
		cause, _, _ := strings.Cut(err.Error(), "\n")
		h.o.Log.Error("a request failed", "request", requestid.For(w), "code", f.Code, "cause", cause, "method", r.Method, "path", r.URL.Path, "status", f.Status, "error", err)
	case f.Status >= 500 && f.Err != wire.ErrDraining:
		h.o.Log.Error("a request failed", "request", requestid.For(w), "code", f.Code, "method", r.Method, "path", r.URL.Path, "status", f.Status, "error", err)
	case f.Err == wire.ErrCrossOrigin:
		h.warned.Do(func() {
			h.o.Log.Warn("a page of another origin was rejected; if it is yours, make the proxy in front leave Host as it is, or name the origin in --allowed-origins, whose list replaces the origin of the server itself; this is logged once", "origin", first(r.Header, "Origin"), "host", r.Host)
		})
	case f.Err == wire.ErrNotLocal || f.Err == wire.ErrDevOrigin:
		h.warned.Do(func() {
			h.o.Log.Warn("rejected a page that is not of this machine: --dev answers only 127.0.0.1 and localhost, not a tunnel, a forwarded port or another name for this machine. To show pages to others, start without --dev and with --visitors on; this is logged once", "origin", first(r.Header, "Origin"), "host", r.Host)
		})
	}
}

// failOrigin rejects a request from a page of an origin that is not allowed. With --dev the usual reason is not
// a proxy: the page came through a tunnel, a forwarded port or another host name.
func (h *Handler) failOrigin(w http.ResponseWriter, r *http.Request) (status int) {
	if h.o.Dev != nil && !(localhost.Is(r.Host) && localhost.IsOrigin(first(r.Header, "Origin"))) {
		return h.fail(w, r, wire.ErrDevOrigin)
	}
	return h.fail(w, r, wire.ErrCrossOrigin)
}

// logForDebug logs a failed request at level debug, and sends the client the id of the log line. An invalid
// project is not logged, because it can be any text.
func (h *Handler) logForDebug(w http.ResponseWriter, r *http.Request, from caller, err error) {
	if !h.access.Debug() {
		return
	}
	project := from.project
	if rest, ok := strings.CutPrefix(r.URL.Path, h.projects); ok && project == "" {
		name, _, _ := strings.Cut(rest, "/")
		project, _ = presence.ParseProject(name)
	}
	h.access.LogFailure("http", requestid.For(w), project, from.user.ID, err)
}
