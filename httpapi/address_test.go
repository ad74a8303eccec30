package httpapi_test

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// TestAnAddressIsWhatTrustedProxiesSay looks at the address and the safety by which gates
// and limits tell askers apart.
func TestAnAddressIsWhatTrustedProxiesSay(t *testing.T) { // case 52
	var seen identity.Request
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.TrustedProxies = proxies
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			seen = r
			return identity.Principal{}, identity.ErrNobody
		})
	})
	plain := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			seen = r
			return identity.Principal{}, identity.ErrNobody
		})
	})
	for name, c := range map[string]struct {
		w         *servertest.Server
		peer      string
		forwarded []string
		due       string
	}{
		"no proxy":                        {w, "192.0.2.1", nil, "192.0.2.1"},
		"a header that nobody vouches":    {w, "192.0.2.1", []string{"198.51.100.1"}, "192.0.2.1"},
		"one proxy":                       {w, "10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		"what the asker wrote before":     {w, "10.0.0.1", []string{"1.2.3.4, 198.51.100.1"}, "198.51.100.1"},
		"and in a line of its own":        {w, "10.0.0.1", []string{"1.2.3.4", "198.51.100.1"}, "198.51.100.1"},
		"two proxies":                     {w, "10.0.0.1", []string{"1.2.3.4, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"an asker among the proxies":      {w, "10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nothing":                         {w, "10.0.0.1", nil, "10.0.0.1"},
		"an empty line":                   {w, "10.0.0.1", []string{""}, "10.0.0.1"},
		"nonsense before it":              {w, "10.0.0.1", []string{"<b>, 198.51.100.1"}, "198.51.100.1"},
		"nonsense at the end":             {w, "10.0.0.1", []string{"198.51.100.1, <b>"}, "unknown"},
		"other nonsense at the end":       {w, "10.0.0.1", []string{"198.51.100.1, <i>"}, "unknown"},
		"nonsense of the nearer proxy":    {w, "10.0.0.1", []string{"198.51.100.1, unix:, 10.0.0.2"}, "unknown"},
		"an empty entry at the end":       {w, "10.0.0.1", []string{"198.51.100.1, "}, "unknown"},
		"with a port":                     {w, "10.0.0.1", []string{"203.0.113.9:51123"}, "203.0.113.9"},
		"IPv6 with a port":                {w, "10.0.0.1", []string{`"[2001:db8::1]:443"`}, "2001:db8::"},
		"IPv6 in brackets":                {w, "10.0.0.1", []string{"[2001:db8::1]"}, "2001:db8::"},
		"IPv4 in quotes":                  {w, "10.0.0.1", []string{`"198.51.100.1"`}, "198.51.100.1"},
		"a zone":                          {w, "10.0.0.1", []string{"fe80::1%eth0"}, "fe80::"},
		"a zone and a port":               {w, "10.0.0.1", []string{"[fe80::1%25eth0]:443"}, "fe80::"},
		"a proxy with a port":             {w, "10.0.0.1", []string{"198.51.100.1:7, 10.0.0.2:51123"}, "198.51.100.1"},
		"a proxy with a zone":             {w, "fd00::1%eth0", []string{"198.51.100.1"}, "198.51.100.1"},
		"an open quote before it":         {w, "10.0.0.1", []string{`"1.2.3.4, 198.51.100.1`}, "198.51.100.1"},
		"an open quote in another line":   {w, "10.0.0.1", []string{`"1.2.3.4`, `"[2001:db8::1]:443"`}, "2001:db8::"},
		"a port that is none":             {w, "10.0.0.1", []string{"198.51.100.1:99999999"}, "unknown"},
		"IPv6 is one customer's network":  {w, "fd00::1", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"},
		"IPv4 in IPv6":                    {w, "::ffff:10.0.0.1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"no proxies are trusted: one":     {plain, "10.0.0.1", []string{"198.51.100.1"}, "10.0.0.1"},
		"no proxies are trusted: IPv6":    {plain, "2001:db8:1:2:3:4:5:6", []string{"198.51.100.1"}, "2001:db8:1:2::"},
		"a line of many commas and names": {w, "10.0.0.1", []string{strings.Repeat(",", 2000)}, "unknown"},
	} {
		for _, https := range []string{"", "https", "http"} {
			headers := []string{"X-Forwarded-Proto", https}
			for _, line := range c.forwarded {
				headers = append(headers, "X-Forwarded-For", line)
			}
			c.w.DoFrom(c.peer, "GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, headers...)
			if seen.Address != c.due {
				t.Errorf("%s: the address is %q; due is %q", name, seen.Address, c.due)
			}
			trusted := c.w == w && !strings.HasPrefix(c.peer, "192.")
			if due := trusted && https == "https"; seen.Secure != due {
				t.Errorf("%s: X-Forwarded-Proto %q means %v; due is %v", name, https, seen.Secure, due)
			}
		}
	}
}

// TestForwardedIsReadLikeXForwardedFor is about RFC 7239.
func TestForwardedIsReadLikeXForwardedFor(t *testing.T) { // case 52
	var seen identity.Request
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			seen = r
			return identity.Principal{}, identity.ErrNobody
		})
	})
	for name, c := range map[string]struct {
		headers []string
		due     string
		https   bool
	}{
		"an address":                    {[]string{"Forwarded", "for=198.51.100.1"}, "198.51.100.1", false},
		"capitals and a scheme":         {[]string{"Forwarded", "Proto=https; FOR=198.51.100.1;by=10.0.0.1"}, "198.51.100.1", true},
		"quotes, IPv6 and a port":       {[]string{"Forwarded", `for="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::", false},
		"an obfuscated port":            {[]string{"Forwarded", `for="198.51.100.1:_port"`}, "198.51.100.1", false},
		"several":                       {[]string{"Forwarded", `for=1.2.3.4, for=198.51.100.1;proto=https, for="10.0.0.7:99"`}, "198.51.100.1", true},
		"several lines":                 {[]string{"Forwarded", "for=1.2.3.4", "Forwarded", "for=198.51.100.1"}, "198.51.100.1", false},
		"an obfuscated client":          {[]string{"Forwarded", "for=1.2.3.4, for=_SEVKISEK"}, "_SEVKISEK", false},
		"an unknown client":             {[]string{"Forwarded", "for=1.2.3.4, for=unknown"}, "unknown", false},
		"an element without for":        {[]string{"Forwarded", "for=1.2.3.4, proto=https"}, "unknown", true},
		"an obfuscated one, too long":   {[]string{"Forwarded", "for=_" + strings.Repeat("a", 64)}, "unknown", false},
		"an open quote of the client's": {[]string{"Forwarded", `for="1.2.3.4, for=198.51.100.1`}, "198.51.100.1", false},
		"a comma and quotes in a Host":  {[]string{"Forwarded", `for=198.51.100.1;host="a\", for=1.2.3.4, \"b"`}, "198.51.100.1", false},
		"X-Forwarded-For as well":       {[]string{"Forwarded", "for=1.2.3.4", "X-Forwarded-For", "198.51.100.1"}, "198.51.100.1", false},
		"an empty X-Forwarded-For":      {[]string{"Forwarded", "for=198.51.100.1", "X-Forwarded-For", " "}, "198.51.100.1", false},
		"X-Forwarded-Proto as well":     {[]string{"Forwarded", "for=198.51.100.1;proto=https", "X-Forwarded-Proto", "http"}, "198.51.100.1", false},
	} {
		w.DoFrom("10.0.0.1", "GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, c.headers...)
		if seen.Address != c.due || seen.Secure != c.https {
			t.Errorf("%s: the address is %q, https %v; due is %q, %v", name, seen.Address, seen.Secure, c.due, c.https)
		}
		w.DoFrom("192.0.2.1", "GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, c.headers...)
		if seen.Address != "192.0.2.1" || seen.Secure {
			t.Errorf("%s, from no proxy: the address is %q, https %v", name, seen.Address, seen.Secure)
		}
	}
}

// What a proxy writes unreadably counts against one limit of its own, and neither against that
// of people with an address nor against one that the text would choose.
func TestUnreadableAddressesShareALimitOfTheirOwn(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		p.AddressRate = identity.Rate{PerSecond: 0.001, Burst: 3}
	})
	ask := func(forwarded string) int {
		return w.DoFrom("10.0.0.1", "GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, "X-Forwarded-For", forwarded).Status
	}
	for i := range 5 {
		if got, due := ask("unix:"+strconv.Itoa(i)), 200; i < 3 && got != due || i >= 3 && got != 429 {
			t.Errorf("the request %d without an address got %d", i, got)
		}
	}
	for _, address := range []string{"198.51.100.1", "198.51.100.2:443"} {
		if got := ask(address); got != 200 {
			t.Errorf("%s got %d; it has a limit of its own", address, got)
		}
	}
	if n := strings.Count(w.Logs.String(), "unreadable client address"); n != 1 || !strings.Contains(w.Logs.String(), "unix:0") {
		t.Errorf("the log says it %d times, want once a minute:\n%s", n, w.Logs)
	}
}
