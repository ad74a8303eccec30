package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var webhookOldest = gauge("webhook_oldest_seconds", "How long the oldest events have waited that the receiver has not accepted.")

// Webhook has the metrics of webhooks.
type Webhook struct {
	Sent, Lost, Retries prometheus.Counter
	oldest              func() time.Duration
	counters            prometheus.Collector
}

// NewWebhook returns the metrics. Oldest returns how long the oldest events have waited, 0 if none do.
func NewWebhook(oldest func() time.Duration) *Webhook {
	events := counters("webhook_events_total", "Events that the receiver accepted (sent), or that were given up (lost).", "result")
	retries := counter("webhook_retries_total", "Requests that were made again, because the receiver did not accept them.")
	return &Webhook{Sent: events.WithLabelValues("sent"), Lost: events.WithLabelValues("lost"), Retries: retries, oldest: oldest, counters: collect(events, retries)}
}

// Describe implements [prometheus.Collector].
func (w *Webhook) Describe(out chan<- *prometheus.Desc) {
	w.counters.Describe(out)
	out <- webhookOldest
}

// Collect implements [prometheus.Collector].
func (w *Webhook) Collect(out chan<- prometheus.Metric) {
	w.counters.Collect(out)
	out <- prometheus.MustNewConstMetric(webhookOldest, prometheus.GaugeValue, w.oldest().Seconds())
}
