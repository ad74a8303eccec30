package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/connlimit"
)

// fromConn is a connection that comes from an address.
type fromConn struct {
	net.Conn
	address net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.address }

// boundedWorld is a server of so many connections, which come from addresses.
type boundedWorld struct {
	*servertest.LiveServer
	dialled []net.Conn
}

// embeddedServe serves as an application does that has the handler in its own http.Server.
func embeddedServe(ctx context.Context, l net.Listener, h *httpapi.Handler) error {
	server := &http.Server{Handler: h}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func inBounded(t *testing.T, connections int, test func(*boundedWorld), changes ...func(*servertest.Config)) {
	t.Helper()
	inBoundedBy(t, servertest.Serve, connections, test, changes...)
}

func inBoundedBy(t *testing.T, serve servertest.ServeFunc, connections int, test func(*boundedWorld), changes ...func(*servertest.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		changes = append(changes, func(p *servertest.Config) {
			p.Connections = connections
			p.UserProjects, p.VisitorProjects, p.AddressProjects = -1, -1, -1
		})
		w := &boundedWorld{LiveServer: servertest.NewLive(t, serve, changes...)}
		hangUp := func() {
			for _, conn := range w.dialled {
				conn.Close()
			}
		}
		defer hangUp() // also after t.Fatal, so that the server can stop
		test(w)
		hangUp()
		time.Sleep(time.Minute)
		synctest.Wait()
		if open := httpapi.OpenConnections(w.Handler); open != (connlimit.Counts{}) {
			t.Errorf("after all connections have ended, %+v are counted; want none", open)
		}
	})
}

// dial connects from an address. It fails if the connection is not taken within 5 s.
func (w *boundedWorld) dial(from string) net.Conn {
	w.T.Helper()
	ours, theirs := net.Pipe()
	address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 4711))
	if !w.Listener.Offer(fromConn{theirs, address}, 5*time.Second) {
		w.T.Fatalf("a connection from %s was not taken in 5 s", from)
	}
	w.dialled = append(w.dialled, ours)
	return ours
}

// get sends a request on a connection and returns the answer.
func (w *boundedWorld) get(conn net.Conn, path string, headers ...string) (status int, body string, header http.Header) {
	w.T.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	text := "GET " + path + " HTTP/1.1\r\nHost: " + w.Host + "\r\n"
	for i := 0; i < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	io.WriteString(conn, text+"\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error(), nil
	}
	content, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(content), answer.Header
}

