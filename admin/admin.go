// Package admin tells those who run the server how it is: whether the process lives, whether
// it should be asked, and its figures for Prometheus. It has a listener of its own, since
// none of that is for the people who write.
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
	"github.com/writer-presence/writer-presence/web"
)

// readyTime is how long the store may take to say whether it is ready: less than whoever
// asks usually waits, so that they hear what is wrong (2 s in deploy/Caddyfile.nodes, 10 for
// Prometheus).
const readyTime = 1500 * time.Millisecond

// Options are what there is to tell of; all of them are needed, but for Instance and Log.
type Options struct {
	Store *Store
	Web   *web.Counts
	// Draining is closed when the server begins to end.
	Draining <-chan struct{}
	// Local says that the listener is on loopback; then names that strangers made to point
	// there are refused, and with them the pages that would read this in somebody's browser.
	Local bool
	// Instance names this run of the server in the header InstanceHeader of every answer.
	Instance string
	Log      *slog.Logger
}

// InstanceHeader is the header by which whoever asks at an address can tell whether the server that it means answers.
const InstanceHeader = "Writer-Presence-Instance"

// New makes the handler of /healthz, /readyz and /metrics.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector(),
		figures{o})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { tell(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", o.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelError),
		MaxRequestsInFlight: 4,
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(InstanceHeader, o.Instance)
		if o.Local && !web.IsLocal(r.Host) {
			tell(w, http.StatusForbidden, "this is for this machine only; ask for it as 127.0.0.1 or localhost")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready answers whether this process should be asked. While it drains it should not, and
// where its store cannot tell who is there. A degraded store is no reason: presence goes on,
// and to take its node out would make of something that nobody notices, if it is the only
// one, or if what is wrong is wrong with all, that nobody sees anybody.
func (o Options) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-o.Draining:
		tell(w, http.StatusServiceUnavailable, "draining")
		return
	default:
	}
	err := o.state(r.Context())
	switch {
	case err == nil:
		tell(w, http.StatusOK, "ready")
	case errors.Is(err, presence.ErrDegraded):
		tell(w, http.StatusOK, err.Error())
	default:
		tell(w, http.StatusServiceUnavailable, err.Error())
	}
}

// state asks the store whether all is well.
func (o Options) state(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	return o.Store.health.Ready(ctx)
}

func tell(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
