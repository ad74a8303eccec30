package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

func TestLiveATokenThatEndsIsRenewedByASecondHelloAndNobodySeesIt(t *testing.T) {
	g := tokens{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		end := time.Now().Add(160 * time.Second)
		g["a-old"], g["a-new"], g["b"] = end, end.Add(time.Hour), end.Add(time.Hour)
		bob := w.connect()
		bob.say("hello", `"session": "b", "token": "b"`)
		bob.all()
		alice := w.connect()
		alice.say("hello", `"session": "a", "seq": 1, "section": "s", "token": "a-old"`)
		alice.next("ack")
		alice.next("snapshot")
		bob.all()
		began := time.Now()
		m, why := alice.take(2 * time.Minute)
		if left := time.Until(end); why != "" || m.Type != "error" || m.Code != "token_ends" || m.Seq != 0 || left < 95*time.Second || left > 2*time.Minute {
			t.Fatalf("%v after the hello, %v before the end, there came %s%s; due is that the token ends", time.Since(began), left, m.text, why)
		}
		alice.say("hello", `"session": "a", "seq": 2, "section": "s", "token": "a-new", "known_version": `+number(m.Version))
		alice.skip("ack")
		for range 3 {
			time.Sleep(time.Minute)
			alice.say("update", `"section": "s"`)
			bob.say("update", ``)
		}
		for _, m := range append(alice.all(), bob.all()...) {
			if m.Type == "error" || m.Type == "delta" {
				t.Errorf("after the renewal there came %s", m.text)
			}
		}
	}, func(p *plan) { p.Authenticator = g })
}

func TestLiveATokenThatHasEndedEndsTheConnectionAndThePresence(t *testing.T) { // case 38
	g := tokens{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		g["a"], g["b"] = time.Now().Add(30*time.Second), time.Now().Add(time.Hour)
		bob := w.connect()
		bob.say("hello", `"session": "b", "token": "b"`)
		bob.all()
		alice := w.connect()
		alice.say("hello", `"session": "a", "token": "a"`)
		bob.all()
		alice.skip("snapshot")
		for warned := false; ; warned = true {
			m, why := alice.take(time.Minute)
			if m.Code == "token_invalid" && warned {
				break
			}
			if m.Code != "token_ends" {
				t.Fatalf("there came %s%s; due is that the token ends, and then that it is not valid", m.text, why)
			}
		}
		alice.ends(1008)
		if took := bob.leaves("a", "a", time.Second); took > late {
			t.Errorf("and she left %v later", took)
		}
	}, func(p *plan) { p.Authenticator = g })
}

func TestRule14WhoMayNoLongerIsNotListedAnyMore(t *testing.T) {
	alice := presence.User{ID: "1", Name: "alice"}
	may := true
	w := newWorld(t, func(p *plan) {
		p.Authenticator = gateFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			switch {
			case r.Token != "alice":
				return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
			case !may:
				return identity.Principal{User: alice}, identity.ErrProjectUnknown
			}
			return identity.Principal{User: alice}, nil
		})
	})
	p := w.newcomer()
	p.token = "alice"
	p.update(`{"session": "a", "section": "s"}`)
	p.update(`{"session": "other", "section": "s"}`)
	may = false
	p.post("update", `{"session": "a", "section": "s"}`).fails(t, 404, "project_unknown")
	if users := *w.newcomer().list().Users; names(users) != "alice" {
		t.Errorf("listed are %q; due is alice, by her other tab", names(users))
	}
	p.post("update", `{"session": "other", "section": "s"}`).fails(t, 404, "project_unknown")
	p.post("update", `not JSON`).fails(t, 404, "project_unknown")
	if users := *w.newcomer().list().Users; len(users) != 0 {
		t.Errorf("listed are %q; due is nobody", names(users))
	}
}

func TestRule13WhileItIsUnknownWhoMayNobodyGoes(t *testing.T) {
	alice := identity.Principal{User: presence.User{ID: "1", Name: "alice"}}
	var unknown error
	w := newWorld(t, func(p *plan) {
		p.Authenticator = gateFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			if r.Token == "alice" {
				return alice, unknown
			}
			return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
		})
	})
	p := w.newcomer()
	p.token = "alice"
	p.update(`{"session": "a", "section": "s"}`)
	for _, unknown = range []error{presence.ErrUnavailable, identity.ErrTokenInvalid, context.Canceled} {
		p.post("update", `{"session": "a", "section": "s"}`)
		if users := *w.newcomer().list().Users; names(users) != "alice" {
			t.Errorf("after %v are listed %q; due is alice", unknown, names(users))
		}
	}
}

func TestLiveRule9TheEndOfAnOldConnectionsTokenEndsNoSessionThatHasANewOne(t *testing.T) {
	g := tokens{}
	inLive(t, func(t *testing.T, w *liveWorld) {
		g["a-old"], g["a-new"], g["b"] = time.Now().Add(40*time.Second), time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		bob := w.connect()
		bob.say("hello", `"session": "b", "token": "b"`)
		bob.all()
		old := w.connect()
		old.say("hello", `"session": "a", "seq": 1, "token": "a-old"`)
		old.all()
		now := w.connect()
		now.say("hello", `"session": "a", "seq": 2, "token": "a-new"`)
		bob.all()
		old.ends(1008)
		for _, m := range bob.all() {
			t.Errorf("bob was told %s", m.text)
		}
		if now.over() {
			t.Error("the new connection has ended")
		}
	}, func(p *plan) { p.Authenticator = g })
}

func TestLiveATokenThatNoHeaderCanHaveIsInvalid(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		for _, token := range []string{`\n1`, `a b`, `\u0000`, `\u00e9`} {
			s := w.connect()
			s.say("hello", `"session": "a", "token": "`+token+`"`)
			s.refused("token_invalid")
		}
	})
}

func TestLiveAUserHasFortyConnectionsInAProjectAtTheMost(t *testing.T) { // rule 16
	inLive(t, func(t *testing.T, w *liveWorld) {
		p := w.as("alice", "1")
		for i := range 40 {
			w.come(p).say("hello", `"session": "a", "seq": `+number(uint64(i+1)))
			time.Sleep(100 * time.Millisecond)
		}
		last := w.come(p)
		last.say("hello", `"session": "a", "seq": 100`)
		last.skip("error").fails(t, "too_many_sessions")
		last.ends(1008)
		w.enter(w.as("bob", "2"), `"session": "b"`)
	})
}

func TestANameThatIsPointedHereChangesNothing(t *testing.T) { // case 41: a rebound Host
	for name, change := range map[string]func(*plan){
		"--dev":             func(*plan) {},
		"--allowed-origins": func(p *plan) { p.Dev, p.Origins = nil, []string{"https://write.example.org"} },
	} {
		w := newWorld(t, direct, change)
		for _, site := range []string{"", "same-origin"} {
			headers := []string{"Content-Type", "application/json", "Host", "evil.example:8080", "Origin", "http://evil.example:8080"}
			if site != "" {
				headers = append(headers, "Sec-Fetch-Site", site)
			}
			for _, what := range []string{"update/", "leave/"} {
				if a := w.do("POST", httpapi.DefaultPrefix+project+what, strings.NewReader(`{"session": "a"}`), headers...); a.status != 403 || a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s, %s: answered %d %s", name, what, a.status, a.body)
				}
			}
		}
	}
}
