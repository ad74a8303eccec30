package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestOnlyAllowedOriginsConnect(t *testing.T) { // case 41
	dev := func(p *servertest.Config) { p.Dev = &identity.Dev{} }
	noDev := func(p *servertest.Config) { p.Dev = nil }
	listed := func(p *servertest.Config) {
		p.Dev, p.Origins = nil, []string{"https://write.example.org", "https://other.example.org:8443"}
	}
	const own = "http://127.0.0.1:8080"
	for _, c := range []struct {
		options func(*servertest.Config)
		status  int
		code    string
		all     map[string][]string
	}{
		{dev, 403, "cross_origin", map[string][]string{
			"no Origin":              {"Origin", ""},
			"another Origin":         {"Origin", "http://evil.example"},
			"two Origins":            {"Origin", own + "\r\nOrigin: " + own},
			"one good and one bad":   {"Origin", own + "\r\nOrigin: http://evil.example"},
			"the Origin null":        {"Origin", "null"},
			"another port":           {"Origin", "http://127.0.0.1:8081"},
			"no port":                {"Origin", "http://127.0.0.1"},
			"another scheme":         {"Origin", "ftp://127.0.0.1:8080"},
			"a suffix":               {"Origin", own + ".evil.example"},
			"ours as a user":         {"Origin", "http://127.0.0.1:8080@evil.example"},
			"a list":                 {"Origin", own + ", http://evil.example"},
			"a rebound Host":         {"Host", "evil.example", "Origin", "http://evil.example"},
			"a rebound Host, a port": {"Host", "evil.example:8080", "Origin", "http://evil.example:8080"},
		}},
		{dev, 101, "", map[string][]string{
			"its own":   {},
			"localhost": {"Host", "localhost:8080", "Origin", "http://LocalHost:8080"},
		}},
		{noDev, 101, "", map[string][]string{
			"its own":            {"Host", "write.example.org", "Origin", "https://write.example.org"},
			"its own, by a port": {"Host", "write.example.org:8443", "Origin", "https://write.example.org:8443"},
		}},
		{noDev, 403, "cross_origin", map[string][]string{"a neighbour": {"Host", "write.example.org", "Origin", "https://example.org"}}},
		{listed, 101, "", map[string][]string{
			"one of the list": {"Origin", "https://write.example.org"},
			"the other":       {"Origin", "https://other.example.org:8443"},
		}},
		{listed, 403, "cross_origin", map[string][]string{
			"the server's own, which is not in the list": {},
			"another scheme": {"Origin", "http://write.example.org"},
			"another port":   {"Origin", "https://other.example.org"},
			"a suffix":       {"Origin", "https://write.example.org.evil.example"},
			"none":           {"Origin", ""},
		}},
	} {
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) { w.ExpectHandshakes(c.status, c.code, c.all) }, c.options)
	}
}

func TestHandshakeErrors(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		w.ExpectHandshakes(426, "upgrade_required", map[string][]string{
			"no Upgrade":              {"Upgrade", ""},
			"another Upgrade":         {"Upgrade", "h2c"},
			"no Connection":           {"Connection", ""},
			"another Connection":      {"Connection", "keep-alive"},
			"an old version":          {"Sec-WebSocket-Version", "8"},
			"no version":              {"Sec-WebSocket-Version", ""},
			"no key":                  {"Sec-WebSocket-Key", ""},
			"a short key":             {"Sec-WebSocket-Key", "c2hvcnQ="},
			"a key that is not":       {"Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!!!"},
			"two keys":                {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
			"a list of keys":          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="},
			"a good and a bad key":    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x"},
			"two versions":            {"Sec-WebSocket-Version", "13\r\nSec-WebSocket-Version: 13"},
			"two other versions":      {"Sec-WebSocket-Version", "13\r\nSec-WebSocket-Version: 8"},
			"a list of versions":      {"Sec-WebSocket-Version", "13, 13"},
			"a subprotocol twice":     {"Sec-WebSocket-Protocol", "writer-presence.v1, writer-presence.v1"},
			"the same in two lines":   {"Sec-WebSocket-Protocol", "writer-presence.v1\r\nSec-WebSocket-Protocol: writer-presence.v1"},
			"another one twice":       {"Sec-WebSocket-Protocol", "chat, writer-presence.v1, chat"},
			"no subprotocol":          {"Sec-WebSocket-Protocol", ""},
			"another subprotocol":     {"Sec-WebSocket-Protocol", "writer-presence.v2"},
			"a subprotocol in a case": {"Sec-WebSocket-Protocol", "Writer-Presence.V1"}, // RFC 6455, 4.1: it matters
		})
		w.ExpectHandshakes(101, "", map[string][]string{
			"several subprotocols":      {"Sec-WebSocket-Protocol", "chat, writer-presence.v1"},
			"subprotocols in two lines": {"Sec-WebSocket-Protocol", "chat\r\nSec-WebSocket-Protocol: writer-presence.v1"},
			"an empty subprotocol":      {"Sec-WebSocket-Protocol", "writer-presence.v1, , "},
			"Upgrade in two lines":      {"Upgrade", "websocket\r\nUpgrade: websocket"},
			"Connection has more":       {"Connection", "keep-alive, Upgrade"},
			"Connection in two lines":   {"Connection", "keep-alive\r\nConnection: upgrade"},
			"another case":              {"Upgrade", "WebSocket"},
			"Upgrade has more":          {"Upgrade", "websocket, h2c"},
			"extensions":                {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"},
		})
		got := w.Do("GET", servertest.LivePath, nil)
		got.ExpectError(t, 426, "upgrade_required")
		if got.Header.Get("Upgrade") != "websocket" || got.Header.Get("Connection") != "Upgrade" {
			t.Errorf("headers of 426: got %v, want Upgrade: websocket", got.Header)
		}
		w.Do("POST", servertest.LivePath, strings.NewReader("{}"), w.HandshakeHeaders()...).ExpectError(t, 405, "method_not_allowed")
		w.Do("GET", strings.Replace(servertest.LivePath, "/p/", "/a:b/", 1), nil, w.HandshakeHeaders()...).ExpectError(t, 400, "project_invalid")
		w.Do("GET", strings.TrimSuffix(servertest.LivePath, "/"), nil, w.HandshakeHeaders()...).ExpectError(t, 404, "not_found")
	})
}

