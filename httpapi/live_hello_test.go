package httpapi_test

import (
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestLiveAHelloThatIsNotTakenInEndsTheConnectionAndStoresNothing(t *testing.T) {
	for _, c := range []struct{ kind, fields, code string }{
		{"update", `"section": "s", "session": "a"`, "hello_first"},
		{"leave", ``, "hello_first"},
		{"dance", `"session": "a"`, "hello_first"},
		{"hello", `"section": "s"`, "session_invalid"},
		{"hello", `"session": "a b"`, "session_invalid"},
		{"hello", `"session": ""`, "session_invalid"},
		{"hello", `"session": "a", "section": "` + strings.Repeat("x", 101) + `"`, "section_too_long"},
		{"hello", `"session": "a", "section": "/s"`, "section_invalid"},
		{"hello", `"session": "a", "activity": "dancing"`, "activity_invalid"},
		{"hello", `"session": "a", "seq": 9007199254740992`, "seq_invalid"},
		{"hello", `"session": "a", "seq": -1`, "seq_invalid"},
		{"hello", `"session": "a", "known_version": 9007199254740992`, "version_invalid"},
		{"hello", `"session": ["a"]`, "bad_type"},
		{"hello", `"session"`, "bad_json"},
		{"hello", `"session": "a", "token": "junk"`, "token_invalid"},
	} {
		inLive(t, func(t *testing.T, w *liveWorld) {
			alice := w.come(w.as("alice", "1"))
			alice.say(c.kind, c.fields)
			alice.refused(c.code)
			time.Sleep(time.Second)
			w.isListed("")
		})
	}
}

func TestLiveAfterARefusalNothingMoreIsTakenIn(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice := w.come(w.as("alice", "1"))
		update, hello := maskedFrame(0x81, []byte(`{"type": "update", "section": "s"}`)), maskedFrame(0x81, []byte(`{"type": "hello", "session": "a", "section": "s"}`))
		alice.conn.Write(append(update, hello...)) // at once, so that the server has both
		alice.refused("hello_first")
		w.isListed("")
	})
}

func TestLiveAConnectionThatSaysNothingIsClosedAfterTenSeconds(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice := w.come(w.as("alice", "1"))
		began := time.Now()
		for i := range 9 { // pings are no hello
			time.Sleep(time.Second)
			alice.frame(0x89, []byte{byte(i)})
		}
		alice.quiet(time.Second - time.Nanosecond)
		alice.refused("hello_late")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the connection ended after %v; due is 10 s", took)
		}
		w.isListed("")
	})
}

func TestLiveAHelloInTimeIsNoneThatIsLate(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice := w.come(w.as("alice", "1"))
		time.Sleep(9 * time.Second)
		alice.say("hello", `"session": "a"`)
		alice.next("ack")
		alice.next("snapshot")
		alice.quiet(time.Minute)
	})
}

func TestLiveWhoIsAskingIsSaidByTheHandshakeOrTheHello(t *testing.T) { // rule 15
	inLive(t, func(t *testing.T, w *liveWorld) {
		token := w.as("alice", "1").token
		visitor := w.newcomer()
		who := visitor.update(`{"session": "v"}`).You.Username
		for name, c := range map[string]struct {
			headers    []string
			hello, due string
		}{
			"the header":                 {[]string{"Authorization", "Bearer " + token}, ``, "alice"},
			"the hello":                  {nil, `, "token": "` + token + `"`, "alice"},
			"the hello, with a cookie":   {[]string{"Cookie", visitor.cookie}, `, "token": "` + token + `"`, "alice"},
			"the cookie":                 {[]string{"Cookie", visitor.cookie}, ``, who},
			"the header and other words": {[]string{"Authorization", "Bearer " + token}, `, "user_id": 2, "username": "bob", "visitor": true`, "alice"},
		} {
			s := w.connect(c.headers...)
			s.say("hello", `"session": "a"`+c.hello)
			if ack := s.next("ack"); ack.You.Username != c.due {
				t.Errorf("%s: the hello is that of %q; due is %q", name, ack.You.Username, c.due)
			}
			s.say("leave", "")
		}
	})
}

