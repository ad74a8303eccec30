package web_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"writer-presence/identity"
	"writer-presence/web"
)

// TestAnAddressIsWhatTrustedProxiesSay looks at the address and the safety by which gates
// and limits tell askers apart.
func TestAnAddressIsWhatTrustedProxiesSay(t *testing.T) {
	var seen identity.Request
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	w := newWorld(t, direct, func(p *plan) {
		p.TrustedProxies = proxies
		p.Gate = gateFunc(func(_ context.Context, r identity.Request) (identity.Admission, error) {
			seen = r
			return identity.Admission{}, identity.ErrNobody
		})
	})
	plain := newWorld(t, direct, func(p *plan) {
		p.Gate = gateFunc(func(_ context.Context, r identity.Request) (identity.Admission, error) {
			seen = r
			return identity.Admission{}, identity.ErrNobody
		})
	})
	for name, c := range map[string]struct {
		w         *world
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
		"nonsense at the end":             {w, "10.0.0.1", []string{"198.51.100.1, <b>"}, "10.0.0.1"},
		"with a port":                     {w, "10.0.0.1", []string{"198.51.100.1:99"}, "10.0.0.1"},
		"IPv6 is one customer's network":  {w, "fd00::1", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"},
		"IPv4 in IPv6":                    {w, "::ffff:10.0.0.1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"no proxies are trusted: one":     {plain, "10.0.0.1", []string{"198.51.100.1"}, "10.0.0.1"},
		"no proxies are trusted: IPv6":    {plain, "2001:db8:1:2:3:4:5:6", []string{"198.51.100.1"}, "2001:db8:1:2::"},
		"a line of many commas and names": {w, "10.0.0.1", []string{strings.Repeat(",", 2000)}, "10.0.0.1"},
	} {
		for _, https := range []string{"", "https", "http"} {
			headers := []string{"X-Forwarded-Proto", https}
			for _, line := range c.forwarded {
				headers = append(headers, "X-Forwarded-For", line)
			}
			c.w.doFrom(c.peer, "GET", web.DefaultPrefix+project+"list/", nil, headers...)
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
