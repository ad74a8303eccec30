package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestADevTokenIsGoodForEveryProject(t *testing.T) {
	w := newWorld(t)
	got := w.token(`{"username": "alice", "user_id": 1}`)
	if got.User.ID != 1.0 || got.User.Username != "alice" || got.User.Visitor {
		t.Errorf("the token is for %+v, due is alice, 1", got.User)
	}
	alice := &person{w: w, address: "127.0.0.1", token: got.Token}
	for _, path := range []string{"/writer/api/project/one/presence/update/", "/writer/api/project/two/presence/update/"} {
		if r := alice.succeed(alice.do("POST", path, `{}`)); r.You.ID != 1.0 || r.You.Username != "alice" {
			t.Errorf("%s took the token for %+v, due is alice, 1", path, r.You)
		}
	}
}

func TestTheUserOfATokenWasSeenNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := newWorld(t, direct).token(`{"username":"alice"}`); !got.User.LastSeen.Equal(time.Now()) {
			t.Errorf("last seen %v, due is %v", got.User.LastSeen, time.Now().UTC())
		}
	})
}

func TestTheSameNameIsTheSamePerson(t *testing.T) {
	w := newWorld(t)
	alice := w.token(`{"username":"alice"}`).User.ID
	for _, body := range []string{`{"username":"alice","user_id":null}`, `{"username":"alice","user_id":""}`, `{"username":" alice\u200b "}`} {
		if got := w.token(body).User.ID; got != alice {
			t.Errorf("%s is %v, due is %v", body, got, alice)
		}
	}
	if bob := w.token(`{"username":"bob"}`).User.ID; bob == alice {
		t.Errorf("alice and bob are both %v", bob)
	}
}

func TestATokenMayHaveAnyIDButAVisitors(t *testing.T) {
	w := newWorld(t)
	for body, due := range map[string]any{
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
		got := w.token(body)
		if got.User.ID != due {
			t.Errorf("%s is for %v, due is %v", body, got.User.ID, due)
		}
		p := &person{w: w, address: "127.0.0.1", token: got.Token}
		if r := p.update(`{}`); r.You.ID != due {
			t.Errorf("the token of %s is taken for %v, due is %v", body, r.You.ID, due)
		}
	}
	for body, code := range map[string]string{
		`{"username":"a","user_id":"visitor-x"}`:                        "user_id_invalid",
		`{"username":"a","user_id":"visitor-"}`:                         "user_id_invalid",
		`{"username":"a","user_id":"a\nb"}`:                             "user_id_invalid",
		`{"username":"a","user_id":"` + strings.Repeat("x", 201) + `"}`: "user_id_invalid",
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
		w.newcomer().do("POST", tokenPath, body).fails(t, 400, code)
	}
}

// Cases 17 and 43: a name is text, bounded and readable, whatever it is made of.
func TestAnyNameIsListedBounded(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{
		strings.Repeat("x", 3900), strings.Repeat("😀", 900), "e" + strings.Repeat("\u0301", 1800), "<script>alert(1)</script>", "\u202egnp.exe\u202c", "a\nlevel=ERROR\r\n", "שלום", "👩‍👩‍👧‍👦 family", "__proto__", "\"; drop table sessions; --",
	} {
		body, err := json.Marshal(map[string]any{"username": name, "user_id": i + 1})
		if err != nil {
			t.Fatal(err)
		}
		p := &person{w: w, address: "127.0.0.1", token: w.token(string(body)).Token}
		got := p.update(`{"known_version":0}`)
		if n := got.You.Username; n == "" || len(n) > 512 || strings.ContainsAny(n, "\n\r\u202e\u202c") {
			t.Errorf("%.40q is listed as %q; due is a bounded text that shows", name, n)
		}
		if len(*got.Users) != i+1 {
			t.Errorf("with %.40q %d are listed, due is %d", name, len(*got.Users), i+1)
		}
		if text := p.get().body; strings.Contains(text, "<script") {
			t.Errorf("the list has markup: %.300s", text)
		}
	}
}

func TestATokenIsForPagesOfThisMachineOnly(t *testing.T) {
	w := newWorld(t)
	ask := func(host string) answer {
		return w.do("POST", tokenPath, strings.NewReader(`{"username":"alice"}`), "Content-Type", "application/json", "Host", host)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "localhost.", "127.1.2.3", "[::1]", "[::1]:80", "writer.localhost:80"} {
		if got := ask(host); got.status != 200 {
			t.Errorf("Host: %s is of this machine, and got %d %s", host, got.status, got.body)
		}
	}
	for _, host := range []string{
		"example.com", "127.0.0.1.example.com", "localhost.example.com", "notlocalhost", "192.168.1.2:8080", "10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]:80", "127.1", "2130706433",
	} {
		ask(host).fails(t, 403, "not_local")
	}
}

func TestWithoutDevThereIsNoToken(t *testing.T) {
	w := newWorld(t, func(p *plan) { p.Dev = nil })
	w.newcomer().do("POST", tokenPath, `{"username":"alice"}`).fails(t, 404, "not_found")
	// A token from a server with --dev and the same key is worth nothing here.
	p := w.as("alice", "1")
	if got := p.update(`{}`); !got.You.Visitor || got.You.Username == "alice" {
		t.Errorf("without --dev a dev token is taken for %+v", got.You)
	}
}

func TestAForgedTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	good := w.as("alice", "1").token
	visitor := w.newcomer()
	visitor.update(`{}`)
	for name, token := range map[string]string{
		"no token":           "x",
		"truncated":          good[:len(good)-1],
		"another user":       "A" + good,
		"a visitor's cookie": strings.TrimPrefix(visitor.cookie, cookieName+"="),
	} {
		p := &person{w: w, address: "127.0.0.1", token: token}
		for _, got := range []answer{p.post("update", `{}`), p.post("leave", `{}`), p.get()} {
			if got.fails(t, 401, "token_invalid"); t.Failed() {
				t.Fatalf("the token was %s", name)
			}
		}
		if p.made != nil {
			t.Errorf("a request with a bad token (%s) set the cookie %v", name, p.made)
		}
	}
}

func TestTheSchemeOfATokenIsBearer(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		got := w.newcomer().update(`{}`, "Authorization", scheme+alice.token)
		if got.You.Username != "alice" {
			t.Errorf("with %q the request is %s's, due is alice's", scheme, got.You.Username)
		}
	}
	// What another scheme says is for somebody before us, such as a proxy with a password.
	for _, header := range []string{"Basic YTpi", alice.token, "Bearer", "Bearer ", "Bearerx " + alice.token} {
		if got := w.newcomer().update(`{}`, "Authorization", header); !got.You.Visitor {
			t.Errorf("Authorization: %q made the request %s's, due is a visitor's", header, got.You.Username)
		}
	}
}
