package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
)

// readyTimeout is how long the store may take to report its health. It is shorter than the usual timeout of a
// probe (2 s in deploy/Caddyfile.nodes), so that the probe gets the reason.
const readyTimeout = 1500 * time.Millisecond

var (
	projects   = gauge("projects", "Projects held here in which somebody is.")
	people     = gauge("people", "People who are listed in them.")
	storeReady = gauge("store_ready", "Whether the store is well; 0 also while it is degraded. /readyz has the reason.")
	journalLag = gauge("journal_lag_seconds", "How long the oldest change has waited to be written.")
	pubSubAge  = gauge("pubsub_age_seconds", "Time since this node last received a message that it published itself.")
)

// Store wraps a [presence.Store] and measures its calls. It collects those measurements and the store's own
// figures. It is safe for concurrent use.
type Store struct {
	presence.Store
	presence.Health
	calls                               prometheus.Collector
	update, leave, snapshot, move, save storeOperation
}

type storeOperation struct {
	duration prometheus.Observer
	errors   map[string]prometheus.Counter // by kind
}

// MeasureStore returns a store that counts the calls of s, their durations and their errors.
func MeasureStore(s interface {
	presence.Store
	presence.Health
}) *Store {
	duration := histogram("store_duration_seconds", "Duration of calls of the store, by operation.")
	failures := counters("store_errors_total", "Errors of the store, by operation and kind.", "operation", "kind")
	measure := func(name string) storeOperation {
		o := storeOperation{duration.WithLabelValues(name), map[string]prometheus.Counter{}}
		for _, kind := range []string{"timeout", "unavailable", "limit", "other"} {
			o.errors[kind] = failures.WithLabelValues(name, kind)
		}
		return o
	}
	return &Store{
		Store: s, Health: s, calls: collect(duration, failures),
		update: measure("update"), leave: measure("leave"), snapshot: measure("snapshot"), move: measure("move"), save: measure("save"),
	}
}

// Ready implements [presence.Health]. It returns within readyTimeout.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.Health.Ready(ctx)
}

// Describe implements [prometheus.Collector]. It omits the figures, because which of them exist depends on
// the store.
func (s *Store) Describe(out chan<- *prometheus.Desc) { s.calls.Describe(out) }

// Collect implements [prometheus.Collector].
func (s *Store) Collect(out chan<- prometheus.Metric) {
	s.calls.Collect(out)
	set := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	ready := 0.0
	if s.Ready(context.Background()) == nil {
		ready = 1
	}
	set(storeReady, ready)
	figures := s.Figures()
	set(projects, float64(figures.Projects))
	set(people, float64(figures.People))
	if figures.JournalLag != nil {
		set(journalLag, figures.JournalLag.Seconds())
	}
	if figures.PubSubAge != nil {
		set(pubSubAge, figures.PubSubAge.Seconds())
	}
}

// Update implements [presence.Store].
func (s *Store) Update(ctx context.Context, project presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	began := Now()
	reply, err := s.Store.Update(ctx, project, user, u)
	s.update.add(Now()-began, err)
	return reply, err
}

// Leave implements [presence.Store].
func (s *Store) Leave(ctx context.Context, project presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	began := Now()
	reply, err := s.Store.Leave(ctx, project, user, l)
	s.leave.add(Now()-began, err)
	return reply, err
}

// Move implements [presence.Store].
func (s *Store) Move(ctx context.Context, project presence.Project, from, to presence.Section) (presence.Reply, error) {
	began := Now()
	reply, err := s.Store.Move(ctx, project, from, to)
	s.move.add(Now()-began, err)
	return reply, err
}

// Save implements [presence.Store].
func (s *Store) Save(ctx context.Context, project presence.Project, user presence.User, saved presence.Saved) (presence.Reply, error) {
	began := Now()
	reply, err := s.Store.Save(ctx, project, user, saved)
	s.save.add(Now()-began, err)
	return reply, err
}

// Snapshot implements [presence.Store].
func (s *Store) Snapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	began := Now()
	snapshot, err := s.Store.Snapshot(ctx, project)
	s.snapshot.add(Now()-began, err)
	return snapshot, err
}

func (o *storeOperation) add(took time.Duration, err error) {
	o.duration.Observe(took.Seconds())
	if err != nil {
		o.errors[kindOf(err)].Inc()
	}
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, presence.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, presence.ErrTooManyChanges), errors.Is(err, presence.ErrTooManySessions), errors.Is(err, presence.ErrSectionTooLong):
		return "limit"
	}
	return "other"
}
