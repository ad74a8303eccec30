package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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

// health is the health of a store, set by a test.
type health struct {
	ready   func(context.Context) error
	figures presence.Figures
}

func (h *health) Ready(ctx context.Context) error { return h.ready(ctx) }
func (h *health) Figures() presence.Figures       { return h.figures }

// fixture is a server with a store, and its health and metrics.
type fixture struct {
	t     *testing.T
	pages http.Handler
	admin http.Handler
	health
	drain func()
	dev   *identity.Dev
}

func newFixture(t *testing.T, local bool) *fixture {
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
	keys, err := identity.NewKeys([]byte("a key that is used in tests only"))
	if err != nil {
		t.Fatal(err)
	}
	draining := make(chan struct{})
	f := &fixture{t: t, dev: &identity.Dev{Keys: keys}, drain: func() { close(draining) }}
	f.ready = func(context.Context) error { return nil }
	// With all figures that some store has.
	f.figures = presence.Figures{Projects: 2, People: 3, JournalLag: new(1500 * time.Millisecond), PubSubAge: new(time.Second)}
	measured := metrics.MeasureStore(struct {
		presence.Store
		presence.Health
	}{store, &f.health})
	pages, err := httpapi.New(httpapi.Options{Service: presence.NewService(measured), Authenticator: identity.FirstOf(f.dev), Dev: f.dev})
	if err != nil {
		t.Fatal(err)
	}
	f.pages = pages
	webhooks := metrics.NewWebhook(func() time.Duration { return 0 })
	f.admin = admin.New(admin.Options{Health: measured, Collectors: []prometheus.Collector{pages.Metrics(), measured, webhooks}, Draining: draining, Local: local})
	return f
}

// request sends a request to a handler. Headers come in pairs.
func request(h http.Handler, method, path, body string, headers ...string) (status int, text string) {
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

// checkReady checks the answer of /readyz, and that /healthz answers 200.
func (f *fixture) checkReady(status int, want string) {
	f.t.Helper()
	if got, text := request(f.admin, http.MethodGet, "/readyz", ""); got != status || text != want+"\n" {
		f.t.Errorf("/readyz answers %d %q; want %d %q", got, text, status, want)
	}
	if got, _ := request(f.admin, http.MethodGet, "/healthz", ""); got != 200 {
		f.t.Errorf("/healthz answers %d; want 200", got)
	}
}

// metrics returns the values of /metrics: by series, with its labels after spaces, and 0 by the name of each family.
func (f *fixture) metrics() map[string]float64 {
	f.t.Helper()
	status, text := request(f.admin, http.MethodGet, "/metrics", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || status != 200 {
		f.t.Fatalf("/metrics answers %d, %v:\n%s", status, err, text)
	}
	all := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" {
			f.t.Errorf("%s has no help text", name)
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

// use sends requests to all endpoints, valid and invalid ones, and with the name in places that have no meaning.
func (f *fixture) use(project, name, section string) {
	f.t.Helper()
	token, _, err := f.dev.Token(presence.UserID(name), name)
	if err != nil {
		f.t.Fatal(err)
	}
	base, as := httpapi.DefaultPrefix+"/project/"+project+"/presence/", []string{"Authorization", "Bearer " + token}
	for _, r := range [][3]string{
		{http.MethodPost, base + "update/", fmt.Sprintf(`{"session": "x", "section": %q}`, section)},
		{http.MethodPost, base + "update/", `{"section": "\u0001"}`},
		{http.MethodGet, base + "list/", ""},
		{http.MethodPost, base + "leave/", `{"session": "x"}`},
		{http.MethodGet, base + "live/", ""},
		{http.MethodGet, base + name, ""},
		{http.MethodPost, httpapi.DefaultPrefix + "/dev/token/", fmt.Sprintf(`{"username": %q}`, name)},
		{http.MethodGet, "/" + name, ""},
		{http.MethodGet, "/", ""},
		{name, base + "list/", ""}, // as the method
	} {
		request(f.pages, r[0], r[1], r[2], as...)
	}
	request(f.pages, http.MethodGet, base+"list/", "", "Authorization", "Bearer "+name)
}
