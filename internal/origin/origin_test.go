package origin_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/origin"
)

func TestOriginsAreSerialisedAsTheURLStandardDoes(t *testing.T) { // case 52
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
		if o, err := origin.Parse(given); err != nil || o.String() != due {
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
		if o, err := origin.Parse(given); err == nil {
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
		p, err := origin.ParsePattern(pattern)
		if err != nil {
			t.Errorf("%q is refused: %v", pattern, err)
			continue
		}
		for i, all := range [][]string{c.matched, c.others} {
			for _, text := range all {
				o, _ := origin.Parse(text)
				if p.Matches(o) != (i == 0) {
					t.Errorf("%q matches %q: %v", pattern, text, i != 0)
				}
			}
		}
		if p.Matches(origin.Origin{}) {
			t.Errorf("%q matches no origin at all", pattern)
		}
	}
	for _, pattern := range []string{"https://*", "https://*.", "https://*.*.example.org", "https://a.*.org", "https://*a.org", "https://*.127.0.0.1", "https://*.[::1]", "*.example.org", "*://example.org", "https://*.example.org/a", "https://*.example.org:0"} {
		if _, err := origin.ParsePattern(pattern); err == nil {
			t.Errorf("the pattern %q, which no page can match, is taken", pattern)
		}
	}
}

// TestPollingAndLiveCompareOriginsAlike sends one request of each kind for each case.