// open connects a live connection, and returns the status of the handshake if it was rejected.
func (w *boundedWorld) open(from, path string, headers ...string) (s *servertest.Socket, status int) {
	w.T.Helper()
	raw := w.dial(from)
	conn := servertest.NewPausableConn(raw)
	io.WriteString(conn, servertest.HandshakeRequest(w.Host, path, headers...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, 0
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		io.Copy(io.Discard, answer.Body)
		return nil, answer.StatusCode
	}
	return servertest.NewSocket(w.T, conn, r), answer.StatusCode
}

// getsIn checks that somebody with a token gets in from an address, live and by polling.
func (w *boundedWorld) getsIn(name, from string, headers ...string) {
	w.T.Helper()
	alice := w.As(name, presence.UserID("7"+fmt.Sprint(len(name))))
	s, status := w.open(from, servertest.LivePath, headers...)
	if s == nil {
		w.T.Errorf("%s with a token: the handshake from %s was answered %d; want 101", name, from, status)
		return
	}
	time.Sleep(100 * time.Millisecond) // as a network takes
	s.Send("hello", `"session": "tab", "token": "`+alice.Token+`"`)
	s.Next("ack")
	s.Next("snapshot")
	status, body, _ := w.get(w.dial(from), strings.Replace(servertest.LivePath, "live", "list", 1), append(headers, "Authorization", "Bearer "+alice.Token)...)
	if status != 200 || !strings.Contains(body, `"username":"`+name+`"`) {
		w.T.Errorf("%s with a token polls from %s: answered %d %s; want a list with %s", name, from, status, body, name)
	}
	time.Sleep(15 * time.Second)
	if s.Closed() {
		w.T.Errorf("the live connection of %s, with a token, was closed with %d", name, s.CloseCode)
	}
}

// visitorCookies makes visitors.
func (w *boundedWorld) visitorCookies(n int) (cookies []string) {
	w.T.Helper()
	for range n {
		p := w.Anonymous()
		p.Update(`{"session": "first"}`)
		cookies = append(cookies, p.Cookie)
	}
	return cookies
}

// Whatever somebody without a token opens, eight a second for a minute, they hold no more than
// their share, and people with tokens get in from their address and from others.
func TestOneAddressLeavesConnectionsToTokenHolders(t *testing.T) {
	const connections, attempts = 300, 480 // 8 a second for a minute
	const attacker = "203.0.113.9"
	path := func(i int) string { return strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i%30), 1) }
	hello := func(w *boundedWorld, from, cookie string, i int, headers ...string) (rejected string) {
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
		try    func(w *boundedWorld, cookies []string, i int) string
		change func(*servertest.Config)
		most   int    // connections that are open at the end
		code   string // that the last one was rejected with
		from   []string
		header []string
	}
	here := []string{attacker, "198.51.100.7"}
	for name, a := range map[string]attack{
		"one visitor": {
			try:  func(w *boundedWorld, c []string, i int) string { return hello(w, attacker, c[0], i) },
			most: 60, code: "too_many_connections", from: here,
		},
		"many visitors of an address": {
			try:  func(w *boundedWorld, c []string, i int) string { return hello(w, attacker, c[i%len(c)], i) },
			most: 60, code: "too_many_connections", from: here,
		},
		"one visitor of many addresses": {
			try: func(w *boundedWorld, c []string, i int) string {
				return hello(w, fmt.Sprintf("203.0.113.%d", i%200), c[0], i)
			},
			most: 100, code: "too_many_connections", from: here,
		},
		"many visitors of many addresses": {
			try: func(w *boundedWorld, c []string, i int) string {
				return hello(w, fmt.Sprintf("203.0.113.%d", i%200), c[i%len(c)], i)
			},
			most: 240, code: "too_many_connections", from: here,
		},
		"addresses of one IPv6 network": {
			try: func(w *boundedWorld, c []string, i int) string {
				return hello(w, fmt.Sprintf("2001:db8:1:2::%x", i+1), c[i%len(c)], i)
			},
			most: 60, code: "too_many_connections", from: []string{"2001:db8:1:2::ffff", "2001:db8:1:3::1"},
		},
		"an address behind a trusted proxy": {
			try: func(w *boundedWorld, c []string, i int) string {
				return hello(w, "10.0.0.1", c[i%len(c)], i, "X-Forwarded-For", attacker)
			},
			change: func(p *servertest.Config) { p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			most:   60, code: "too_many_connections", from: []string{"10.0.0.1"}, header: []string{"X-Forwarded-For", attacker},
		},
		"no hello": {
			try: func(w *boundedWorld, _ []string, i int) string {
				w.open(attacker, path(i))
				return ""
			},
			most: 75, from: here,
		},
		"no hello, behind a trusted proxy": {
			try: func(w *boundedWorld, _ []string, i int) string {
				w.open("10.0.0.1", path(i), "X-Forwarded-For", attacker)
				return ""
			},
			change: func(p *servertest.Config) { p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			most:   75, from: []string{"10.0.0.1"}, header: []string{"X-Forwarded-For", attacker},
		},
		"no request": {
			try:  func(w *boundedWorld, _ []string, _ int) string { w.dial(attacker); return "" },
			most: 75, from: here,
		},
		"slow headers": {
			try: func(w *boundedWorld, _ []string, _ int) string {
				io.WriteString(w.dial(attacker), "GET / HTTP/1.1\r\nHost: ")
				return ""
			},
			most: 75, from: here,
		},
		"slow bodies, beside live connections of a visitor": {
			try: func(w *boundedWorld, c []string, i int) string {
				if i < 100 { // so that no bodies end just when the attack does
					return hello(w, attacker, c[0], i)
				}
				fmt.Fprintf(w.dial(attacker), "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nCookie: %s\r\nContent-Length: 100\r\n\r\n{",
					strings.Replace(servertest.LivePath, "live", "update", 1), w.Host, c[1])
				return ""
			},
			most: 75, from: here,
		},
		"keep-alive": {
			try: func(w *boundedWorld, _ []string, _ int) string {
				status, _, _ := w.get(w.dial(attacker), "/")
				return strings.TrimPrefix(fmt.Sprint(status), "200")
			},
			most: 75, from: here,
		},
		"keep-alive, from many addresses": {
			try: func(w *boundedWorld, _ []string, i int) string {
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
			inBounded(t, connections, func(w *boundedWorld) {
				cookies := w.visitorCookies(50)
				last := ""
				for i := range attempts {
					last = a.try(w, cookies, i)
					time.Sleep(time.Second / 8)
				}
				synctest.Wait()
				open := httpapi.OpenConnections(w.Handler)
				if got := open.Visitors + open.Unidentified; got > a.most || got < a.most/2 {
					t.Errorf("%d connections are open (%+v); want up to %d", got, open, a.most)
				}
				if last != a.code {
					t.Errorf("the last attempt was answered %q; want %q", last, a.code)
				}
				for i, from := range a.from {
					w.getsIn([]string{"Alice", "Bo"}[i], from, a.header...)
				}
			}, change)
		})
	}
}

func TestAUserHasBoundedLiveConnectionsInAllProjects(t *testing.T) {
	inBounded(t, 1000, func(w *boundedWorld) {
		alice := w.As("alice", "1")
		enter := func(p *servertest.Client, i int) (*servertest.Socket, servertest.Message) {
			s, status := w.open("203.0.113.9", strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i), 1))
			if s == nil {
				t.Fatalf("the handshake of connection %d was answered %d", i, status)
			}
			s.Send("hello", `"session": "a", "token": "`+p.Token+`"`)
			return s, s.SkipTo("ack", "error")
		}
		var sockets []*servertest.Socket
		for i := range 5 {
			s, m := enter(alice, i)
			if m.Type != "ack" {
				t.Fatalf("connection %d was answered %s", i, m.Text)
			}
			sockets = append(sockets, s)
		}
		s, m := enter(alice, 5)
		if m.Code != "too_many_connections" || m.RetryAfter <= 0 {
			t.Errorf("one more than a user may have was answered %s; want too_many_connections, with retry_after", m.Text)
		}
		s.ExpectClose(1008)
		if listed := *alice.ExpectSuccess(alice.Do("GET", "/writer/api/project/p5/presence/list/", "")).Users; len(listed) != 0 {
			t.Errorf("a session whose connection was rejected is listed: %v", listed)
		}
		if _, m := enter(w.As("bob", "2"), 5); m.Type != "ack" {
			t.Errorf("another user was answered %s", m.Text)
		}
		sockets[0].Conn.Close()
		time.Sleep(time.Second)
		if _, m := enter(alice, 5); m.Type != "ack" {
			t.Errorf("after one connection has ended, the next was answered %s", m.Text)
		}
	}, func(p *servertest.Config) { p.UserConnections = 5 })
}

