// Package status keeps the figures of this node of the last hour in memory, for the views of operators: writer-presence top
// and the page at the admin address. For more than an hour and one node there is Prometheus (/metrics).
package status

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// interval is the time between two samples, and kept how many samples are kept: those of an hour.
	interval = 10 * time.Second
	kept     = 360
)

// Options of a recorder.
type Options struct {
	// Version is that of the program.
	Version string
	// Health is the store. Its Ready must be bounded, as that of metrics.Store is.
	Health presence.Health
	// Collectors have the metrics from which samples are taken.
	Collectors []prometheus.Collector
	// Draining is closed when the server begins to shut down.
	Draining <-chan struct{}
}

// Recorder takes samples. It is safe for concurrent use.
type Recorder struct {
	o        Options
	registry *prometheus.Registry
	started  time.Time

	mu      sync.Mutex
	history history
	before  map[string]float64 // the counters at the latest sample; nil before the first
	at      time.Time          // of the latest sample
}

// history has one value for each sample, oldest first. Rates are averages per second since the sample before.
type history struct {
	Seconds     int       `json:"seconds"` // between two samples
	People      []float64 `json:"people"`
	Projects    []float64 `json:"projects"`
	Connections []float64 `json:"connections"`
	Requests    []float64 `json:"requests"`     // rate
	Messages    []float64 `json:"messages"`     // rate; received on live connections
	Deltas      []float64 `json:"deltas"`       // rate; sent on live connections
	Failures    []float64 `json:"failures"`     // rate; requests and messages that were answered with an error
	StoreErrors []float64 `json:"store_errors"` // rate
}

// gauges and rates return the lists of a history, by the name of the metric.
func (h *history) gauges() map[string]*[]float64 {
	return map[string]*[]float64{
		"writer_presence_people": &h.People, "writer_presence_projects": &h.Projects, "writer_presence_live_connections": &h.Connections,
	}
}

func (h *history) rates() map[string]*[]float64 {
	return map[string]*[]float64{
		"writer_presence_requests_total": &h.Requests, "writer_presence_live_received_messages_total": &h.Messages,
		"writer_presence_live_sent_deltas_total": &h.Deltas, "writer_presence_failures_total": &h.Failures,
		"writer_presence_store_errors_total": &h.StoreErrors,
	}
}

// New returns a recorder without samples; see Run.
func New(o Options) *Recorder {
	r := &Recorder{o: o, registry: prometheus.NewRegistry(), started: time.Now(), history: history{Seconds: int(interval / time.Second)}}
	r.registry.MustRegister(o.Collectors...)
	for _, list := range r.history.gauges() {
		*list = []float64{} // [] in JSON
	}
	for _, list := range r.history.rates() {
		*list = []float64{}
	}
	return r
}

// Run takes a sample every ten seconds until ctx ends. The first one follows ten seconds after the start, since rates need
// two readings.
func (r *Recorder) Run(ctx context.Context) {
	r.mu.Lock()
	r.before, r.at = r.read(), time.Now()
	r.mu.Unlock()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.sample()
		}
	}
}

// sample adds a sample to the history.
func (r *Recorder) sample() {
	values, now := r.read(), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(list *[]float64, value float64) {
		if len(*list) == kept {
			*list = slices.Delete(*list, 0, 1)
		}
		*list = append(*list, math.Round(value*100)/100)
	}
	for name, list := range r.history.gauges() {
		add(list, values[name])
	}
	for name, list := range r.history.rates() {
		add(list, (values[name]-r.before[name])/now.Sub(r.at).Seconds())
	}
	r.before, r.at = values, now
}

// read returns the sums of the counters and gauges, over all labels. A metric that cannot be read is 0.
func (r *Recorder) read() map[string]float64 {
	families, _ := r.registry.Gather()
	sums := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			sums[family.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sums
}

// storeState is whether the store works. Message says why not.
type storeState struct {
	Ready   bool   `json:"ready"`
	Message string `json:"message"`
}

// JSON returns the status of this node and its history as JSON. It returns within the time that the store needs for its
// Ready, twice.
func (r *Recorder) JSON(ctx context.Context) []byte {
	draining := false
	select {
	case <-r.o.Draining:
		draining = true
	default:
	}
	store := storeState{true, "ready"}
	if err := r.o.Health.Ready(ctx); err != nil {
		store = storeState{errors.Is(err, presence.ErrDegraded), err.Error()}
	}
	values := r.read()
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, _ := json.Marshal(struct { // these types always encode
		Success     bool       `json:"success"`
		Version     string     `json:"version"`
		StartedAt   time.Time  `json:"started_at"`
		Draining    bool       `json:"draining"`
		Store       storeState `json:"store"`
		People      float64    `json:"people"`
		Projects    float64    `json:"projects"`
		Connections float64    `json:"connections"`
		History     history    `json:"history"`
	}{
		true, r.o.Version, r.started.UTC().Truncate(time.Second), draining, store,
		values["writer_presence_people"], values["writer_presence_projects"], values["writer_presence_live_connections"], r.history,
	})
	return answer
}
