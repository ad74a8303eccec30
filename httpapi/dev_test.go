package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestDevTokenIsValidInEveryProject(t *testing.T) {
	w := servertest.New(t)
	got := w.NewDevToken(`{"username": "alice", "user_id": 1}`)
	if got.User.ID != 1.0 || got.User.Username != "alice" || got.User.Visitor {
		t.Errorf("the token is for %+v, want alice, 1", got.User)
	}
	alice := &servertest.Client{Server: w, Address: "127.0.0.1", Token: got.Token}
	for _, path := range []string{"/writer/api/project/one/presence/update/", "/writer/api/project/two/presence/update/"} {
		if r := alice.ExpectSuccess(alice.Do("POST", path, `{}`)); r.You.ID != 1.0 || r.You.Username != "alice" {
			t.Errorf("%s took the token for %+v, want alice, 1", path, r.You)
		}
	}
}

func TestUserOfANewDevTokenWasSeenNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := servertest.New(t, servertest.Direct).NewDevToken(`{"username":"alice"}`); !got.User.LastSeen.Equal(time.Now()) {
			t.Errorf("last seen %v, want %v", got.User.LastSeen, time.Now().UTC())
		}
	})
}

func TestDevTokensOfOneNameHaveOneUserID(t *testing.T) {
	w := servertest.New(t)
	alice := w.NewDevToken(`{"username":"alice"}`).User.ID
	for _, body := range []string{`{"username":"alice","user_id":null}`, `{"username":"alice","user_id":""}`, `{"username":" alice\u200b "}`} {
		if got := w.NewDevToken(body).User.ID; got != alice {
			t.Errorf("%s is %v, want %v", body, got, alice)
		}
	}
	if bob := w.NewDevToken(`{"username":"bob"}`).User.ID; bob == alice {
		t.Errorf("alice and bob are both %v", bob)
	}
}

func TestDevTokenMayHaveAnyIDExceptAVisitorID(t *testing.T) {
	w := servertest.New(t)
	for body, want := range map[string]any{
		`{"username":"a","user_id":0}`:                          0.0,
		`{"username":"a","user_id":9007199254740991}`:           9007199254740991.0,
		`{"username":"a","user_id":"42"}`:                       42.0,
		`{"username":"a","user_id":-1}`:                         "-1",
		`{"username":"a","user_id":9007199254740992}`:           "9007199254740992",
		`{"username":"a","user_id":"007"}`:                      "007",
		`{"username":"a","user_id":"__proto__"}`:                "__proto__",
		`{"username":"a","user_id":"Visitor-x"}`:                "Visitor-x",
		`{"username":"a","user_id":"9007199254740992"}`:         "9007199254740992",
		`{"username":"a","user_id":"a.b/c \u00e9\ud83d\ude00"}`: "a.b/c é😀",
	} {
		got := w.NewDevToken(body)
		if got.User.ID != want {
			t.Errorf("%s is for %v, want %v", body, got.User.ID, want)
		}
		p := &servertest.Client{Server: w, Address: "127.0.0.1", Token: got.Token}
		if r := p.Update(`{}`); r.You.ID != want {
			t.Errorf("the token of %s is taken for %v, want %v", body, r.You.ID, want)
		}
	}
	for body, code := range map[string]string{
		`{"username":"a","user_id":"visitor-x"}`:                        "user_id_invalid",
		`{"username":"a","user_id":"visitor-"}`:                         "user_id_invalid",
		`{"username":"a","user_id":"a\nb"}`:                             "user_id_invalid",
		`{"username":"a","user_id":"` + strings.Repeat("x", 513) + `"}`: "user_id_invalid",
		`{"username":"a","user_id":-0}`:                                 "bad_type",
		`{"username":"a","user_id":1.5}`:                                "bad_type",
		`{"username":"a","user_id":1e2}`:                                "bad_type",
		`{"username":"a","user_id":9223372036854775808}`:                "bad_type",
		`{"username":"a","user_id":true}`:                               "bad_type",
		`{"username":"a","user_id":{}}`:                                 "bad_type",
		`{"username":"a","user_id":[1]}`:                                "bad_type",
		`{"username":1}`:                                                "bad_type",
		`{}`:                                                            "name_invalid",
		`{"username":null}`:                                             "name_invalid",
		`{"username":" \t "}`:                                           "name_invalid",
		`{"username":"\u200b\u202e\u2066"}`:                             "name_invalid",
	} {
		w.Anonymous().Do("POST", servertest.DevTokenPath, body).ExpectError(t, 400, code)
	}
}