func TestAConnectionAboveTheLimitOfItsAddressIsAnswered429(t *testing.T) { // rule 16
	inBounded(t, 1000, func(w *boundedWorld) {
		alice := w.As("alice", "1")
		for i := range 4 {
			s, _ := w.open("203.0.113.9", servertest.LivePath)
			s.Send("hello", fmt.Sprintf(`"session": "s%d", "token": "%s"`, i, alice.Token))
			s.Next("ack")
		}
		status, body, header := w.get(w.dial("203.0.113.9"), "/")
		servertest.Response{Status: status, Header: header, Body: body}.ExpectError(t, 429, "too_many_connections")
		if header.Get("Retry-After") != "30" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("its headers are %v; want Retry-After: 30 and no-store", header)
		}
		if status, _, _ := w.get(w.dial("203.0.113.10"), "/"); status != 200 {
			t.Errorf("another address was answered %d", status)
		}
		for range 200 { // above what is answered at one time, connections are closed
			w.dial("203.0.113.9")
		}
		if logged := w.Logs.String(); strings.Count(logged, "--address-connections") != 1 || !strings.Contains(logged, "203.0.113.9") || !strings.Contains(logged, "--trusted-proxies") {
			t.Errorf("the log is %q; want one line that names the address, the flag and --trusted-proxies", logged)
		}
	}, func(p *servertest.Config) { p.AddressConnections = 4 })
}

func TestARequestIsNotClosedToMakeRoom(t *testing.T) {
	inBounded(t, 8, func(w *boundedWorld) {
		slow := w.dial("203.0.113.9")
		fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{",
			strings.Replace(servertest.LivePath, "live", "update", 1), w.Host, w.As("alice", "1").Token)
		for i := range 40 {
			if status, body, _ := w.get(w.dial(fmt.Sprintf("198.51.100.%d", i)), "/"); status != 200 {
				t.Errorf("request %d was answered %d %s", i, status, body)
			}
		}
		io.WriteString(slow, "}")
		if got, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || got.StatusCode != 200 {
			t.Errorf("the request that was under way was answered %v, %v; want 200", got, err)
		}
	})
}