// members authorises user 1 in the project p, and nobody anywhere else.
func members(_ context.Context, r identity.Request) (identity.Principal, error) {
	switch {
	case r.Token == "":
		return identity.Principal{}, identity.ErrNobody
	case r.Token != "alice" && r.Token != "mallory":
		return identity.Principal{}, identity.ErrTokenInvalid
	case r.Token == "alice" && r.Project == "p":
		return identity.Principal{User: presence.User{ID: "1", Name: "alice"}}, nil
	}
	return identity.Principal{}, identity.ErrProjectUnknown
}

func TestForbiddenAndUnknownProjectsGetEqualAnswers(t *testing.T) { // rule 14, case 37
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		w.Join(&servertest.Client{Token: "alice"}, `"session": "a", "section": "s"`)
		ask := func(project, what, token string) string {
			method, headers := "POST", []string{"Content-Type", "application/json"}
			if what == "list" || what == "live" {
				method, headers = "GET", nil
			}
			if what == "live" {
				headers = w.HandshakeHeaders()
			}
			if token != "" {
				headers = append(headers, "Authorization", "Bearer "+token)
			}
			got := w.Do(method, "/writer/api/project/"+project+"/presence/"+what+"/", strings.NewReader("{}"), headers...)
			return fmt.Sprint(got)
		}
		want := ask("none", "list", "mallory")
		if !strings.Contains(want, "project_unknown") {
			t.Fatalf("list of an unknown project: got %s, want project_unknown", want)
		}
		for _, project := range []string{"p", "none"} {
			for _, what := range []string{"list", "update", "leave", "live"} {
				if got := ask(project, what, "mallory"); got != want {
					t.Errorf("%s of %s: got\n%s\nwant the answer for an unknown project\n%s", what, project, got, want)
				}
			}
			s := w.ConnectTo("/writer/api/project/" + project + "/presence/live/") // without credentials
			s.Send("hello", `"session": "m", "token": "mallory"`)
			s.ExpectRejected("project_unknown")
		}
		w.Do("GET", strings.Replace(servertest.LivePath, "/p/", "/other/", 1), nil, w.HandshakeHeaders("Authorization", "Bearer alice")...).ExpectError(t, 404, "project_unknown")
	}, func(p *servertest.Config) { p.Authenticator = servertest.AuthenticatorFunc(members) })
}

func TestRateLimitsCountHandshakes(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		for range 2 {
			w.Connect()
		}
		conn, _, got := w.Handshake(servertest.LivePath)
		defer conn.Close()
		if got.StatusCode != 429 || got.Header.Get("Retry-After") != "4" {
			t.Errorf("got %d, Retry-After %q, want 429 and 4", got.StatusCode, got.Header.Get("Retry-After"))
		}
	}, func(p *servertest.Config) { p.AddressRate = identity.Rate{PerSecond: 0.25, Burst: 2} })
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := "Bearer " + w.As("alice", "1").Token
		w.Connect("Authorization", alice)
		w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", alice)...).ExpectError(t, 429, "too_many_requests")
		w.Connect("Authorization", "Bearer "+w.As("bob", "2").Token)
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.25, Burst: 1} })
}

func TestMessageContentIsNotInErrorsOrLog(t *testing.T) { // case 42, invariant 12
	const canary = "CaNaRy7"
	store := &servertest.FlakyStore{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		token := w.As(canary, canary).Token
		failures := 0
		for _, failing := range []error{nil, fmt.Errorf("the store: %w", presence.ErrUnavailable), errors.New("the store")} {
			for _, text := range []string{
				canary, `{"type": "` + canary + `"}`, `{"type": "update", "section": "` + canary + `//"}`, `{"type": "update", "section": ["` + canary + `"]}`,
				`{"type": "update", "session": "` + canary + `"}`, `{"type": "update", "activity": "` + canary + `"}`, `{"type": "update", "seq": "` + canary + `"}`,
				`{"type": "hello", "session": "` + canary + `", "token": "` + canary + `"}`, `{"type": "update", "section": "` + canary + `"}`, `{"type": "leave"}`,
			} {
				store.Fail(nil, nil)
				s := w.Connect()
				s.Send("hello", `"session": "a", "token": "`+token+`"`)
				s.Pending()
				store.Fail(failing, failing)
				s.SendFrame(0x81, []byte(text))
				for _, m := range s.Pending() {
					if m.Type != "error" {
						continue
					}
					failures++
					if strings.Contains(m.Text, canary) || strings.Contains(m.Text, token) || strings.Contains(m.Text, "the store") {
						t.Errorf("%s: got %s, want no content of the message", text, m.Text)
					}
				}
				s.Conn.Close()
				time.Sleep(time.Second)
			}
		}
		logged := w.Logs.String()
		if strings.Contains(logged, canary) || strings.Contains(logged, token) {
			t.Errorf("log: got content of a message: %s", logged)
		}
		if failures < 24 || !strings.Contains(logged, "the store") {
			t.Errorf("got %d errors and the log %q, want at least 24 errors and the store's in the log, or this test shows nothing", failures, logged)
		}
	}, store.Install)
}
