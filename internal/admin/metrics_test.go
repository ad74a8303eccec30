package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func TestMetricsCountRequestsAndDescribeTheStore(t *testing.T) {
	f := newFixture(t, true)
	f.use("p", "alice", "s")
	got := f.metrics()
	for series, want := range map[string]float64{
		"writer_presence_requests_total update 200":             1,
		"writer_presence_requests_total update 400":             1,
		"writer_presence_requests_total list 401":               1,
		"writer_presence_request_duration_seconds update":       2,
		"writer_presence_failures_total section_invalid":        1,
		"writer_presence_failures_total too_many_requests":      0,
		"writer_presence_token_rejections_total expired":        0,
		"writer_presence_token_rejections_total bad_projects":   0,
		"writer_presence_live_connections":                      0,
		"writer_presence_live_received_messages_total":          0,
		"writer_presence_live_sent_deltas_total":                0,
		"writer_presence_live_sent_snapshots_total":             0,
		"writer_presence_live_sent_bytes_total":                 0,
		"writer_presence_projects":                              2,
		"writer_presence_people":                                3,
		"writer_presence_store_ready":                           1,
		"writer_presence_store_duration_seconds update":         1,
		"writer_presence_store_duration_seconds snapshot":       1,
		"writer_presence_store_duration_seconds leave":          1,
		"writer_presence_store_errors_total unavailable update": 0,
		"writer_presence_journal_lag_seconds":                   1.5,
		"writer_presence_pubsub_age_seconds":                    1,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s is %g, exists: %t; want %g", series, v, ok, want)
		}
	}
	for _, family := range []string{"go_goroutines", "process_resident_memory_bytes", "go_build_info"} {
		if _, ok := got[family]; !ok {
			t.Errorf("%s is missing", family)
		}
	}
	f.figures = presence.Figures{}
	for series := range f.metrics() {
		if strings.Contains(series, "lag") || strings.Contains(series, "pubsub") {
			t.Errorf("%s is there for a store that does not have it", series)
		}
	}
}

func TestRequestsCannotAddLabelsOrSeries(t *testing.T) { // case 42, invariant 12
	f := newFixture(t, true)
	f.use("p", "alice", "s")
	before := f.metrics()
	for i := range 50 {
		f.use(fmt.Sprint("SECRET-", i), fmt.Sprint("SECRET~", i), fmt.Sprint("SECRET\"} 1\nx{y=\"", i))
	}
	_, text := request(f.admin, http.MethodGet, "/metrics", "")
	if strings.Contains(text, "SECRET") {
		t.Errorf("the metrics have text from a request:\n%s", text)
	}
	after := f.metrics()
	for series := range after {
		if _, ok := before[series]; !ok {
			t.Errorf("the series %q came from a request", series)
		}
	}
}