func TestNegativeLimitsOfConnectionsAreNone(t *testing.T) {
	inBounded(t, 1000, func(w *boundedWorld) {
		cookie := w.visitorCookies(1)[0]
		for i := range 150 {
			s, status := w.open("203.0.113.9", strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i), 1), "Cookie", cookie)
			if s == nil {
				t.Fatalf("handshake %d was answered %d", i, status)
			}
			s.Send("hello", `"session": "s"`)
			if m := s.SkipTo("ack", "error"); m.Type != "ack" {
				t.Fatalf("hello %d was answered %s", i, m.Text)
			}
		}
	}, func(p *servertest.Config) { p.Connections, p.UserConnections, p.AddressConnections = -1, -1, -1 })
}

// slowTokenGate is an Authenticator that needs a while to check a token.
type slowTokenGate struct {
	identity.Authenticator
	takes time.Duration
}

func (g slowTokenGate) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	if r.Token != "" {
		time.Sleep(g.takes)
	}
	return g.Authenticator.Authenticate(ctx, r)
}

// tokenHolders lets in whoever has one of these tokens, and people who only read the list.
type tokenHolders map[string]presence.User

func (h tokenHolders) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	user, ok := h[r.Token]
	if !ok && (r.Token != "" || !r.ReadOnly) {
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: user}, nil
}

func TestHelloIsNotEvictedWhileItsTokenIsChecked(t *testing.T) {
	const address = "203.0.113.9"
	for name, serve := range map[string]servertest.ServeFunc{"Handler.Serve": servertest.Serve, "an application's server": embeddedServe} {
		t.Run(name, func(t *testing.T) {
			inBoundedBy(t, serve, 1000, func(w *boundedWorld) {
				s, status := w.open(address, servertest.LivePath, "Authorization", "Bearer a") // is checked for 3 s
				if s == nil {
					t.Fatalf("the handshake was answered %d; want 101", status)
				}
				time.Sleep(100 * time.Millisecond)
				s.Send("hello", `"session": "s", "token": "a"`)
				var silent []*servertest.Socket
				for range 9 { // more than the address may have; each is evictable after a second
					if other, _ := w.open(address, servertest.LivePath); other != nil {
						silent = append(silent, other)
					}
					time.Sleep(300 * time.Millisecond)
				}
				s.Next("ack")
				s.Next("snapshot")
				if len(silent) < 6 || !silent[0].Closed() {
					t.Errorf("%d silent connections got in, the first one was evicted: %v; the test has to exceed the limit", len(silent), silent[0].Closed())
				}
			}, func(p *servertest.Config) {
				p.AddressConnections, p.Dev = 4, nil
				p.Authenticator = slowTokenGate{tokenHolders{"a": {ID: "1", Name: "alice"}}, 3 * time.Second}
			})
		})
	}
}

