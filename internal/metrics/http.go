package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// HTTP has the metrics of one handler: those of its requests and of its live connections. It is safe for
// concurrent use.
type HTTP struct {
	prometheus.Collector
	operations map[string]*operation
	failures   map[string]prometheus.Counter
	rejections map[identity.Reason]prometheus.Counter

	Live      prometheus.Gauge   // open live connections
	Messages  prometheus.Counter // received on live connections
	Deltas    prometheus.Counter // sent on live connections, one for each connection
	Snapshots prometheus.Counter // sent on live connections, one for each connection
	Bytes     prometheus.Counter // sent on live connections
}

type operation struct {
	requests *prometheus.CounterVec    // by status
	ok       func() prometheus.Counter // that of status 200, which is looked up once: it is needed most
	duration prometheus.Observer
}

// NewHTTP returns metrics that are all zero.
func NewHTTP() *HTTP {
	requests := counters("requests_total", "Requests that were answered, by operation and status.", "operation", "status")
	duration := histogram("request_duration_seconds", "Time from the header of a request to its answer; for live connections, to the end of the handshake.")
	failures := counters("failures_total", "Requests and live messages that were answered with an error, by its code.", "code")
	rejections := counters("token_rejections_total", "Tokens that were rejected, by reason.", "reason")
	h := &HTTP{
		operations: map[string]*operation{}, failures: map[string]prometheus.Counter{}, rejections: map[identity.Reason]prometheus.Counter{},
		Live:      prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "live_connections", Help: "Open live connections."}),
		Messages:  counter("live_received_messages_total", "Messages received on live connections."),
		Deltas:    counter("live_sent_deltas_total", "Deltas sent on live connections, one for each connection."),
		Snapshots: counter("live_sent_snapshots_total", "Snapshots sent on live connections, one for each connection."),
		Bytes:     counter("live_sent_bytes_total", "Bytes sent on live connections."),
	}
	h.Collector = collect(requests, duration, failures, rejections, h.Live, h.Messages, h.Deltas, h.Snapshots, h.Bytes)
	for _, name := range []string{"update", "list", "counts", "leave", "live", "token", "page", "other"} {
		of := requests.MustCurryWith(prometheus.Labels{"operation": name})
		ok := sync.OnceValue(func() prometheus.Counter { return of.WithLabelValues("200") })
		h.operations[name] = &operation{of, ok, duration.WithLabelValues(name)}
	}
	for _, f := range wire.Failures() {
		h.failures[f.Code] = failures.WithLabelValues(f.Code)
	}
	for _, reason := range identity.Reasons() {
		h.rejections[reason] = rejections.WithLabelValues(string(reason))
	}
	return h
}

// Request counts a request for an operation: update, list, counts, leave, live, token, page or other.
func (h *HTTP) Request(operation string, status int, took time.Duration) {
	o := h.operations[operation]
	if status == http.StatusOK {
		o.ok().Inc()
	} else {
		o.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	}
	o.duration.Observe(took.Seconds())
}

// Failure counts an error that was sent to a client, by its code. The code must be one of wire.Failures.
func (h *HTTP) Failure(code string) { h.failures[code].Inc() }

// TokenRejection counts a token that was rejected.
func (h *HTTP) TokenRejection(reason identity.Reason) { h.rejections[reason].Inc() }
