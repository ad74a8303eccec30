// Package admin serves the operator: whether the process lives (/healthz), whether it should get
// requests (/readyz), and its metrics in Prometheus' format (/metrics). It has a listener of its own,
// because none of this is for writers.
package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/localhost"
)

// readyTimeout is how long the store may take to report its health. It is shorter than the usual
// timeout of those who ask, so that they get the reason (2 s in deploy/Caddyfile.nodes).
const readyTimeout = 1500 * time.Millisecond

// Options of the handler.
type Options struct {
	// Health is asked by /readyz.
	Health presence.Health
	// Collectors are what /metrics shows, besides the metrics of the process.
	Collectors []prometheus.Collector
	// Draining is closed when the server begins to shut down.
	Draining <-chan struct{}
	// Local is whether the listener is on loopback. Then requests under another host name are rejected:
	// a page of another site could read the answers through a name that resolves to loopback.
	Local bool
	// Instance identifies this run of the server, in the header InstanceHeader of every answer.
	Instance string
	// Log gets errors; nil is none.
	Log *slog.Logger
}

// InstanceHeader is the header by which a client can tell which run of the server answers.
const InstanceHeader = "Writer-Presence-Instance"

// New returns the handler of /healthz, /readyz and /metrics.
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
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(InstanceHeader, o.Instance)
		if o.Local && !localhost.Is(r.Host) {
			answer(w, http.StatusForbidden, "this is for this machine only; ask for it as 127.0.0.1 or localhost")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready answers 503 while the server drains, and while the store cannot say who is present. A degraded
// store answers 200: presence still works, and taking out a node whose disk fails would take out all of
// them if they share the disk.
func (o Options) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-o.Draining:
		answer(w, http.StatusServiceUnavailable, "draining")
		return
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := o.Health.Ready(ctx)
	switch {
	case err == nil:
		answer(w, http.StatusOK, "ready")
	case errors.Is(err, presence.ErrDegraded):
		answer(w, http.StatusOK, err.Error())
	default:
		answer(w, http.StatusServiceUnavailable, err.Error())
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