func TestHelloThatIsCheckedForTooLongIsEvicted(t *testing.T) {
	const address = "203.0.113.9"
	inBounded(t, 1000, func(w *boundedWorld) {
		s, _ := w.open(address, servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "a"`)
		time.Sleep(6 * time.Second)
		if other, status := w.open(address, servertest.LivePath); other == nil {
			t.Errorf("a handshake above the limit was answered %d; want 101 in place of a hello that has been checked for 6 s", status)
		}
		synctest.Wait()
		if !s.Closed() {
			t.Error("the connection whose hello has been checked for 6 s was not evicted")
		}
		time.Sleep(time.Minute) // the Gate ignores the end of its context
	}, func(p *servertest.Config) {
		p.AddressConnections, p.Dev = 1, nil
		p.Authenticator = slowTokenGate{tokenHolders{"a": {ID: "1", Name: "alice"}}, 30 * time.Second}
	})
}

func TestConnectionHasOneSecondForItsHello(t *testing.T) {
	const address = "203.0.113.9"
	for name, serve := range map[string]servertest.ServeFunc{"Handler.Serve": servertest.Serve, "an application's server": embeddedServe} {
		t.Run(name, func(t *testing.T) {
			inBoundedBy(t, serve, 1000, func(w *boundedWorld) {
				s, _ := w.open(address, servertest.LivePath, "Authorization", "Bearer a") // is checked for 3 s
				time.Sleep(900 * time.Millisecond)
				if _, status := w.open(address, servertest.LivePath); status != 429 {
					t.Errorf("a handshake beside one that is 900 ms old was answered %d; want 429", status)
				}
				if s.Closed() {
					t.Error("the connection was evicted 900 ms after its handshake")
				}
				time.Sleep(200 * time.Millisecond)
				if other, status := w.open(address, servertest.LivePath); other == nil {
					t.Errorf("a handshake beside one that is 1.1 s old was answered %d; want 101", status)
				}
				synctest.Wait()
				if !s.Closed() {
					t.Error("the connection was not evicted 1.1 s after its handshake")
				}
			}, func(p *servertest.Config) {
				p.AddressConnections, p.Dev = 1, nil
				p.Authenticator = slowTokenGate{tokenHolders{"a": {ID: "1", Name: "alice"}}, 3 * time.Second}
			})
		})
	}
}

func TestHelloThatRenewsATokenIsCountedOnce(t *testing.T) {
	inBounded(t, 1000, func(w *boundedWorld) {
		open := func(session string) (*servertest.Socket, servertest.Message) {
			s, status := w.open("203.0.113.9", servertest.LivePath)
			if s == nil {
				t.Fatalf("the handshake of session %s was answered %d", session, status)
			}
			s.Send("hello", `"session": "`+session+`", "token": "a"`)
			return s, s.SkipTo("ack", "error")
		}
		first, _ := open("first")
		for range 5 {
			first.Send("hello", `"session": "first", "token": "a"`)
			first.SkipTo("ack")
		}
		if counted := httpapi.OpenConnections(w.Handler); counted.Live != 1 {
			t.Errorf("after six hellos on one connection %d live connections are counted; want 1", counted.Live)
		}
		if _, m := open("second"); m.Type != "ack" {
			t.Errorf("the second connection was answered %s; want an ack, since a user may have two", m.Text)
		}
		if _, m := open("third"); m.Code != "too_many_connections" {
			t.Errorf("the third connection was answered %s; want too_many_connections", m.Text)
		}
	}, func(p *servertest.Config) {
		p.UserConnections, p.Dev = 2, nil
		p.Authenticator = tokenHolders{"a": {ID: "1", Name: "alice"}}
	})
}

// The first hello is rejected after it was counted, since the user has the most connections in
// this room; the second one came in the same packet.
func TestSecondHelloAfterARejectedOneIsNotCounted(t *testing.T) {
	inBounded(t, 1000, func(w *boundedWorld) {
		rejected := false
		for i := range 100 {
			s, status := w.open("203.0.113.9", servertest.LivePath)
			if s == nil {
				t.Fatalf("handshake %d was answered %d", i, status)
			}
			hello := servertest.MaskedFrame(0x81, fmt.Appendf(nil, `{"type": "hello", "session": "s%d", "token": "a"}`, i))
			s.Conn.Write(append(hello, hello...))
			if m := s.SkipTo("ack", "error"); m.Code == "too_many_sessions" {
				s.ExpectClose(1008)
				rejected = true
				break
			}
		}
		if !rejected {
			t.Fatal("none of 100 connections of a user in one room was rejected; the test shows nothing")
		}
		open := httpapi.OpenConnections(w.Handler)
		if open.Unidentified != 0 {
			t.Errorf("%+v are counted; want no connections without a hello", open)
		}
		for _, conn := range w.dialled {
			conn.Close()
		}
		time.Sleep(time.Second)
		if open := httpapi.OpenConnections(w.Handler); open.Live != 0 {
			t.Errorf("after all have ended %d live connections are counted; want 0", open.Live)
		}
	}, func(p *servertest.Config) {
		p.Dev = nil
		p.UserConnections, p.AddressConnections = -1, -1
		p.Authenticator = tokenHolders{"a": {ID: "1", Name: "alice"}}
	})
}

func TestVisitorsLeaveConnectionsFreeBelowEverySmallLimit(t *testing.T) {
	for most, visitors := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 9: 7, 10: 8} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			inBounded(t, 1000, func(w *boundedWorld) {
				cookie, in := w.visitorCookies(1)[0], 0
				for i := range most {
					s, _ := w.open("203.0.113.9", strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i), 1), "Cookie", cookie)
					if s == nil {
						break
					}
					s.Send("hello", `"session": "s"`)
					if s.SkipTo("ack", "error").Type == "ack" {
						in++
					}
				}
				if in != visitors {
					t.Errorf("%d of %d connections of an address went to visitors; want %d", in, most, visitors)
				}
			}, func(p *servertest.Config) { p.AddressConnections = most })
		})
	}
}

func TestIdleConnectionIsEvictedOnlyForANewOne(t *testing.T) {
	inBounded(t, 1, func(w *boundedWorld) {
		first := w.dial("203.0.113.9")
		for range 3 {
			if status, body, _ := w.get(first, "/"); status != 200 {
				t.Fatalf("a request on the only connection was answered %d %s", status, body)
			}
			time.Sleep(10 * time.Second)
		}
		if status, body, _ := w.get(w.dial("203.0.113.10"), "/"); status != 200 {
			t.Errorf("a request on a new connection was answered %d %s", status, body)
		}
		if status, _, _ := w.get(first, "/"); status != 0 {
			t.Errorf("the idle connection was answered %d; want it closed for the new one", status)
		}
	})
}

func TestRejectedConnectionEvictsNobody(t *testing.T) {
	inBounded(t, 2, func(w *boundedWorld) {
		alice := w.As("alice", "1")
		s, _ := w.open("203.0.113.9", servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "`+alice.Token+`"`)
		s.Next("ack")
		idle := w.dial("203.0.113.10")
		w.get(idle, "/")
		for range 3 {
			if status, _, _ := w.get(w.dial("203.0.113.9"), "/"); status != 429 {
				t.Errorf("a second connection of an address was answered %d; want 429", status)
			}
		}
		if status, body, _ := w.get(idle, "/"); status != 200 {
			t.Errorf("the idle connection of another address was answered %d %s; want 200", status, body)
		}
	}, func(p *servertest.Config) { p.AddressConnections = 1 })
}

