// Package httpapi is the HTTP handler of presence: the polling API, live connections, the JavaScript client and the
// reference page. docs/reference/api.md and docs/reference/protocol.md describe what it answers.
//
// Mount a [Handler] in a ServeMux:
//
//	handler, err := httpapi.New(httpapi.Options{
//		Service:       presence.NewService(store),
//		Authenticator: identity.Functions{Identify: identify, Authorize: authorize},
//	})
//	// …
//	mux.Handle(httpapi.DefaultPrefix+"/", handler)
//
// Three things run beside each other. At the end, stop them in this order:
//
//  1. [Handler.Run]: cancel its context and wait until it returns. It tells live pages when to reconnect, which Shutdown of an
//     [http.Server] does not.
//  2. The HTTP server: call its Shutdown, which finishes requests in flight. [Handler.Serve] does this by itself.
//  3. The Run method of the store: cancel its context last and check its error. It writes the changes that are not written yet.
//
// Options that are left out have the defaults of the server, limits included.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/accesslog"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/live"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/requestid"
	"github.com/writer-presence/writer-presence/internal/tokenheader"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// DefaultPrefix is the default path of the API.
const DefaultPrefix = "/writer/api"

// Default limits; see [Options].
const (
	DefaultConnections     = connlimit.DefaultConnections
	DefaultUserConnections = connlimit.DefaultUserConnections
	DefaultUserProjects    = 200
	DefaultVisitorProjects = 50
	DefaultAddressProjects = 10_000
)

// DefaultUserRate and DefaultAddressRate are the default limits on the requests of one user and of one
// address.
var (
	DefaultUserRate    = identity.Rate{PerSecond: 20, Burst: 100}
	DefaultAddressRate = identity.Rate{PerSecond: 500, Burst: 2500}
)

// Options of a [Handler]. Service and Authenticator are needed; the zero value of every other field is its default.
type Options struct {
	Service       *presence.Service
	Authenticator identity.Authenticator
	// Prefix is the path of the API, without a slash at its end. Default: DefaultPrefix.
	Prefix string
	// Lease is that of the store. A live connection without a message for longer is closed. Default:
	// presence.DefaultLease.
	Lease time.Duration
	// Heartbeat is the interval between heartbeats that clients are asked for. Default:
	// presence.DefaultHeartbeat.
	Heartbeat time.Duration
	// Origins lists the origins whose pages may send requests and open live connections, such as
	// https://write.example.org or https://*.example.org. Default: the origin of
	// each request's own Host.
	Origins []string
	// TrustedProxies are the addresses of proxies whose headers X-Forwarded-For, -Proto and -Host, or Forwarded,
	// are used. All requests through any other proxy have the address of that proxy, and share its limits.
	TrustedProxies []netip.Prefix
	// TenantFromHost makes the same project id under two hosts two projects. The host is that of the
	// request, or the one that a trusted proxy reports.
	TenantFromHost bool
	// TokenHeader is a header that has the token, with or without Bearer before it, and is read before
	// Authorization: for servers behind basic authentication. The name has at most 64 letters, digits and
	// hyphens, and no other meaning in HTTP. Default: none.
	TokenHeader string

	// Embedding lets pages of other sites show the reference page in an iframe. Pages of the application decide
	// that by headers of their own. Set it together with [identity.Visitors.Embedding]. Default: no.
	Embedding bool

	// UserRate and AddressRate bound the requests and live messages of one user and of one address. Over
	// them, renewals still succeed. Defaults: DefaultUserRate, DefaultAddressRate.
	UserRate, AddressRate identity.Rate
	// UserProjects, VisitorProjects and AddressProjects bound the different projects that one user, one
	// visitor and one address enter in 12 to 24 minutes; visitors of an address count separately.
	// Less than zero is no limit. Defaults: DefaultUserProjects, DefaultVisitorProjects,
	// DefaultAddressProjects.
	UserProjects, VisitorProjects, AddressProjects int
	// Connections bounds the open connections, if [Handler.Serve] serves the handler. Visitors' live connections
	// get four fifths of it. Less than zero is no limit. Default: DefaultConnections.
	Connections int
	// UserConnections bounds the live connections of one user or visitor, in all projects. Default:
	// DefaultUserConnections. AddressConnections bounds the connections of one address, of which visitors'
	// live connections get four fifths; without [Handler.Serve] only live connections are counted. Default: a quarter
	// of Connections, at least 32. Less than zero is no limit.
	UserConnections, AddressConnections int

	// Dev issues tokens for any name to pages of this machine. Default: no such tokens.
	Dev *identity.Dev
	// Log receives warnings and errors, each message at most once a minute. Default: nothing is logged.
	Log *slog.Logger
	// AccessLog receives a line at level info for each request; docs/reference/log.md describes it. Default: none.
	AccessLog *slog.Logger
}

// Handler answers requests and holds the live connections. Create a Handler with [New]; only [Handler.Reload] changes it
// afterwards. The zero Handler answers every request with status 500. It is safe for concurrent use.
type Handler struct {
	o       Options
	access  *access.Control
	hub     *live.Hub
	limits  *connlimit.Limits
	metrics *metrics.HTTP
	current atomic.Pointer[current]

	projects string              // path below which the projects are
	api      map[string]endpoint // by the path below a project
	pages    map[string]endpoint // by the whole path

	otherBundle endpoint // for the paths of the bundles of other versions

	compress *compressor
	requests *accesslog.Log // nil for none
	warned   sync.Once      // about pages of other origins
	ran      atomic.Bool    // Run was called
}

// endpoint answers the requests of one path.
type endpoint struct {
	method    string
	operation string // label of its metrics
	// handle answers a request, for the project with this id if the path has one, and returns the status.
	handle func(w http.ResponseWriter, r *http.Request, project string) (status int)
}

