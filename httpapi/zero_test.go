package httpapi_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestTheZeroHandlerAnswers500(t *testing.T) {
	var h httpapi.Handler
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest("GET", "/writer/api/project/thesis/presence/list/", nil))
	if answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), "httpapi.New") {
		t.Errorf("the answer was %d %s; want 500 that names httpapi.New", answer.Code, answer.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.Run(ctx)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := h.Serve(ctx, l); err == nil {
		t.Error("Serve returned no error")
	}
	if err := prometheus.NewRegistry().Register(h.Metrics()); err != nil {
		t.Errorf("the metrics cannot be registered: %v", err)
	}
}

func TestOptionsThatCannotWorkAreErrors(t *testing.T) {
	good := httpapi.Options{Service: presence.NewService(nil), Authenticator: &identity.Visitors{}}
	if _, err := httpapi.New(good); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*httpapi.Options){
		"Service":           func(o *httpapi.Options) { o.Service = nil },
		"Authenticator":     func(o *httpapi.Options) { o.Authenticator = nil },
		`Prefix "writer"`:   func(o *httpapi.Options) { o.Prefix = "writer" },
		`Prefix "/writer/"`: func(o *httpapi.Options) { o.Prefix = "/writer/" },
		"Lease":             func(o *httpapi.Options) { o.Lease = -1 },
		"Heartbeat":         func(o *httpapi.Options) { o.Heartbeat = -1 },
		"Origins":           func(o *httpapi.Options) { o.Origins = []string{"example.org/path"} },
		"TokenHeader":       func(o *httpapi.Options) { o.TokenHeader = "Cookie" },
		"Dev":               func(o *httpapi.Options) { o.Dev = &identity.Dev{} },
	} {
		o := good
		change(&o)
		if h, err := httpapi.New(o); err == nil || h != nil || !strings.Contains(err.Error(), field) {
			t.Errorf("with a bad %s New returned %v; want an error that names it", field, err)
		}
	}
}

func TestAServiceWithoutAStoreAnswers503(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	h, err := httpapi.New(httpapi.Options{Service: &presence.Service{}, Authenticator: &identity.Dev{Keys: w.Keys}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1:8080/writer/api/project/thesis/presence/list/", nil)
	r.Header.Set("Authorization", "Bearer "+w.As("alice", "1").Token)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("the answer was %d %s; want 503", answer.Code, answer.Body)
	}
}

// The trusted proxies decide which address a rate limit counts, so the caller's slice must not.
func TestOptionsChangedAfterNewChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxies := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.TrustedProxies, p.AddressRate = proxies, identity.Rate{PerSecond: 1, Burst: 2}
		})
		proxies[0] = netip.MustParsePrefix("0.0.0.0/0")
		status := 0
		for _, forged := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"} {
			r := httptest.NewRequest("GET", "http://"+w.Host+"/writer/api/project/thesis/presence/list/", nil)
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("X-Forwarded-For", forged)
			answer := httptest.NewRecorder()
			w.Handler.ServeHTTP(answer, r)
			status = answer.Code
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("the third request of an address that was not trusted at New was answered %d; want 429", status)
		}
	})
}

func TestRunReturnsWhenItsContextEndsAlsoTheSecondTime(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Handler.Run(ctx)
	w.Handler.Run(ctx)
}
