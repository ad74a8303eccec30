package httpapi_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestPollingAndLiveCompareOriginsInTheSameWay(t *testing.T) { // cases 41 and 52
	for name, c := range map[string]struct {
		origins      []string
		host, origin string
		allowed      bool
	}{
		"the default port in Host":          {nil, "example.org:443", "https://example.org", true},
		"the default port of http":          {nil, "example.org:80", "http://example.org", true},
		"the default port in Origin":        {nil, "example.org", "https://example.org:443", true},
		"the port of the other scheme":      {nil, "example.org:80", "https://example.org", false},
		"capitals":                          {nil, "Example.org", "https://example.ORG", true},
		"IPv6, written otherwise":           {nil, "[2001:DB8:0::1]:443", "https://[2001:db8::1]", true},
		"another host":                      {nil, "example.org", "https://example.com", false},
		"null":                              {nil, "null", "null", false},
		"listed with its default port":      {[]string{"https://x.example:443"}, "inner:8080", "https://x.example", true},
		"listed in Unicode":                 {[]string{"https://bücher.example"}, "inner:8080", "https://xn--bcher-kva.example", true},
		"below a wildcard":                  {[]string{"https://*.x.example"}, "inner:8080", "https://a.x.example", true},
		"the domain of a wildcard":          {[]string{"https://*.x.example"}, "inner:8080", "https://x.example", false},
		"the Host, where others are listed": {[]string{"https://*.x.example"}, "example.org", "https://example.org", false},
	} {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Dev, p.Origins = nil, c.origins })
		got := w.Do("POST", "/writer/api"+servertest.ProjectPath+"leave/", strings.NewReader(`{}`), "Content-Type", "application/json", "Host", c.host, "Origin", c.origin)
		if rejected := got.Status == 403; rejected == c.allowed {
			t.Errorf("polling, %s: got %d %s", name, got.Status, got.Body)
		}
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			conn, _, got := w.Handshake(servertest.LivePath, "Host", c.host, "Origin", c.origin)
			conn.Close()
			if allowed := got.StatusCode == 101; allowed != c.allowed {
				t.Errorf("live, %s: got %d", name, got.StatusCode)
			}
		}, func(p *servertest.Config) { p.Dev, p.Origins = nil, c.origins })
	}
}

func TestDNSRebindingIsRejected(t *testing.T) { // case 41
	for name, change := range map[string]func(*servertest.Config){
		"--dev":             func(*servertest.Config) {},
		"--allowed-origins": func(p *servertest.Config) { p.Dev, p.Origins = nil, []string{"https://write.example.org"} },
	} {
		w := servertest.New(t, servertest.Direct, change)
		for _, site := range []string{"", "same-origin"} {
			headers := []string{"Content-Type", "application/json", "Host", "evil.example:8080", "Origin", "http://evil.example:8080"}
			if site != "" {
				headers = append(headers, "Sec-Fetch-Site", site)
			}
			for _, what := range []string{"update/", "leave/"} {
				if a := w.Do("POST", httpapi.DefaultPrefix+servertest.ProjectPath+what, strings.NewReader(`{"session": "a"}`), headers...); a.Status != 403 || a.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s, %s: got %d %s, want 403 without a cookie", name, what, a.Status, a.Body)
				}
			}
		}
	}
}

func TestCrossOriginRejectionIsLoggedOnce(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Dev = nil })
	for range 3 {
		w.Do("POST", httpapi.DefaultPrefix+servertest.ProjectPath+"update/", strings.NewReader(`{}`), "Content-Type", "application/json", "Origin", "http://other.example", "Sec-Fetch-Site", "cross-site").ExpectError(t, 403, "cross_origin")
	}
	if logged := w.Logs.String(); strings.Count(logged, "http://other.example") != 1 || !strings.Contains(logged, "Host as it is") {
		t.Errorf("log: got %q, want one line with the origin and what to do", logged)
	}
}
