package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/status"
)

// health is the health of a store, set by a test.
type health struct{ err error }

func (h *health) Ready(context.Context) error { return h.err }
func (*health) Figures() presence.Figures     { return presence.Figures{} }

type answer struct {
	Version  string
	Draining bool
	Store    struct {
		Ready   bool
		Message string
	}
	Connections float64
	History     struct{ Connections, Requests []float64 }
}

func TestHistoryHasOneSampleEachTenSecondsOfTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "writer_presence_requests_total"}, []string{"status"})
		connections := prometheus.NewGauge(prometheus.GaugeOpts{Name: "writer_presence_live_connections"})
		draining, store := make(chan struct{}), &health{}
		r := status.New(status.Options{Version: "1.2.3", Health: store, Collectors: []prometheus.Collector{requests, connections}, Draining: draining})
		get := func() (got answer) {
			t.Helper()
			if err := json.Unmarshal(r.JSON(t.Context()), &got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		requests.WithLabelValues("200").Add(1000) // before the start of Run: no rate
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go r.Run(ctx)
		synctest.Wait()
		connections.Set(5)
		if got := get(); got.Connections != 5 || got.History.Requests == nil || len(got.History.Requests) != 0 || got.Version != "1.2.3" || !got.Store.Ready {
			t.Errorf("at the start: %+v; want 5 connections and an empty history", got)
		}
		requests.WithLabelValues("200").Add(10)
		requests.WithLabelValues("400").Add(5)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		connections.Set(7)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		got := get()
		if !reflect.DeepEqual(got.History.Connections, []float64{5, 7}) || !reflect.DeepEqual(got.History.Requests, []float64{1.5, 0}) {
			t.Errorf("after 20 s: %+v; want two samples with rates per second", got.History)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := get(); len(got.History.Requests) != 360 || got.History.Connections[0] != 7 {
			t.Errorf("after an hour: %d samples, the oldest %v; want 360", len(got.History.Requests), got.History.Connections[0])
		}
		store.err = fmt.Errorf("%w: the disk is full", presence.ErrDegraded)
		if got := get(); !got.Store.Ready || got.Store.Message != store.err.Error() {
			t.Errorf("degraded: %+v; want ready, with the reason", got.Store)
		}
		store.err = presence.ErrUnavailable
		close(draining)
		if got := get(); got.Store.Ready || !got.Draining {
			t.Errorf("unavailable and draining: %+v", got)
		}
	})
}
