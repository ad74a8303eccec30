package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLiveConnectionsOfOneUserAreLimitedAcrossProjects(t *testing.T) {
	runLimited(t, 1000, func(w *limitedServer) {
		alice := w.As("alice", "1")
		enter := func(p *servertest.Client, i int) (*servertest.Socket, servertest.Message) {
			s, status := w.open("203.0.113.9", strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i), 1))
			if s == nil {
				t.Fatalf("the handshake of connection %d got %d", i, status)
			}
			s.Send("hello", `"session": "a", "token": "`+p.Token+`"`)
			return s, s.SkipTo("ack", "error")
		}
		var sockets []*servertest.Socket
		for i := range 5 {
			s, m := enter(alice, i)
			if m.Type != "ack" {
				t.Fatalf("connection %d got %s", i, m.Text)
			}
			sockets = append(sockets, s)
		}
		s, m := enter(alice, 5)
		if m.Code != "too_many_connections" || m.RetryAfter <= 0 {
			t.Errorf("one more than a user may have got %s, want too_many_connections, with retry_after", m.Text)
		}
		s.ExpectClose(1008)
		if listed := *alice.ExpectSuccess(alice.Do("GET", "/writer/api/project/p5/presence/list/", "")).Users; len(listed) != 0 {
			t.Errorf("a session whose connection was rejected is listed: %v", listed)
		}
		if _, m := enter(w.As("bob", "2"), 5); m.Type != "ack" {
			t.Errorf("another user got %s", m.Text)
		}
		sockets[0].Conn.Close()
		time.Sleep(time.Second)
		if _, m := enter(alice, 5); m.Type != "ack" {
			t.Errorf("after one connection has ended, the next got %s", m.Text)
		}
	}, func(p *servertest.Config) { p.UserConnections = 5 })
}

func TestConnectionOverTheLimitOfItsAddressGets429(t *testing.T) { // rule 16
	runLimited(t, 1000, func(w *limitedServer) {
		alice := w.As("alice", "1")
		for i := range 4 {
			s, _ := w.open("203.0.113.9", servertest.LivePath)
			s.Send("hello", fmt.Sprintf(`"session": "s%d", "token": "%s"`, i, alice.Token))
			s.Next("ack")
		}
		status, body, header := w.get(w.dial("203.0.113.9"), "/")
		servertest.Response{Status: status, Header: header, Body: body}.ExpectError(t, 429, "too_many_connections")
		if header.Get("Retry-After") != "30" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("its headers are %v, want Retry-After: 30 and no-store", header)
		}
		if status, _, _ := w.get(w.dial("203.0.113.10"), "/"); status != 200 {
			t.Errorf("another address got %d", status)
		}
		for range 200 { // more than the server answers at one time: it closes the others
			w.dial("203.0.113.9")
		}
		if logged := w.Logs.String(); strings.Count(logged, "--address-connections") != 1 || !strings.Contains(logged, "203.0.113.9") || !strings.Contains(logged, "--trusted-proxies") {
			t.Errorf("the log is %q, want one line that names the address, the flag and --trusted-proxies", logged)
		}
	}, func(p *servertest.Config) { p.AddressConnections = 4 })
}

func TestNegativeConnectionLimitsMeanNoLimit(t *testing.T) {
	runLimited(t, 1000, func(w *limitedServer) {
		cookie := w.visitorCookies(1)[0]
		for i := range 150 {
			s, status := w.open("203.0.113.9", strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i), 1), "Cookie", cookie)
			if s == nil {
				t.Fatalf("handshake %d got %d", i, status)
			}
			s.Send("hello", `"session": "s"`)
			if m := s.SkipTo("ack", "error"); m.Type != "ack" {
				t.Fatalf("hello %d got %s", i, m.Text)
			}
		}
	}, func(p *servertest.Config) { p.Connections, p.UserConnections, p.AddressConnections = -1, -1, -1 })
}

func TestVisitorsLeaveConnectionsFreeAtSmallLimits(t *testing.T) {
	for most, visitors := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 9: 7, 10: 8} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			runLimited(t, 1000, func(w *limitedServer) {
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
					t.Errorf("%d of %d connections of an address went to visitors, want %d", in, most, visitors)
				}
			}, func(p *servertest.Config) { p.AddressConnections = most })
		})
	}
}

func TestHelloThatRenewsATokenIsCountedOnce(t *testing.T) {
	runLimited(t, 1000, func(w *limitedServer) {
		open := func(session string) (*servertest.Socket, servertest.Message) {
			s, status := w.open("203.0.113.9", servertest.LivePath)
			if s == nil {
				t.Fatalf("the handshake of session %s got %d", session, status)
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
			t.Errorf("after six hellos on one connection %d live connections are counted, want 1", counted.Live)
		}
		if _, m := open("second"); m.Type != "ack" {
			t.Errorf("the second connection got %s, want an ack, since a user may have two", m.Text)
		}
		if _, m := open("third"); m.Code != "too_many_connections" {
			t.Errorf("the third connection got %s, want too_many_connections", m.Text)
		}
	}, func(p *servertest.Config) {
		p.UserConnections, p.Dev = 2, nil
		p.Authenticator = tokenHolders{"a": {ID: "1", Name: "alice"}}
	})
}

// The first hello is rejected after it was counted, since the user has the most connections in
// this room; the second one came in the same packet.
func TestSecondHelloAfterARejectedOneIsNotCounted(t *testing.T) {
	runLimited(t, 1000, func(w *limitedServer) {
		rejected := false
		for i := range 100 {
			s, status := w.open("203.0.113.9", servertest.LivePath)
			if s == nil {
				t.Fatalf("handshake %d got %d", i, status)
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
			t.Errorf("%+v are counted, want no connections without a hello", open)
		}
		for _, conn := range w.dialled {
			conn.Close()
		}
		time.Sleep(time.Second)
		if open := httpapi.OpenConnections(w.Handler); open.Live != 0 {
			t.Errorf("after all have ended %d live connections are counted, want 0", open.Live)
		}
	}, func(p *servertest.Config) {
		p.Dev = nil
		p.UserConnections, p.AddressConnections = -1, -1
		p.Authenticator = tokenHolders{"a": {ID: "1", Name: "alice"}}
	})
}
