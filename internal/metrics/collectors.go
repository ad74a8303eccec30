// Package metrics has the Prometheus metrics of the server. [HTTP] has those of the handler and of live
// connections, [Store] those of the store. Both are collectors. No label has a value that clients can
// choose, so the number of series is fixed.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "writer_presence"

// buckets are the upper bounds of histograms, in seconds. Each promised limit is among them: a change on
// other screens within 0.3 ms (p50) and 3 ms (p99), a commit within 10 ms, a failing disk reported after 2 s,
// every call within 5 s.
var buckets = []float64{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 2, 5}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{"operation"})
}

func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, nil, nil)
}

// collect combines several collectors into one.
func collect(all ...prometheus.Collector) prometheus.Collector {
	r := prometheus.NewRegistry()
	r.MustRegister(all...)
	return r
}

var start = time.Now()

// Now returns the time since the program started, for durations. It takes half as long as [time.Now], which
// also reads the wall clock.
func Now() time.Duration { return time.Since(start) }