func TestLiveNobodyAndABadTokenAreRefused(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		nobody := w.connect()
		nobody.say("hello", `"session": "a", "section": "s"`)
		nobody.refused("unauthenticated")
		bad := w.connect()
		bad.say("hello", `"session": "a", "section": "s", "token": "`+w.as("alice", "1").token+`x"`)
		bad.refused("token_invalid")
		w.isListed("")
		w.do("GET", livePath, nil, upgrading(w, "Authorization", "Bearer junk")...).fails(t, 401, "token_invalid")
		got := w.do("GET", livePath, nil, upgrading(w, "Cookie", cookieName+"=junk")...)
		got.fails(t, 401, "cookie_invalid")
		if !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("the bad cookie was not cleared, but %q", got.header.Get("Set-Cookie"))
		}
	})
}

func TestLiveOnHTTPSACookieThatANeighbourCouldHaveSetIsNobodys(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		plain, bound := w.newcomer(), w.newcomer()
		plain.update(`{"session": "p"}`)
		due := bound.update(`{"session": "b"}`, "Origin", "https://"+w.host, "Sec-Fetch-Site", "same-origin").You.Username
		for cookies, name := range map[string]string{plain.cookie: "", plain.cookie + "; " + bound.cookie: due} {
			s := w.connect("Origin", "https://"+w.host, "Cookie", cookies)
			s.say("hello", `"session": "a"`)
			if name == "" {
				s.refused("unauthenticated")
			} else if ack := s.next("ack"); ack.You.Username != name {
				t.Errorf("with both cookies it is %s; due is %s", ack.You.Username, name)
			}
		}
	})
}

func TestLiveWithoutVisitorsAHelloWithATokenIsLetIn(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		nobody := w.connect()
		nobody.say("hello", `"session": "a"`)
		nobody.refused("unauthenticated")
		alice := w.connect()
		alice.say("hello", `"session": "a", "token": "`+w.as("alice", "1").token+`"`)
		alice.next("ack")
	}, func(p *plan) { p.Visitors = nil })
}

func TestLiveASecondHelloRenewsTheTokenAndNothingElse(t *testing.T) {
	alice, bob := presence.User{ID: "1", Name: "alice"}, presence.User{ID: "2", Name: "bob"}
	for name, c := range map[string]struct{ fields, due string }{
		"without a token":         {`"session": "a", "seq": 2`, "hello_again"},
		"for another session":     {`"session": "b", "seq": 2, "token": "new"`, "hello_again"},
		"without a session":       {`"seq": 2, "token": "new"`, "hello_again"},
		"by another user":         {`"session": "a", "seq": 2, "token": "bob's"`, "hello_again"},
		"with a token of nobody":  {`"session": "a", "seq": 2, "token": "junk"`, "token_invalid"},
		"with the one that it is": {`"session": "a", "seq": 2, "token": "old", "section": "t"`, ""},
		"with a new one":          {`"session": "a", "seq": 2, "token": "new", "section": "t"`, ""},
	} {
		inLive(t, func(t *testing.T, w *liveWorld) {
			s, _, _ := w.enter(&person{token: "old"}, `"session": "a", "seq": 1, "section": "s"`)
			s.say("hello", c.fields)
			if c.due != "" {
				t.Log(name)
				s.refused(c.due)
				return
			}
			if ack := s.skip("ack"); ack.Seq != 2 || ack.You.Section != "t" {
				t.Errorf("%s: the second hello was answered %s", name, ack.text)
			}
			s.all()
			s.quiet(time.Minute)
		}, func(p *plan) { p.Authenticator = holder{"old": alice, "new": alice, "bob's": bob} })
	}
}

func TestLiveTheAnswerToAHelloIsWhatIsNotKnown(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		bob := w.as("bob", "2")
		alice, ack, _ := w.enter(w.as("alice", "1"), `"session": "a", "section": "s"`)
		versions := []uint64{ack.Version}
		for _, section := range []string{"s", "t", "u"} {
			versions = append(versions, bob.update(`{"session": "b", "section": "`+section+`"}`).Version)
			alice.all()
		}
		now := versions[len(versions)-1]
		known := []string{``, `, "known_version": null`}
		for _, version := range append(versions, 0, now+1, 1<<53-1) {
			known = append(known, `, "known_version": `+number(version))
		}
		for _, known := range known {
			s := w.come(bob)
			s.say("hello", `"session": "b", "section": "u"`+known)
			s.answers(!strings.HasSuffix(known, number(now)), now, known)
			s.conn.Close()
		}
	})
}
