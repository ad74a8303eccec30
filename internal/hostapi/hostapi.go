// Package hostapi serves the API for the backend of the host application, below /api/v1/ on the admin listener: who is in
// which project, saves and moves of sections, and users to list or to remove. Each request needs a key.
// docs/how-to/host-api.md describes it.
package hostapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/accesslog"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
	"github.com/writer-presence/writer-presence/internal/requestid"
	"github.com/writer-presence/writer-presence/internal/strictjson"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// Prefix is the path below which the API is; see admin.APIPrefix.
const Prefix = "/api/v1/"

const (
	// keyFailures is how many requests without a valid key an address may send in a second, and keyFailureBurst how many
	// at once. Those beyond it are not even told that the key is wrong.
	keyFailures     = 1
	keyFailureBurst = 10
)

// Options of a handler. Service is needed.
type Options struct {
	Service *presence.Service
	// Tenants says that projects belong to tenants; see identity.Request.Key.
	Tenants bool
	// Events has the log of events; nil for none. Ending is closed when requests for events have to end.
	Events presence.EventStore
	Ending <-chan struct{}
	// Lease is that of the store.
	Lease time.Duration
	// Status returns the answer about this node; nil for none.
	Status func(context.Context) []byte
	// Log gets warnings and errors, each message at most once a minute. Default: nothing is logged.
	Log *slog.Logger
	// AccessLog gets a line at level info for each request. Default: none.
	AccessLog *slog.Logger
}

// Handler serves the API. It is safe for concurrent use.
type Handler struct {
	o        Options
	keys     atomic.Pointer[Keys]
	failures *ratelimit.Limiter
	mux      *http.ServeMux
	// listeners holds one element for each request for events.
	listeners chan struct{}
	requests  *accesslog.Log // nil for none
}

// endpoints are the functions for the methods of one path.
type endpoints map[string]func(w http.ResponseWriter, r *http.Request) ([]byte, error)

// New returns a handler without keys, which rejects every request as long as it has none; see SetKeys.
func New(o Options) *Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = loglimit.New(o.Log)
	h := &Handler{o: o, failures: ratelimit.New(keyFailures, keyFailureBurst), mux: http.NewServeMux(), requests: accesslog.New(o.AccessLog), listeners: make(chan struct{}, maxListeners)}
	for path, methods := range map[string]endpoints{
		"projects":                         {http.MethodGet: h.projects},
		"projects/{project}":               {http.MethodGet: h.project, http.MethodDelete: h.removeAll},
		"projects/{project}/saves":         {http.MethodPost: h.save},
		"projects/{project}/sections/move": {http.MethodPost: h.move},
		"projects/{project}/users/{user}":  {http.MethodPut: h.listUser, http.MethodDelete: h.removeUser},
		"users/{user}":                     {http.MethodGet: h.user, http.MethodDelete: h.removeEverywhere},
	} {
		h.mux.Handle(Prefix+path, h.endpoint(methods))
	}
	if o.Status != nil {
		h.mux.Handle(Prefix+"status", h.endpoint(endpoints{http.MethodGet: h.status}))
	}
	if o.Events != nil {
		h.mux.HandleFunc(Prefix+"events", h.events)
	}
	h.mux.Handle("/", h.endpoint(nil))
	return h
}

// SetKeys replaces the keys. Requests that arrive later need one of the new ones. With nil the API is off.
func (h *Handler) SetKeys(keys *Keys) { h.keys.Store(keys) }

// ServeHTTP answers a request for the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestid.Return(w, r)
	if h.requests == nil {
		h.serve(w, r)
		return
	}
	began := metrics.Now()
	rec := accesslog.Record(w)
	id := requestid.For(rec)
	h.serve(rec, r)
	path := r.Pattern // without the ids of users, which the log does not have
	if path == "" || path == "/" {
		path = Prefix + "*"
	}
	h.requests.Request(rec, id, r.Method, path, metrics.Now()-began)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	h.RequireKey(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := r.URL.EscapedPath(); path.Clean(at) != at { // the mux would redirect it
			h.fail(w, r, wire.ErrAPINotFound)
			return
		}
		h.mux.ServeHTTP(w, r)
	})).ServeHTTP(w, r)
}

// accepts reports whether a request has a key that is valid now.
func (h *Handler) accepts(r *http.Request) bool {
	keys := h.keys.Load()
	return keys != nil && keys.accept(r)
}

// RequireKey passes on requests that have a valid key, and rejects all others. Without keys it answers that the API is
// off.
func (h *Handler) RequireKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case h.accepts(r):
			next.ServeHTTP(w, r)
		case h.keys.Load() == nil:
			h.fail(w, r, wire.ErrAPIOff)
		default:
			address, _, _ := net.SplitHostPort(r.RemoteAddr)
			err := h.failures.Take(address, wire.ErrTooManyRequests)
			if err == nil {
				err = wire.ErrAPIKey
			}
			h.o.Log.Warn("rejected a request to the host API without a valid key", "address", address, "request", requestid.For(w))
			h.fail(w, r, err)
		}
	})
}

// endpoint returns the handler of one path.
func (h *Handler) endpoint(methods endpoints) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if cause := recover(); cause != nil {
				h.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
			}
		}()
		if methods == nil {
			h.fail(w, r, wire.ErrAPINotFound)
			return
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		handle, ok := methods[method]
		if !ok {
			w.Header().Set("Allow", methods.allowed())
			h.fail(w, r, wire.ErrMethod)
			return
		}
		body, err := handle(w, r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		answer(w, http.StatusOK, body)
	})
}

// allowed returns the value of the header Allow.
func (e endpoints) allowed() string {
	var all []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if e[method] == nil {
			continue
		}
		if all = append(all, method); method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	return strings.Join(all, ", ")
}

// answer sends a JSON body. No answer may be cached: all are about this moment.
func answer(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body) // fails only if the client is gone
}

// fail answers with an error, and logs one that is the server's own fault.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := wire.FailureOf(err)
	if f.Status >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		h.o.Log.Error("a request to the host API failed", "request", requestid.For(w), "code", f.Code, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if after := wire.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(after.Seconds())))))
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2
	}
	answer(w, f.Status, f.Body())
}

// decode decodes the JSON body of a request.
func decode(r *http.Request, value strictjson.Fields) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return wire.ErrMediaType
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, wire.MaxBody+1))
	switch {
	case len(body) > wire.MaxBody:
		return wire.ErrBodyTooLarge
	case err != nil:
		return wire.ErrBodySlow
	}
	return wire.Decode(body, value)
}
