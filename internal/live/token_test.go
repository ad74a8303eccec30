package live_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

func TestSecondHelloRenewsExpiringTokenUnseen(t *testing.T) {
	g := servertest.TokenAuthenticator{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		end := time.Now().Add(160 * time.Second)
		g["a-old"], g["a-new"], g["b"] = end, end.Add(time.Hour), end.Add(time.Hour)
		bob := w.Connect()
		bob.Send("hello", `"session": "b", "token": "b"`)
		bob.Pending()
		alice := w.Connect()
		alice.Send("hello", `"session": "a", "seq": 1, "section": "s", "token": "a-old"`)
		alice.Next("ack")
		alice.Next("snapshot")
		bob.Pending()
		began := time.Now()
		m, err := alice.Receive(2 * time.Minute)
		if left := time.Until(end); err != nil || m.Type != "error" || m.Code != "token_ends" || m.Seq != 0 || left < 95*time.Second || left > 2*time.Minute {
			t.Fatalf("%v after the hello, %v before the expiry: got %s, error %v, want the error token_ends", time.Since(began), left, m.Text, err)
		}
		alice.Send("hello", `"session": "a", "seq": 2, "section": "s", "token": "a-new", "known_version": `+fmt.Sprint(m.Version))
		alice.SkipTo("ack")
		for range 3 {
			time.Sleep(time.Minute)
			alice.Send("update", `"section": "s"`)
			bob.Send("update", ``)
		}
		for _, m := range append(alice.Pending(), bob.Pending()...) {
			if m.Type == "error" || m.Type == "delta" {
				t.Errorf("after the renewal: got %s, want nothing", m.Text)
			}
		}
	}, func(p *servertest.Config) { p.Authenticator = g })
}

func TestExpiredTokenEndsConnectionAndSession(t *testing.T) { // case 38
	g := servertest.TokenAuthenticator{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		g["a"], g["b"] = time.Now().Add(30*time.Second), time.Now().Add(time.Hour)
		bob := w.Connect()
		bob.Send("hello", `"session": "b", "token": "b"`)
		bob.Pending()
		alice := w.Connect()
		alice.Send("hello", `"session": "a", "token": "a"`)
		bob.Pending()
		alice.SkipTo("snapshot")
		for warned := false; ; warned = true {
			m, err := alice.Receive(time.Minute)
			if m.Code == "token_invalid" && warned {
				break
			}
			if m.Code != "token_ends" {
				t.Fatalf("got %s, error %v, want the error token_ends, then token_invalid", m.Text, err)
			}
		}
		alice.ExpectClose(1008)
		if took := bob.ExpectLeft("a", "a", time.Second); took > late {
			t.Errorf("she left %v after the close, want 1s at most", took)
		}
	}, func(p *servertest.Config) { p.Authenticator = g })
}

func TestLostAccessOverHTTPEndsOnlyThatSession(t *testing.T) { // rule 14
	alice := presence.User{ID: "1", Name: "alice"}
	may := true
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			switch {
			case r.Token != "alice":
				return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
			case !may:
				return identity.Principal{User: alice}, identity.ErrProjectUnknown
			}
			return identity.Principal{User: alice}, nil
		})
	})
	p := w.Anonymous()
	p.Token = "alice"
	p.Update(`{"session": "a", "section": "s"}`)
	p.Update(`{"session": "other", "section": "s"}`)
	may = false
	p.Post("update", `{"session": "a", "section": "s"}`).ExpectError(t, 404, "project_unknown")
	if users := *w.Anonymous().List().Users; servertest.Names(users) != "alice" {
		t.Errorf("listed: got %q, want alice, by her other tab", servertest.Names(users))
	}
	p.Post("update", `{"session": "other", "section": "s"}`).ExpectError(t, 404, "project_unknown")
	p.Post("update", `not JSON`).ExpectError(t, 404, "project_unknown")
	if users := *w.Anonymous().List().Users; len(users) != 0 {
		t.Errorf("listed: got %q, want nobody", servertest.Names(users))
	}
}

func TestUnavailableAuthenticatorKeepsSessions(t *testing.T) { // rule 13
	alice := identity.Principal{User: presence.User{ID: "1", Name: "alice"}}
	var unknown error
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			if r.Token == "alice" {
				return alice, unknown
			}
			return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
		})
	})
	p := w.Anonymous()
	p.Token = "alice"
	p.Update(`{"session": "a", "section": "s"}`)
	for _, unknown = range []error{presence.ErrUnavailable, identity.ErrTokenInvalid, context.Canceled} {
		p.Post("update", `{"session": "a", "section": "s"}`)
		if users := *w.Anonymous().List().Users; servertest.Names(users) != "alice" {
			t.Errorf("listed after %v: got %q, want alice", unknown, servertest.Names(users))
		}
	}
}

func TestExpiredTokenOfOldConnectionKeepsSession(t *testing.T) { // rule 9
	g := servertest.TokenAuthenticator{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		g["a-old"], g["a-new"], g["b"] = time.Now().Add(40*time.Second), time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		bob := w.Connect()
		bob.Send("hello", `"session": "b", "token": "b"`)
		bob.Pending()
		old := w.Connect()
		old.Send("hello", `"session": "a", "seq": 1, "token": "a-old"`)
		old.Pending()
		now := w.Connect()
		now.Send("hello", `"session": "a", "seq": 2, "token": "a-new"`)
		bob.Pending()
		old.ExpectClose(1008)
		for _, m := range bob.Pending() {
			t.Errorf("bob: got %s, want nothing", m.Text)
		}
		if now.Closed() {
			t.Error("the new connection has ended")
		}
	}, func(p *servertest.Config) { p.Authenticator = g })
}

func TestTokenWithInvalidHeaderCharactersIsInvalid(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		for _, token := range []string{`\n1`, `a b`, `\u0000`, `\u00e9`} {
			s := w.Connect()
			s.Send("hello", `"session": "a", "token": "`+token+`"`)
			s.ExpectRejected("token_invalid")
		}
	})
}

func TestUserHas40ConnectionsPerProjectAtMost(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		for i := range 40 {
			w.ConnectAs(p).Send("hello", `"session": "a", "seq": `+fmt.Sprint(uint64(i+1)))
			time.Sleep(100 * time.Millisecond)
		}
		last := w.ConnectAs(p)
		last.Send("hello", `"session": "a", "seq": 100`)
		last.SkipTo("error").ExpectError(t, "too_many_sessions")
		last.ExpectClose(1008)
		w.Join(w.As("bob", "2"), `"session": "b"`)
	})
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