// New returns a handler for everything below the prefix, and for the reference page at /. It returns an
// error for options that are missing or invalid.
func New(o Options) (*Handler, error) {
	o.Prefix = cmp.Or(o.Prefix, DefaultPrefix)
	switch {
	case o.Service == nil || o.Authenticator == nil:
		return nil, errors.New("httpapi: Options.Service and Options.Authenticator are needed")
	case !strings.HasPrefix(o.Prefix, "/") || strings.HasSuffix(o.Prefix, "/"):
		return nil, fmt.Errorf("httpapi: Options.Prefix %q must begin with a slash and not end with one, as in %s", o.Prefix, DefaultPrefix)
	case o.Lease < 0 || o.Heartbeat < 0:
		return nil, fmt.Errorf("httpapi: Options.Lease %v and Options.Heartbeat %v must not be negative", o.Lease, o.Heartbeat)
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, presence.DefaultHeartbeat)
	o.Lease = cmp.Or(o.Lease, presence.DefaultLease)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = loglimit.New(o.Log)
	if o.TokenHeader != "" {
		name, err := tokenheader.Parse(o.TokenHeader)
		if err != nil {
			return nil, fmt.Errorf("httpapi: Options.TokenHeader %q: %w", o.TokenHeader, err)
		}
		o.TokenHeader = name
	}
	h := &Handler{
		o: o, projects: o.Prefix + "/project/", metrics: metrics.NewHTTP(), compress: newCompressor(),
		requests: accesslog.New(o.AccessLog),
		limits:   connlimit.New(connlimit.Options{Exceeded: wire.ErrTooManyConnections, Log: o.Log}),
		access:   &access.Control{Presence: o.Service, Lease: o.Lease, Heartbeat: o.Heartbeat, Log: o.Log},
	}
	h.access.Metrics = h.metrics
	if err := h.use(o); err != nil {
		return nil, err
	}
	h.hub = live.New(h.access, h.limits)
	h.api = map[string]endpoint{
		"presence/update/": {http.MethodPost, "update", h.update},
		"presence/list/":   {http.MethodGet, "list", h.list},
		"presence/leave/":  {http.MethodPost, "leave", h.leave},
		"presence/live/":   {http.MethodGet, "live", h.live},
	}
	var err error
	if h.pages, err = h.files(); err != nil {
		return nil, err
	}
	h.pages[o.Prefix+"/presence/counts/"] = endpoint{http.MethodGet, "counts", h.counts}
	if o.Dev != nil {
		h.pages[o.Prefix+"/dev/token/"] = endpoint{http.MethodPost, "token", h.devToken}
	}
	return h, nil
}

// Run runs the live connections until ctx ends. Then it tells each client when to reconnect, and returns
// when all live connections have ended, within ten seconds. It must be running while requests are served.
// Call it once: any further call only waits until its ctx ends.
func (h *Handler) Run(ctx context.Context) {
	if h.hub == nil || h.ran.Swap(true) {
		<-ctx.Done()
		return
	}
	h.hub.Run(ctx)
}

// Metrics returns the metrics of the handler, to be registered with Prometheus.
func (h *Handler) Metrics() prometheus.Collector {
	if h.metrics == nil {
		return prometheus.NewRegistry()
	}
	return h.metrics
}

// errNotMade is the error of the zero Handler.
var errNotMade = errors.New("this httpapi.Handler was not created by httpapi.New")

// ServeHTTP answers a request, and counts it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.hub == nil {
		http.Error(w, errNotMade.Error(), http.StatusInternalServerError)
		return
	}
	began := metrics.Now()
	requestid.Return(w, r)
	if h.requests != nil {
		h.serveLogged(w, r, began)
		return
	}
	operation, status := h.serve(w, r)
	h.metrics.Request(operation, status, metrics.Now()-began)
}

// serve routes a request. It looks paths up in maps because every path is exact: a mux takes twice as long and
// decodes %2F.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (operation string, status int) {
	operation = "other"
	defer h.recover(w, r, &status)
	path := cmp.Or(r.URL.RawPath, r.URL.Path) // undecoded, so that %2F is not a slash
	if len(h.current.Load().origins) > 0 && strings.HasPrefix(path, h.o.Prefix+"/") {
		h.allowOrigin(w.Header(), r)
	}
	if !h.mayChange(r) {
		return operation, h.failOrigin(w, r)
	}
	var e endpoint
	ok, project := false, ""
	rest, inProject := strings.CutPrefix(path, h.projects)
	if inProject {
		project, rest, _ = strings.Cut(rest, "/")
		e, ok = h.api[rest]
		ok = ok && project != "" && project != "." && project != ".."
	} else {
		e, ok = h.page(path)
	}
	if (inProject || e.operation == "counts") && h.o.Dev != nil && !localhost.Is(r.Host) {
		return operation, h.failOrigin(w, r)
	}
	if !ok {
		return operation, h.fail(w, r, wire.ErrNotFound)
	}
	operation = e.operation // set before handle, which may panic
	if h.isPreflight(r) {
		return operation, h.preflight(w, r, e.method)
	}
	if r.Method != e.method && !(r.Method == http.MethodHead && e.method == http.MethodGet) {
		w.Header().Set("Allow", e.method)
		if e.method == http.MethodGet {
			w.Header().Set("Allow", "GET, HEAD")
		}
		return operation, h.fail(w, r, wire.ErrMethod)
	}
	return operation, e.handle(w, r, project)
}

// recover must be deferred. If the endpoint panicked it answers with an internal error.
func (h *Handler) recover(w http.ResponseWriter, r *http.Request, status *int) {
	if cause := recover(); cause != nil {
		*status = h.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}