func TestNewConnectionWaitsWhileNoneIsEvictable(t *testing.T) {
	inBounded(t, 1, func(w *boundedWorld) {
		alice := w.As("alice", "1")
		s, _ := w.open("203.0.113.9", servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "`+alice.Token+`"`)
		s.Next("ack")
		next := w.dial("203.0.113.10")
		time.AfterFunc(9*time.Second, func() { s.Conn.Close() })
		began := time.Now()
		if status, body, _ := w.get(next, "/"); status != 200 || time.Since(began) < 9*time.Second {
			t.Errorf("after %v the waiting connection was answered %d %s; want 200 after 9 s", time.Since(began), status, body)
		}
	})
}

func TestShutdownClosesAConnectionThatWaits(t *testing.T) {
	inBounded(t, 1, func(w *boundedWorld) {
		io.WriteString(w.dial("203.0.113.9"), "GET / HTTP/1.1\r\n") // is not evicted within a second
		next := w.dial("203.0.113.10")
		synctest.Wait()
		w.Shutdown()
		next.SetDeadline(time.Now().Add(time.Second / 2))
		if _, err := next.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading from the waiting connection returned %v; want EOF within half a second", err)
		}
	})
}

// slowlyClosed is a connection whose Close takes 5 s.
type slowlyClosed struct{ net.Conn }

func (c slowlyClosed) Close() error {
	time.Sleep(5 * time.Second)
	return c.Conn.Close()
}

func TestNewConnectionDoesNotWaitForTheCloseOfTheEvictedOne(t *testing.T) {
	for name, limit := range map[string]func(*servertest.Config){
		"limit of all connections": func(p *servertest.Config) { p.AddressConnections = -1 },
		"limit of an address":      func(p *servertest.Config) { p.AddressConnections = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			inBounded(t, 1, func(w *boundedWorld) {
				ours, theirs := net.Pipe()
				w.dialled = append(w.dialled, ours)
				w.Listener.Offer(slowlyClosed{fromConn{theirs, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}}}, time.Minute)
				w.get(ours, "/")
				synctest.Wait() // until it is idle
				began := time.Now()
				status, body, _ := w.get(w.dial("203.0.113.9"), "/")
				if took := time.Since(began); status != 200 || took > time.Second {
					t.Errorf("after %v the new connection was answered %d %s; want 200 within a second", took, status, body)
				}
			}, limit)
		})
	}
}
