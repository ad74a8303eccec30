package web_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/web"
)

func TestOriginsAreSerialisedAsTheURLStandardDoes(t *testing.T) {
	for given, due := range map[string]string{
		"https://example.org":                        "https://example.org",
		"HTTPS://Example.ORG":                        "https://example.org",
		"https://example.org:443":                    "https://example.org",
		"http://example.org:80":                      "http://example.org",
		"http://example.org:443":                     "http://example.org:443",
		"https://example.org:80":                     "https://example.org:80",
		"https://example.org:08443":                  "https://example.org:8443",
		"https://example.org.":                       "https://example.org.",
		"https://bücher.example":                     "https://xn--bcher-kva.example",
		"https://BÜCHER.example:443":                 "https://xn--bcher-kva.example",
		"https://xn--bcher-kva.example":              "https://xn--bcher-kva.example",
		"https://straße.example":                     "https://xn--strae-oqa.example",
		"https://例え。jp":                              "https://xn--r8jz45g.jp",
		"https://[2001:DB8::0:1]:443":                "https://[2001:db8::1]",
		"http://[::1]:8080":                          "http://[::1]:8080",
		"http://[::ffff:192.0.2.1]":                  "http://[::ffff:c000:201]",
		"http://127.0.0.1:8080":                      "http://127.0.0.1:8080",
		"http://127.0.0.1.":                          "http://127.0.0.1",
		"http://my_app.internal":                     "http://my_app.internal",
		"http://localhost":                           "http://localhost",
		"https://" + strings.Repeat("a.", 126) + "a": "https://" + strings.Repeat("a.", 126) + "a",
	} {
		if o, err := web.ParseOrigin(given); err != nil || o.String() != due {
			t.Errorf("%q is read as %q, %v; due is %q", given, o, err, due)
		}
	}
}

func TestWhatIsMoreThanAnOriginIsRefused(t *testing.T) {
	for _, given := range []string{
		"", "null", "*", "example.org", "//example.org", "ftp://example.org", "https://", "https://:443", "https://example.org/", "https://example.org/a", "https://example.org?a",
		"https://example.org#a", "https://user@example.org", "https://user:pass@example.org", "https://example.org:0", "https://example.org:65536", "https://example.org:+1",
		"https://example.org:", "https://example.org:a", "https://[::1", "https://::1", "https://[fe80::1%25eth0]", "https://[::1]a", "https://[127.0.0.1]", "https://127.1", "https://0x7f.1",
		"https://256.0.0.1", "https://1.2.3.4.5", "https://a..b", "https://.a", "https://a b", "https://a,b", "https://a\tb", "https://xn--a.example", "https://a%62.org",
		"https://*.example.org", "https://a, https://b", "https://" + strings.Repeat("a", 254),
	} {
		if o, err := web.ParseOrigin(given); err == nil {
			t.Errorf("%q is taken for the origin %q", given, o)
		}
	}
}

func TestPatternsMatchTheOriginOrSubdomainsOfTheirDomain(t *testing.T) {
	for pattern, c := range map[string]struct{ matched, others []string }{
		"https://example.org:443": {[]string{"https://example.org"}, []string{"http://example.org", "https://a.example.org", "https://example.org:8443", "https://example.org.evil.example"}},
		"https://*.Example.org": {
			[]string{"https://a.example.org", "https://a.b.example.org", "https://a.example.org:443"},
			[]string{"https://example.org", "http://a.example.org", "https://a.example.org:8443", "https://aexample.org", "https://a.example.org.evil.example", "https://.example.org"},
		},
		"http://*.localhost:8080":  {[]string{"http://a.localhost:8080"}, []string{"http://a.localhost", "http://localhost:8080"}},
		"https://*.bücher.example": {[]string{"https://a.xn--bcher-kva.example"}, []string{"https://xn--bcher-kva.example"}},
	} {
		p, err := web.ParseOriginPattern(pattern)
		if err != nil {
			t.Errorf("%q is refused: %v", pattern, err)
			continue
		}
		for i, all := range [][]string{c.matched, c.others} {
			for _, text := range all {
				o, _ := web.ParseOrigin(text)
				if p.Matches(o) != (i == 0) {
					t.Errorf("%q matches %q: %v", pattern, text, i != 0)
				}
			}
		}
		if p.Matches(web.Origin{}) {
			t.Errorf("%q matches no origin at all", pattern)
		}
	}
	for _, pattern := range []string{"https://*", "https://*.", "https://*.*.example.org", "https://a.*.org", "https://*a.org", "https://*.127.0.0.1", "https://*.[::1]", "*.example.org", "*://example.org", "https://*.example.org/a", "https://*.example.org:0"} {
		if _, err := web.ParseOriginPattern(pattern); err == nil {
			t.Errorf("the pattern %q, which no page can match, is taken", pattern)
		}
	}
}

// TestPollingAndLiveCompareOriginsAlike sends one request of each kind for each case.
func TestPollingAndLiveCompareOriginsAlike(t *testing.T) {
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
		w := newWorld(t, direct, func(p *plan) { p.Dev, p.Origins = nil, c.origins })
		got := w.do("POST", "/writer/api"+project+"leave/", strings.NewReader(`{}`), "Content-Type", "application/json", "Host", c.host, "Origin", c.origin)
		if refused := got.status == 403; refused == c.allowed {
			t.Errorf("polling, %s: answered %d %s", name, got.status, got.body)
		}
		inLive(t, func(t *testing.T, w *liveWorld) {
			conn, _, got := w.ask(livePath, "Host", c.host, "Origin", c.origin)
			conn.Close()
			if allowed := got.StatusCode == 101; allowed != c.allowed {
				t.Errorf("live, %s: answered %d", name, got.StatusCode)
			}
		}, func(p *plan) { p.Dev, p.Origins = nil, c.origins })
	}
}
