package live_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
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
