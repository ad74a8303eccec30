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

// failing is a store whose operations fail after a time.
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

func (f *failing) Move(context.Context, presence.Project, presence.Section, presence.Section) (presence.Reply, error) {
	time.Sleep(f.took)
	return presence.Reply{}, f.err
}

func (f *failing) Save(context.Context, presence.Project, presence.User, presence.Saved) (presence.Reply, error) {
	time.Sleep(f.took)
	return presence.Reply{}, f.err
}

func TestStoreErrorsAreCountedByKindAndReturnedUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{took: 2 * time.Second, health: health{ready: func(context.Context) error { return nil }}}
		s := metrics.MeasureStore(store)
		kinds := map[string]error{
			"timeout":     fmt.Errorf("%w: Redis: %w", presence.ErrUnavailable, context.DeadlineExceeded),
			"unavailable": fmt.Errorf("%w: Redis: connection refused", presence.ErrUnavailable),
			"limit":       presence.ErrTooManySessions,
			"other":       errors.New("unexpected"),
			"none":        nil,
		}
		for kind, err := range kinds {
			store.err = err
			_, update := s.Update(t.Context(), "p", presence.User{}, presence.Update{})
			_, leave := s.Leave(t.Context(), "p", presence.User{}, presence.Leave{})
			_, snapshot := s.Snapshot(t.Context(), "p")
			_, move := s.Move(t.Context(), "p", "a", "b")
			_, save := s.Save(t.Context(), "p", presence.User{}, presence.Saved{})
			if update != err || leave != err || snapshot != err || move != err || save != err {
				t.Errorf("%s: %v was returned as %v, %v, %v, %v and %v", kind, err, update, leave, snapshot, move, save)
			}
		}
		f := &fixture{t: t}
		f.admin = admin.New(admin.Options{Health: s, Collectors: []prometheus.Collector{s}})
		got := f.metrics()
		for _, operation := range []string{"update", "leave", "snapshot", "move", "save"} {
			for kind, err := range kinds {
				if n := got["writer_presence_store_errors_total "+kind+" "+operation]; err != nil && n != 1 {
					t.Errorf("%s %s: %g errors; want 1", operation, kind, n)
				}
			}
			if n := got["writer_presence_store_duration_seconds "+operation]; n != 5 {
				t.Errorf("%s: %g durations; want 5", operation, n)
			}
		}
		_, text := request(f.admin, http.MethodGet, "/metrics", "")
		for _, line := range []string{
			`writer_presence_store_duration_seconds_bucket{operation="leave",le="1"} 0`,
			`writer_presence_store_duration_seconds_bucket{operation="leave",le="2"} 5`,
			`writer_presence_store_duration_seconds_sum{operation="leave"} 10`,
		} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("the metrics lack the line %s:\n%s", line, text)
			}
		}
	})
}
