package admin

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/writer-presence/writer-presence/tally"
)

// The figures; docs/reference/metrics.md says what each tells. No label has anything that people
// send, so that there are as many series as there ever will be.
var (
	requests        = describe("requests_total", "Requests that were answered, by operation and status.", "operation", "status")
	requestDuration = describe("request_duration_seconds", "From the request's header to its answer; for live connections, the handshake.", "operation")
	failures        = describe("failures_total", "Requests and live messages that were refused or failed, by the code that they were told.", "code")
	tokenRejections = describe("token_rejections_total", "Tokens that were rejected, by reason.", "reason")

	liveConnections = describe("live_connections", "Live connections that are open.")
	liveMessages    = describe("live_received_messages_total", "Messages that came on live connections.")
	liveDeltas      = describe("live_sent_deltas_total", "Deltas that were sent, one for each connection that was told.")
	liveSnapshots   = describe("live_sent_snapshots_total", "Snapshots that were sent, one for each connection that was told.")
	liveBytes       = describe("live_sent_bytes_total", "Bytes that were sent on live connections.")

	projects = describe("projects", "Projects held here in which somebody is.")
	people   = describe("people", "People who are listed in them.")

	storeReady    = describe("store_ready", "Whether all is well with the store; 0 if it is degraded, too. What is wrong is at /readyz.")
	storeDuration = describe("store_duration_seconds", "How long the store took, by operation.", "operation")
	storeErrors   = describe("store_errors_total", "Errors of the store, by operation and kind.", "operation", "kind")
	journalLag    = describe("journal_lag_seconds", "How long the oldest change has waited to be written.")
	pubSubAge     = describe("pubsub_age_seconds", "How long ago a word of this node to itself last came through pub/sub.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("writer_presence_"+name, help, labels, nil)
}

// figures reads what was counted when it is asked.
type figures struct{ Options }

// Describe says nothing beforehand: which figures there are depends on the store.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (f figures) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	count := func(d *prometheus.Desc, c *tally.Count, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(c.Load()), labels...)
	}
	durations := func(desc *prometheus.Desc, d *tally.Durations, operation string) {
		n, seconds, within := d.Read()
		out <- prometheus.MustNewConstHistogram(desc, n, seconds, within, operation)
	}

	for operation, r := range f.Web.Requests {
		for status := range r.ByStatus {
			if c := &r.ByStatus[status]; c.Load() > 0 {
				count(requests, c, operation, strconv.Itoa(status))
			}
		}
		durations(requestDuration, &r.Took, operation)
	}
	for code, c := range f.Web.Failures {
		count(failures, c, code)
	}
	for reason, c := range f.Web.TokenRejections {
		count(tokenRejections, c, string(reason))
	}
	gauge(liveConnections, float64(f.Web.Live.Load()))
	count(liveMessages, &f.Web.Messages)
	count(liveDeltas, &f.Web.Deltas)
	count(liveSnapshots, &f.Web.Snapshots)
	count(liveBytes, &f.Web.Bytes)

	for operation, o := range map[string]*operation{"update": &f.Store.update, "leave": &f.Store.leave, "snapshot": &f.Store.snapshot} {
		durations(storeDuration, &o.took, operation)
		for kind := range o.errors {
			count(storeErrors, &o.errors[kind], operation, kindNames[kind])
		}
	}
	ready := 0.0
	if f.state(context.Background()) == nil {
		ready = 1
	}
	gauge(storeReady, ready)
	has := f.Store.health.Figures()
	gauge(projects, float64(has.Projects))
	gauge(people, float64(has.People))
	if has.JournalLag != nil {
		gauge(journalLag, has.JournalLag.Seconds())
	}
	if has.PubSubAge != nil {
		gauge(pubSubAge, has.PubSubAge.Seconds())
	}
}
