package httpapi_test

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// Each attack opens connections without a token for a minute. Clients with tokens must still connect, from the
// attacker's address and from others.
func TestOneAddressLeavesConnectionsToTokenHolders(t *testing.T) {
	const connections, attempts = 300, 340 // 8 a second for 42 s
	const attacker = "203.0.113.9"
	path := func(i int) string { return strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i%30), 1) }
	hello := func(w *limitedServer, from, cookie string, i int, headers ...string) (rejected string) {
		s, status := w.open(from, path(i), append(headers, "Cookie", cookie)...)
		if s == nil {
			return fmt.Sprint(status)
		}
		s.Send("hello", fmt.Sprintf(`"session": "s%d"`, i))
		if m := s.SkipTo("ack", "error"); m.Type == "error" {
			return m.Code
		}
		return ""
	}
	type attack struct {
		// try opens connection i; it returns the code that it was rejected with.
		try    func(w *limitedServer, cookies []string, i int) string
		change func(*servertest.Config)
		most   int    // connections that are open at the end
		code   string // that the last one was rejected with
		from   []string
		header []string
	}
	here := []string{attacker, "198.51.100.7"}
	for name, a := range map[string]attack{
		"one visitor": {
			try:  func(w *limitedServer, c []string, i int) string { return hello(w, attacker, c[0], i) },
			most: 60, code: "too_many_connections", from: here,
		},
		"many visitors of an address": {
			try:  func(w *limitedServer, c []string, i int) string { return hello(w, attacker, c[i%len(c)], i) },
			most: 60, code: "too_many_connections", from: here,
		},
		"one visitor of many addresses": {
			try: func(w *limitedServer, c []string, i int) string {
				return hello(w, fmt.Sprintf("203.0.113.%d", i%200), c[0], i)
			},
			most: 100, code: "too_many_connections", from: here,
		},
		"many visitors of many addresses": {
			try: func(w *limitedServer, c []string, i int) string {
				return hello(w, fmt.Sprintf("203.0.113.%d", i%200), c[i%len(c)], i)
			},
			most: 240, code: "too_many_connections", from: here,
		},
		"addresses of one IPv6 network": {
			try: func(w *limitedServer, c []string, i int) string {
				return hello(w, fmt.Sprintf("2001:db8:1:2::%x", i+1), c[i%len(c)], i)
			},
			most: 60, code: "too_many_connections", from: []string{"2001:db8:1:2::ffff", "2001:db8:1:3::1"},
		},
		"an address behind a trusted proxy": {
			try: func(w *limitedServer, c []string, i int) string {
				return hello(w, "10.0.0.1", c[i%len(c)], i, "X-Forwarded-For", attacker)
			},
			change: func(p *servertest.Config) { p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			most:   60, code: "too_many_connections", from: []string{"10.0.0.1"}, header: []string{"X-Forwarded-For", attacker},
		},
		"no hello": {
			try: func(w *limitedServer, _ []string, i int) string {
				w.open(attacker, path(i))
				return ""
			},
			most: 75, from: here,
		},
		"no hello, behind a trusted proxy": {
			try: func(w *limitedServer, _ []string, i int) string {
				w.open("10.0.0.1", path(i), "X-Forwarded-For", attacker)
				return ""
			},
			change: func(p *servertest.Config) { p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			most:   75, from: []string{"10.0.0.1"}, header: []string{"X-Forwarded-For", attacker},
		},
		"no request": {
			try:  func(w *limitedServer, _ []string, _ int) string { w.dial(attacker); return "" },
			most: 75, from: here,
		},
		"slow headers": {
			try: func(w *limitedServer, _ []string, _ int) string {
				io.WriteString(w.dial(attacker), "GET / HTTP/1.1\r\nHost: ")
				return ""
			},
			most: 75, from: here,
		},
		"slow bodies, beside live connections of a visitor": {
			try: func(w *limitedServer, c []string, i int) string {
				if i < 100 { // the slow bodies must not time out at the end of the attack
					return hello(w, attacker, c[0], i)
				}
				fmt.Fprintf(w.dial(attacker), "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nCookie: %s\r\nContent-Length: 100\r\n\r\n{",
					strings.Replace(servertest.LivePath, "live", "update", 1), w.Host, c[1])
				return ""
			},
			most: 75, from: here,
		},
		"keep-alive": {
			try: func(w *limitedServer, _ []string, _ int) string {
				status, _, _ := w.get(w.dial(attacker), "/")
				return strings.TrimPrefix(fmt.Sprint(status), "200")
			},
			most: 75, from: here,
		},
		"keep-alive, from many addresses": {
			try: func(w *limitedServer, _ []string, i int) string {
				status, _, _ := w.get(w.dial(fmt.Sprintf("203.0.113.%d", i%200)), "/")
				return strings.TrimPrefix(fmt.Sprint(status), "200")
			},
			most: 300, from: here,
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := a.change
			if change == nil {
				change = func(*servertest.Config) {}
			}
			runLimited(t, connections, func(w *limitedServer) {
				cookies := w.visitorCookies(50)
				last := ""
				for i := range attempts {
					last = a.try(w, cookies, i)
					time.Sleep(time.Second / 8)
				}
				synctest.Wait()
				open := httpapi.OpenConnections(w.Handler)
				if got := open.Visitors + open.Unidentified; got > a.most || got < a.most/2 {
					t.Errorf("%d connections are open (%+v), want up to %d", got, open, a.most)
				}
				if last != a.code {
					t.Errorf("the last attempt got %q, want %q", last, a.code)
				}
				for i, from := range a.from {
					w.expectConnects([]string{"Alice", "Bo"}[i], from, a.header...)
				}
			}, change)
		})
	}
}
