package httpapi_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestPollingAndLiveCompareOriginsAlike(t *testing.T) { // cases 41 and 52
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
		if refused := got.Status == 403; refused == c.allowed {
			t.Errorf("polling, %s: answered %d %s", name, got.Status, got.Body)
		}
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			conn, _, got := w.Handshake(servertest.LivePath, "Host", c.host, "Origin", c.origin)
			conn.Close()
			if allowed := got.StatusCode == 101; allowed != c.allowed {
				t.Errorf("live, %s: answered %d", name, got.StatusCode)
			}
		}, func(p *servertest.Config) { p.Dev, p.Origins = nil, c.origins })
	}
}
