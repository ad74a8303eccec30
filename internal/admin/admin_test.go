package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/admin"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// health is a store's word, as a test has it.
type health struct {
	ready   func(context.Context) error
	figures presence.Figures
}

func (h *health) Ready(ctx context.Context) error { return h.ready(ctx) }
func (h *health) Figures() presence.Figures       { return h.figures }

// world is a server with its store, and who looks after it.
type world struct {
	t     *testing.T
	pages http.Handler
	admin http.Handler
	health
	drain func()
	dev   *identity.Dev
}

func newWorld(t *testing.T, local bool) *world {
	t.Helper()
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	keys, err := identity.NewKeys([]byte("the key of a test, and of nothing else"))
	if err != nil {
		t.Fatal(err)
	}
	draining := make(chan struct{})
	w := &world{t: t, dev: &identity.Dev{Keys: keys}, drain: func() { close(draining) }}
	w.ready = func(context.Context) error { return nil }
	// What some store has and another has not, this one has.
	w.figures = presence.Figures{Projects: 2, People: 3, JournalLag: new(1500 * time.Millisecond), PubSubAge: new(time.Second)}
	measured := metrics.MeasureStore(struct {
		presence.Store
		presence.Health
	}{store, &w.health})
	pages, err := httpapi.New(httpapi.Options{Service: presence.NewService(measured), Authenticator: identity.FirstOf(w.dev), Dev: w.dev})
	if err != nil {
		t.Fatal(err)
	}
	w.pages = pages
	w.admin = admin.New(admin.Options{Health: measured, Collectors: []prometheus.Collector{pages.Metrics(), measured}, Draining: draining, Local: local})
	return w
}

// ask asks one of them; headers come in pairs.
func ask(h http.Handler, method, path, body string, headers ...string) (status int, text string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:9090"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	return got.Code, got.Body.String()
}

func (w *world) isReady(status int, due string) {
	w.t.Helper()
	if got, text := ask(w.admin, http.MethodGet, "/readyz", ""); got != status || text != due+"\n" {
		w.t.Errorf("/readyz answers %d %q; due: %d %q", got, text, status, due)
	}
	if got, _ := ask(w.admin, http.MethodGet, "/healthz", ""); got != 200 {
		w.t.Errorf("/healthz answers %d; due: 200, for the process lives", got)
	}
}

func TestADegradedStoreIsAskedOnAndOneThatCannotTellIsNot(t *testing.T) { // rule 13
	w := newWorld(t, true)
	w.isReady(200, "ready")
	w.ready = func(context.Context) error { return fmt.Errorf("%w: the disk is full", presence.ErrDegraded) }
	w.isReady(200, "degraded: the disk is full")
	if v := w.metrics()["writer_presence_store_ready"]; v != 0 {
		t.Errorf("the figure of a degraded store is %g; due: 0", v)
	}
	w.ready = func(context.Context) error { return errors.New("Redis does not answer") }
	w.isReady(503, "Redis does not answer")
	w.ready = func(context.Context) error { return nil }
	w.isReady(200, "ready")
	if v := w.metrics()["writer_presence_store_ready"]; v != 1 {
		t.Errorf("the figure of a store that is well is %g; due: 1", v)
	}
}

func TestADrainingServerIsNotReadyWhateverItsStoreSays(t *testing.T) {
	w := newWorld(t, true)
	w.drain()
	w.isReady(503, "draining")
	w.ready = func(context.Context) error { return presence.ErrDegraded }
	w.isReady(503, "draining")
}

func TestAStoreThatHangsDelaysNoAnswerBeyondFiveSeconds(t *testing.T) { // invariant 10
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, path := range []string{"/readyz", "/metrics"} {
			began := time.Now()
			ask(w.admin, http.MethodGet, path, "")
			if took := time.Since(began); took >= 5*time.Second {
				t.Errorf("%s was answered after %v", path, took)
			}
		}
	})
}

func TestThereIsNothingButToReadAndNothingElseToRead(t *testing.T) {
	w := newWorld(t, true)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, _ := ask(w.admin, http.MethodHead, path, ""); status != 200 {
			t.Errorf("HEAD %s answers %d; due: 200", path, status)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			if status, _ := ask(w.admin, method, path, ""); status != 405 {
				t.Errorf("%s %s answers %d; due: 405", method, path, status)
			}
		}
	}
	for _, path := range []string{"/", "/debug/pprof/", "/debug/vars", "/metrics/x", httpapi.DefaultPrefix + "/project/p/presence/list/"} {
		if status, _ := ask(w.admin, http.MethodGet, path, ""); status != 404 {
			t.Errorf("%s answers %d; due: 404", path, status)
		}
	}
}