func TestAnyUsernameIsListedWithinLimits(t *testing.T) { // cases 17, 19 and 43, invariant 12
	w := servertest.New(t)
	for i, name := range []string{
		strings.Repeat("x", 3900), strings.Repeat("😀", 900), "e" + strings.Repeat("\u0301", 1800), "<script>alert(1)</script>", "\u202egnp.exe\u202c", "a\nlevel=ERROR\r\n", "שלום", "👩‍👩‍👧‍👦 family", "__proto__", "\"; drop table sessions; --",
	} {
		body, err := json.Marshal(map[string]any{"username": name, "user_id": i + 1})
		if err != nil {
			t.Fatal(err)
		}
		p := &servertest.Client{Server: w, Address: "127.0.0.1", Token: w.NewDevToken(string(body)).Token}
		got := p.Update(`{"known_version":0}`)
		if n := got.You.Username; n == "" || len(n) > 512 || strings.ContainsAny(n, "\n\r\u202e\u202c") {
			t.Errorf("%.40q is listed as %q, want a bounded text that shows", name, n)
		}
		if len(*got.Users) != i+1 {
			t.Errorf("with %.40q %d are listed, want %d", name, len(*got.Users), i+1)
		}
		if text := p.GetList().Body; strings.Contains(text, "<script") {
			t.Errorf("the list has markup: %.300s", text)
		}
	}
}

func TestDevTokenIsIssuedToPagesOfThisMachineOnly(t *testing.T) { // case 41
	w := servertest.New(t)
	ask := func(host string) servertest.Response {
		return w.Do("POST", servertest.DevTokenPath, strings.NewReader(`{"username":"alice"}`), "Content-Type", "application/json", "Host", host)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "localhost.", "127.1.2.3", "[::1]", "[::1]:80", "writer.localhost:80"} {
		if got := ask(host); got.Status != 200 {
			t.Errorf("Host: %s is of this machine, and got %d %s", host, got.Status, got.Body)
		}
	}
	for _, host := range []string{
		"example.com", "127.0.0.1.example.com", "localhost.example.com", "notlocalhost", "192.168.1.2:8080", "10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]:80", "127.1", "2130706433",
	} {
		ask(host).ExpectError(t, 403, "not_local")
	}
}

func TestDevTokensAreOffWithoutDev(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Dev = nil })
	w.Anonymous().Do("POST", servertest.DevTokenPath, `{"username":"alice"}`).ExpectError(t, 404, "not_found")
	// A token from a server with --dev and the same key must be rejected.
	p := w.As("alice", "1")
	if got := p.Update(`{}`); !got.You.Visitor || got.You.Username == "alice" {
		t.Errorf("without --dev a dev token is taken for %+v", got.You)
	}
}

func TestForgedTokenIsRejected(t *testing.T) {
	w := servertest.New(t)
	good := w.As("alice", "1").Token
	visitor := w.Anonymous()
	visitor.Update(`{}`)
	for name, token := range map[string]string{
		"no token":           "x",
		"truncated":          good[:len(good)-1],
		"another user":       "A" + good,
		"a visitor's cookie": strings.TrimPrefix(visitor.Cookie, servertest.CookieName+"="),
	} {
		p := &servertest.Client{Server: w, Address: "127.0.0.1", Token: token}
		for _, got := range []servertest.Response{p.Post("update", `{}`), p.Post("leave", `{}`), p.GetList()} {
			if got.ExpectError(t, 401, "token_invalid"); t.Failed() {
				t.Fatalf("the token was %s", name)
			}
		}
		if p.SetCookie != nil {
			t.Errorf("a request with a bad token (%s) set the cookie %v", name, p.SetCookie)
		}
	}
}

func TestTokenNeedsTheBearerScheme(t *testing.T) {
	w := servertest.New(t)
	alice := w.As("alice", "1")
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		got := w.Anonymous().Update(`{}`, "Authorization", scheme+alice.Token)
		if got.You.Username != "alice" {
			t.Errorf("with %q the request is %s's, want alice's", scheme, got.You.Username)
		}
	}
	// Other schemes are for a proxy in front, such as one with a password.
	for _, header := range []string{"Basic YTpi", alice.Token, "Bearer", "Bearer ", "Bearerx " + alice.Token} {
		if got := w.Anonymous().Update(`{}`, "Authorization", header); !got.You.Visitor {
			t.Errorf("Authorization: %q made the request %s's, want a visitor's", header, got.You.Username)
		}
	}
}
