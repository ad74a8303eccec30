package live_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

func TestRejectedHelloEndsConnectionAndStoresNothing(t *testing.T) {
	for _, c := range []struct{ kind, fields, code string }{
		{"update", `"section": "s", "session": "a"`, "hello_first"},
		{"leave", ``, "hello_first"},
		{"dance", `"session": "a"`, "hello_first"},
		{"hello", `"section": "s"`, "session_invalid"},
		{"hello", `"session": "a b"`, "session_invalid"},
		{"hello", `"session": ""`, "session_invalid"},
		{"hello", `"session": "a", "section": "` + strings.Repeat("x", 101) + `"`, "section_too_long"},
		{"hello", `"session": "a", "section": "s\t"`, "section_invalid"},
		{"hello", `"session": "a", "activity": "dancing"`, "activity_invalid"},
		{"hello", `"session": "a", "seq": 9007199254740992`, "seq_invalid"},
		{"hello", `"session": "a", "seq": -1`, "seq_invalid"},
		{"hello", `"session": "a", "known_version": 9007199254740992`, "version_invalid"},
		{"hello", `"session": ["a"]`, "bad_type"},
		{"hello", `"session"`, "bad_json"},
		{"hello", `"session": "a", "token": "junk"`, "token_invalid"},
	} {
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			alice := w.ConnectAs(w.As("alice", "1"))
			alice.Send(c.kind, c.fields)
			alice.ExpectRejected(c.code)
			time.Sleep(time.Second)
			w.ExpectListed("")
		})
	}
}

func TestNothingIsReadAfterRejectedHello(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := w.ConnectAs(w.As("alice", "1"))
		update, hello := servertest.MaskedFrame(0x81, []byte(`{"type": "update", "section": "s"}`)), servertest.MaskedFrame(0x81, []byte(`{"type": "hello", "session": "a", "section": "s"}`))
		alice.Conn.Write(append(update, hello...)) // at once, so that the server has both
		alice.ExpectRejected("hello_first")
		w.ExpectListed("")
	})
}

func TestConnectionWithoutHelloIsClosedAfter10Seconds(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := w.ConnectAs(w.As("alice", "1"))
		began := time.Now()
		for i := range 9 { // pings do not extend the timeout
			time.Sleep(time.Second)
			alice.SendFrame(0x89, []byte{byte(i)})
		}
		alice.ExpectNothing(time.Second - time.Nanosecond)
		alice.ExpectRejected("hello_late")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the connection ended after %v, want 10 s", took)
		}
		w.ExpectListed("")
	})
}

func TestHelloAfter9SecondsIsAccepted(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := w.ConnectAs(w.As("alice", "1"))
		time.Sleep(9 * time.Second)
		alice.Send("hello", `"session": "a"`)
		alice.Next("ack")
		alice.Next("snapshot")
		alice.ExpectNothing(time.Minute)
	})
}

func TestUserComesFromHandshakeOrHelloToken(t *testing.T) { // rule 15
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		token := w.As("alice", "1").Token
		visitor := w.Anonymous()
		who := visitor.Update(`{"session": "v"}`).You.Username
		for name, c := range map[string]struct {
			headers     []string
			hello, want string
		}{
			"the header":                {[]string{"Authorization", "Bearer " + token}, ``, "alice"},
			"the hello":                 {nil, `, "token": "` + token + `"`, "alice"},
			"the hello, with a cookie":  {[]string{"Cookie", visitor.Cookie}, `, "token": "` + token + `"`, "alice"},
			"the cookie":                {[]string{"Cookie", visitor.Cookie}, ``, who},
			"the header, not the hello": {[]string{"Authorization", "Bearer " + token}, `, "user_id": 2, "username": "bob", "visitor": true`, "alice"},
		} {
			s := w.Connect(c.headers...)
			s.Send("hello", `"session": "a"`+c.hello)
			if ack := s.Next("ack"); ack.You.Username != c.want {
				t.Errorf("%s: user of the hello: got %q, want %q", name, ack.You.Username, c.want)
			}
			s.Send("leave", "")
		}
	})
}