func TestOnLoopbackANameThatAStrangerMadePointHereIsRefused(t *testing.T) { // case 41
	local, remote := newWorld(t, true), newWorld(t, false)
	for host, due := range map[string]int{"127.0.0.1:9090": 200, "[::1]:9090": 200, "localhost:9090": 200, "evil.example:9090": 403, "10.0.0.1:9090": 403} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if status, _ := ask(local.admin, http.MethodGet, path, "", "Host", host); status != due {
				t.Errorf("on loopback %s%s answers %d; due: %d", host, path, status, due)
			}
			if status, _ := ask(remote.admin, http.MethodGet, path, "", "Host", host); status != 200 {
				t.Errorf("beyond loopback %s%s answers %d; due: 200", host, path, status)
			}
		}
	}
}

// metrics reads /metrics as Prometheus does, and gives every series with its labels, and each
// family's name.
func (w *world) metrics() map[string]float64 {
	w.t.Helper()
	status, text := ask(w.admin, http.MethodGet, "/metrics", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || status != 200 {
		w.t.Fatalf("/metrics answers %d, %v:\n%s", status, err, text)
	}
	all := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" {
			w.t.Errorf("%s says nothing of what it is", name)
		}
		all[name] = 0
		for _, m := range family.Metric {
			series := name
			for _, label := range m.Label {
				series += " " + label.GetValue()
			}
			all[series] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				all[name+"_bucket"], all[name+"_count"], all[name+"_sum"] = 0, 0, 0
				all[series] = float64(h.GetSampleCount())
			}
		}
	}
	return all
}

// use has somebody do all that there is to do over HTTP.
func (w *world) use(project, name, section string) {
	w.t.Helper()
	token, _, err := w.dev.Token(presence.UserID(name), name)
	if err != nil {
		w.t.Fatal(err)
	}
	base, as := httpapi.DefaultPrefix+"/project/"+project+"/presence/", []string{"Authorization", "Bearer " + token}
	for _, r := range [][3]string{
		{http.MethodPost, base + "update/", fmt.Sprintf(`{"session": "x", "section": %q}`, section)},
		{http.MethodPost, base + "update/", `{"section": "//"}`},
		{http.MethodGet, base + "list/", ""},
		{http.MethodPost, base + "leave/", `{"session": "x"}`},
		{http.MethodGet, base + "live/", ""},
		{http.MethodGet, base + name, ""},
		{http.MethodPost, httpapi.DefaultPrefix + "/dev/token/", fmt.Sprintf(`{"username": %q}`, name)},
		{http.MethodGet, "/" + name, ""},
		{http.MethodGet, "/", ""},
		{name, base + "list/", ""}, // as a method
	} {
		ask(w.pages, r[0], r[1], r[2], as...)
	}
	ask(w.pages, http.MethodGet, base+"list/", "", "Authorization", "Bearer "+name)
}

func TestTheFiguresAreThere(t *testing.T) {
	w := newWorld(t, true)
	w.use("p", "alice", "s")
	got := w.metrics()
	for series, due := range map[string]float64{
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
		if v, ok := got[series]; !ok || v != due {
			t.Errorf("%s is %g, there: %t; due: %g", series, v, ok, due)
		}
	}
	for _, family := range []string{"go_goroutines", "process_resident_memory_bytes", "go_build_info"} {
		if _, ok := got[family]; !ok {
			t.Errorf("there is no %s", family)
		}
	}
	w.figures = presence.Figures{}
	for series := range w.metrics() {
		if strings.Contains(series, "lag") || strings.Contains(series, "pubsub") {
			t.Errorf("%s is there, of a store that has no such thing", series)
		}
	}
}

func TestNoLabelHasAnythingThatPeopleSend(t *testing.T) { // case 42, invariant 12
	w := newWorld(t, true)
	w.use("p", "alice", "s")
	before := w.metrics()
	for i := range 50 {
		w.use(fmt.Sprint("SECRET-", i), fmt.Sprint("SECRET~", i), fmt.Sprint("SECRET\"} 1\nx{y=\"", i))
	}
	_, text := ask(w.admin, http.MethodGet, "/metrics", "")
	if strings.Contains(text, "SECRET") {
		t.Errorf("something that people sent is in the figures:\n%s", text)
	}
	after := w.metrics()
	for series := range after {
		if _, ok := before[series]; !ok {
			t.Errorf("%q has come by what people sent", series)
		}
	}
}
