// Package admin serves health and metrics to operators: whether the process is alive (/healthz), whether it should get
// requests (/readyz), and its metrics in the format of Prometheus (/metrics). It also has the host API, and a page that
// shows who is online, and profiles of the process, to whoever has a key of that API. It needs its own listener, because
// none of this is for users.
package admin

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/localhost"
)

// Options of the handler.
type Options struct {
	// Health is the store whose health /readyz reports. It must bound the time of its Ready, as metrics.Store does.
	Health presence.Health
	// Collectors have the metrics of /metrics, in addition to those of the process.
	Collectors []prometheus.Collector
	// Draining is closed when the server begins to shut down.
	Draining <-chan struct{}
	// Local reports whether the listener is on loopback. Then requests with another host name are rejected, against DNS
	// rebinding: a page of another site could read the answers through a name that resolves to loopback.
	Local bool
	// Instance identifies this run of the server, in the header InstanceHeader of every answer.
	Instance string
	// API answers the requests below APIPrefix; nil for none.
	API http.Handler
	// RequireKey returns a handler that rejects requests without a key of the host API. Nil: there are no profiles.
	RequireKey func(http.Handler) http.Handler
	// Log gets errors. Default: nothing is logged.
	Log *slog.Logger
}

// InstanceHeader is the header with Options.Instance.
const InstanceHeader = "Writer-Presence-Instance"

// APIPrefix is the path of the host API.
const APIPrefix = "/api/v1/"

// New returns the handler of /healthz, /readyz, /metrics, the page, the host API and the profiles.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	registry.MustRegister(o.Collectors...)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", o.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelError),
		MaxRequestsInFlight: 4,
	}))
	if o.RequireKey != nil {
		mux.Handle("GET "+ProfilesPrefix+"{name}", o.RequireKey(http.HandlerFunc(profile)))
	}
	handlePage(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(InstanceHeader, o.Instance)
		if o.Local && !localhost.Is(r.Host) {
			answer(w, http.StatusForbidden, "health and metrics are for this machine only; request them as 127.0.0.1 or localhost")
			return
		}
		if o.API != nil && strings.HasPrefix(r.URL.Path, APIPrefix) { // not in the mux, which decodes and redirects paths
			o.API.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready answers 503 while the server drains, and while the store cannot list users. With a degraded store it answers 200:
// presence still works, and nodes that share a failing disk would all be taken out of service.
func (o Options) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-o.Draining:
		answer(w, http.StatusServiceUnavailable, "draining")
		return
	default:
	}
	err := o.Health.Ready(r.Context())
	switch {
	case err == nil:
		answer(w, http.StatusOK, "ready")
	case errors.Is(err, presence.ErrDegraded):
		answer(w, http.StatusOK, err.Error())
	default:
		answer(w, http.StatusServiceUnavailable, err.Error())
	}
}

// answer sends a line of text.
func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