func TestMissingAndInvalidCredentialsAreRejected(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		anonymous := w.Connect()
		anonymous.Send("hello", `"session": "a", "section": "s"`)
		anonymous.ExpectRejected("unauthenticated")
		bad := w.Connect()
		bad.Send("hello", `"session": "a", "section": "s", "token": "`+w.As("alice", "1").Token+`x"`)
		bad.ExpectRejected("token_invalid")
		w.ExpectListed("")
		w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer junk")...).ExpectError(t, 401, "token_invalid")
		got := w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Cookie", servertest.CookieName+"=junk")...)
		got.ExpectError(t, 401, "cookie_invalid")
		if !strings.Contains(got.Header.Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("Set-Cookie: got %q, want Max-Age=0", got.Header.Get("Set-Cookie"))
		}
	})
}

func TestHTTPSIgnoresCookieWithoutHostPrefix(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		plain, bound := w.Anonymous(), w.Anonymous()
		plain.Update(`{"session": "p"}`)
		want := bound.Update(`{"session": "b"}`, "Origin", "https://"+w.Host, "Sec-Fetch-Site", "same-origin").You.Username
		for cookies, name := range map[string]string{plain.Cookie: "", plain.Cookie + "; " + bound.Cookie: want} {
			s := w.Connect("Origin", "https://"+w.Host, "Cookie", cookies)
			s.Send("hello", `"session": "a"`)
			if name == "" {
				s.ExpectRejected("unauthenticated")
			} else if ack := s.Next("ack"); ack.You.Username != name {
				t.Errorf("user with both cookies: got %s, want %s", ack.You.Username, name)
			}
		}
	})
}

func TestHelloWithTokenIsAcceptedWithoutVisitors(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		anonymous := w.Connect()
		anonymous.Send("hello", `"session": "a"`)
		anonymous.ExpectRejected("unauthenticated")
		alice := w.Connect()
		alice.Send("hello", `"session": "a", "token": "`+w.As("alice", "1").Token+`"`)
		alice.Next("ack")
	}, func(p *servertest.Config) { p.Visitors = nil })
}

func TestSecondHelloOnlyRenewsTheToken(t *testing.T) {
	alice, bob := presence.User{ID: "1", Name: "alice"}, presence.User{ID: "2", Name: "bob"}
	for name, c := range map[string]struct{ fields, want string }{
		"without a token":        {`"session": "a", "seq": 2`, "hello_again"},
		"for another session":    {`"session": "b", "seq": 2, "token": "new"`, "hello_again"},
		"without a session":      {`"seq": 2, "token": "new"`, "hello_again"},
		"by another user":        {`"session": "a", "seq": 2, "token": "bob's"`, "hello_again"},
		"with an invalid token":  {`"session": "a", "seq": 2, "token": "junk"`, "token_invalid"},
		"with the present token": {`"session": "a", "seq": 2, "token": "old", "section": "t"`, ""},
		"with a new one":         {`"session": "a", "seq": 2, "token": "new", "section": "t"`, ""},
	} {
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			s, _, _ := w.Join(&servertest.Client{Token: "old"}, `"session": "a", "seq": 1, "section": "s"`)
			s.Send("hello", c.fields)
			if c.want != "" {
				t.Log(name)
				s.ExpectRejected(c.want)
				return
			}
			if ack := s.SkipTo("ack"); ack.Seq != 2 || ack.You.Section != "t" {
				t.Errorf("%s: second hello: got %s, want seq 2 in section t", name, ack.Text)
			}
			s.Pending()
			s.ExpectNothing(time.Minute)
		}, func(p *servertest.Config) { p.Authenticator = holder{"old": alice, "new": alice, "bob's": bob} })
	}
}

func TestHelloGetsSnapshotUnlessVersionIsKnown(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob := w.As("bob", "2")
		alice, ack, _ := w.Join(w.As("alice", "1"), `"session": "a", "section": "s"`)
		versions := []uint64{ack.Version}
		for _, section := range []string{"s", "t", "u"} {
			versions = append(versions, bob.Update(`{"session": "b", "section": "`+section+`"}`).Version)
			alice.Pending()
		}
		now := versions[len(versions)-1]
		known := []string{``, `, "known_version": null`}
		for _, version := range append(versions, 0, now+1, 1<<53-1) {
			known = append(known, `, "known_version": `+fmt.Sprint(version))
		}
		for _, known := range known {
			s := w.ConnectAs(bob)
			s.Send("hello", `"session": "b", "section": "u"`+known)
			s.ExpectAckAndSnapshot(!strings.HasSuffix(known, fmt.Sprint(now)), now, known)
			s.Conn.Close()
		}
	})
}
