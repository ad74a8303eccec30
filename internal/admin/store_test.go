package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/admin"
	"github.com/writer-presence/writer-presence/internal/metrics"
)

// failing is a store that takes its time and fails.
type failing struct {
	presence.Store
	health
	took time.Duration
	err  error
}

func (f *failing) Update(context.Context, presence.Project, presence.User, presence.Update) (presence.Reply, error) {
	time.Sleep(f.took)
	return presence.Reply{}, f.err
}

func (f *failing) Leave(context.Context, presence.Project, presence.User, presence.Leave) (presence.Reply, error) {
	time.Sleep(f.took)
	return presence.Reply{}, f.err
}

func (f *failing) Snapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	time.Sleep(f.took)
	return nil, f.err
}

func TestErrorsOfTheStoreAreCountedByKindAndReachWhoeverAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{took: 2 * time.Second, health: health{ready: func(context.Context) error { return nil }}}
		s := metrics.MeasureStore(f)
		kinds := map[string]error{
			"timeout":     fmt.Errorf("%w: Redis: %w", presence.ErrUnavailable, context.DeadlineExceeded),
			"unavailable": fmt.Errorf("%w: Redis: connection refused", presence.ErrUnavailable),
			"limit":       presence.ErrTooManySessions,
			"other":       errors.New("what should not be"),
			"none":        nil,
		}
		for kind, err := range kinds {
			f.err = err
			_, update := s.Update(t.Context(), "p", presence.User{}, presence.Update{})
			_, leave := s.Leave(t.Context(), "p", presence.User{}, presence.Leave{})
			_, snapshot := s.Snapshot(t.Context(), "p")
			if update != err || leave != err || snapshot != err {
				t.Errorf("%s: %v became %v, %v and %v", kind, err, update, leave, snapshot)
			}
		}
		w := &world{t: t}
		w.admin = admin.New(admin.Options{Health: s, Collectors: []prometheus.Collector{s}})
		got := w.metrics()
		for _, operation := range []string{"update", "leave", "snapshot"} {
			for kind, err := range kinds {
				if n := got["writer_presence_store_errors_total "+kind+" "+operation]; err != nil && n != 1 {
					t.Errorf("%s %s: %g; due: 1", operation, kind, n)
				}
			}
			if n := got["writer_presence_store_duration_seconds "+operation]; n != 5 {
				t.Errorf("%s: %g durations; due: 5", operation, n)
			}
		}
		_, text := ask(w.admin, http.MethodGet, "/metrics", "")
		for _, line := range []string{
			`writer_presence_store_duration_seconds_bucket{operation="leave",le="1"} 0`,
			`writer_presence_store_duration_seconds_bucket{operation="leave",le="2"} 5`,
			`writer_presence_store_duration_seconds_sum{operation="leave"} 10`,
		} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("there is no line %s in\n%s", line, text)
			}
		}
	})
}
