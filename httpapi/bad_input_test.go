package httpapi_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// with returns a base for BadBodies that has these members for every field.
func with(members string) func(string) string { return func(string) string { return members } }

func anyError(field string, v servertest.JSONValue) string {
	if code := servertest.TypeError(field, v); code != "" {
		return code
	}
	return servertest.ValueError(field, v)
}

// only returns a check for BadBodies that ignores fields the endpoint does not have.
func only(fields []string, check func(string, servertest.JSONValue) string) func(string, servertest.JSONValue) string {
	return func(field string, v servertest.JSONValue) string {
		if !slices.Contains(fields, field) {
			return ""
		}
		return check(field, v)
	}
}

// bodyEndpoint is an endpoint that reads a body.
type bodyEndpoint struct {
	path   string
	bodies []servertest.BadBody
}

func bodyEndpoints() []bodyEndpoint {
	update := []string{"section", "session", "seq", "activity", "unless_occupied", "known_version", "as_of", "unsaved", "waiting_for", "saved", "saved.section", "saved.revision"}
	leave := []string{"session", "seq", "hidden"}
	token := []string{"user_id"}
	at := httpapi.DefaultPrefix + servertest.ProjectPath
	return []bodyEndpoint{
		{at + "update/", servertest.BadBodies(with(``), update, only(update, anyError))},
		{at + "leave/", servertest.BadBodies(with(``), leave, only(leave, anyError))},
		{servertest.DevTokenPath, servertest.BadBodies(with(`"username":"carol",`), token, only(token, anyError))},
		{servertest.DevTokenPath, servertest.BadBodies(with(``), []string{"username"}, func(field string, v servertest.JSONValue) string {
			if field != "username" || v.Kind == 'n' {
				return "name_invalid"
			}
			return anyError(field, v)
		})},
	}
}

func TestBadBodiesAreRejectedWithTheirCodeAndStoreNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store servertest.SpyStore
		w := servertest.New(t, servertest.Direct, store.Install)
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s","session":"tab","seq":5}`)
		w.As("bob", "2").Update(`{"section":"s","session":"tab","seq":5}`)
		carol := w.As("carol", "3")
		before := alice.GetList().Body
		tried := 0
		for _, e := range bodyEndpoints() {
			for _, b := range e.bodies {
				status, code := b.Want()
				kinds := map[string]io.Reader{"": strings.NewReader(b.Body)}
				if tried%7 == 0 { // a body is decoded alike however it arrives
					kinds["chunked "] = io.MultiReader(strings.NewReader(b.Body))
				}
				for kind, body := range kinds {
					came := len(store.Updates) + len(store.Leaves)
					got := w.Do("POST", e.path, body, "Content-Type", "application/json", "Authorization", "Bearer "+carol.Token)
					tried++
					if ok := strings.HasPrefix(got.Body, `{"success":true`); got.Status != status || ok != (code == "") || !ok && !strings.Contains(got.Body, `"code":"`+code+`"`) {
						t.Errorf("%s%s: %s: got %d %.100s, want %d %s", kind, e.path, b.Name, got.Status, got.Body, status, code)
					}
					if code != "" && e.path != servertest.DevTokenPath && len(store.Updates)+len(store.Leaves) != came {
						t.Errorf("%s%s: %s reached the store", kind, e.path, b.Name)
					}
					time.Sleep(time.Millisecond)
				}
			}
		}
		t.Logf("%d bodies were tried", tried)
		store.ExpectChecked(t)
		for _, session := range []string{"", "a", "0", "1", "-1", "1.5", "true", "null", "editing", "__proto__", strings.Repeat("x", 64)} {
			carol.Post("leave", `{"session":"`+session+`"}`) // undoes a body that was accepted
		}
		if after := alice.GetList().Body; usersOf(after) != usersOf(before) {
			t.Errorf("bad bodies changed the list\nfrom %s\nto   %s", before, after)
		}
	})
}

// usersOf returns the users of a list.
func usersOf(body string) string {
	_, users, _ := strings.Cut(body, `"users":`)
	users, _, _ = strings.Cut(strings.TrimSuffix(users, "}"), `,"saved":`) // bodies that were accepted report saves, which a leave does not undo
	return users
}

// badRequest is a request with a bad header or path and the response that it must get.
type badRequest struct {
	method, path string
	headers      []string
	status       int // 0 for 200 or 304
	code         string
}

func badRequests() (all []badRequest) {
	add := func(status int, code, method, path string, headers ...string) {
		all = append(all, badRequest{method, path, headers, status, code})
	}
	const at = httpapi.DefaultPrefix + "/project/"
	endpoints := map[string]string{"update/": "POST", "leave/": "POST", "list/": "GET"}
	long := []string{strings.Repeat("x", 65), strings.Repeat("x", 10_000), strings.Repeat("x", 1_000_000)}
	for _, id := range append(long, "%00", "%ff", "%0a", "%2e%2e%2f", "a%20b", "%u0041", "a,b", "%C3%A4") {
		for endpoint, method := range endpoints {
			if _, err := http.NewRequest(method, "http://h"+at+id+"/", nil); err == nil { // net/http answers the others
				add(400, "project_invalid", method, at+id+"/presence/"+endpoint)
			}
		}
		add(404, "not_found", "GET", httpapi.DefaultPrefix+"/client/"+strings.ReplaceAll(id, "%u0041", "")+".js")
	}
	for _, file := range []string{"/", httpapi.DefaultPrefix + "/client/writer-presence.js"} {
		for _, text := range append(long, "\x00", "\xff", `W/"`, `"`, "*x", `W/"1" W/"2"`, strings.Repeat(`"a",`, 1000)) {
			add(0, "", "GET", file, "If-None-Match", text)
			add(0, "", "GET", file, "Accept-Encoding", text, "Accept", text, "Accept-Language", text)
			add(0, "", "GET", file+"?"+strings.Repeat("x", len(text)%20_000))
			add(0, "", "GET", at+"p/presence/list/", "If-None-Match", text)
			add(0, "", "GET", at+"p/presence/list/", "X-Request-Id", text, "Accept-Language", text, "X-Forwarded-For", text, "Forwarded", text, "Accept-Encoding", text)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", strings.Repeat("X", 10_000)} {
			add(405, "method_not_allowed", method, file)
		}
	}
	for endpoint, method := range endpoints {
		for _, text := range append(long, "\x00", "a.b", "..", "\xff.\xff.\xff", strings.Repeat(".", 10_000), "null", "eyJhbGciOiJub25lIn0.e30.") {
			add(401, "token_invalid", method, at+"p/presence/"+endpoint, "Authorization", "Bearer "+text)
			add(401, "cookie_invalid", method, at+"p/presence/"+endpoint, "Cookie", servertest.CookieName+"="+strings.Trim(text, "\x00\uFFFD"))
		}
	}
	for _, text := range append(long, "\x00", "text/plain", "application/json; charset=\xff") {
		add(415, "not_json", "POST", at+"p/presence/update/", "Content-Type", text)
		add(415, "not_json", "POST", servertest.DevTokenPath, "Content-Type", text)
	}
	key := "dGhlIHNhbXBsZSBub25jZQ=="
	for _, wrong := range [][]string{
		{}, {"Sec-WebSocket-Key", ""}, {"Sec-WebSocket-Key", strings.Repeat("x", 10_000)}, {"Sec-WebSocket-Key", "\x00"}, {"Sec-WebSocket-Key", key + key}, {"Sec-WebSocket-Version", "12"},
		{"Sec-WebSocket-Version", strings.Repeat("13", 10_000)}, {"Sec-WebSocket-Protocol", ""}, {"Sec-WebSocket-Protocol", strings.Repeat("x,", 10_000)}, {"Sec-WebSocket-Protocol", "writer-presence.v1,writer-presence.v1"},
		{"Upgrade", "\xff"}, {"Connection", strings.Repeat("keep-alive,", 10_000)},
	} {
		headers := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": "writer-presence.v1"}
		if len(wrong) == 0 {
			clear(headers)
		} else {
			headers[wrong[0]] = wrong[1]
		}
		var pairs []string
		for name, text := range headers {
			pairs = append(pairs, name, text)
		}
		add(426, "upgrade_required", "GET", at+"p/presence/live/", pairs...)
	}
	return all
}

func TestBadHeadersAndPathsAreRejectedWithTheirCodeAndStoreNothing(t *testing.T) {
	var store servertest.SpyStore
	w := servertest.New(t, servertest.Direct, store.Install)
	w.As("alice", "1").Update(`{"section":"s","session":"tab","seq":5}`)
	before, came := w.As("watcher", "999").GetList().Body, len(store.Updates)+len(store.Leaves)
	requests := badRequests()
	for _, r := range requests {
		headers := r.headers
		if r.method == "POST" && !slices.Contains(headers, "Content-Type") {
			headers = append([]string{"Content-Type", "application/json"}, headers...)
		}
		got := w.Do(r.method, r.path, strings.NewReader(`{"section":"x","username":"x"}`), headers...)
		isRight := got.Status == r.status && strings.Contains(got.Body, `"code":"`+r.code+`"`)
		if r.status == 0 {
			isRight = got.Status == 200 || got.Status == 304
		}
		if !isRight {
			t.Errorf("%.20s %.60s %.60q: got %d %.100s, want %d %s", r.method, r.path, r.headers, got.Status, got.Body, r.status, r.code)
		}
	}
	if after := w.As("watcher", "999").GetList().Body; after != before || len(store.Updates)+len(store.Leaves) != came {
		t.Errorf("bad requests caused %d messages to the store, and changed the list\nfrom %s\nto   %s", len(store.Updates)+len(store.Leaves)-came, before, after)
	}
	t.Logf("%d requests were tried", len(requests))
}

// The server has its default limits, so rate limiting is tested too.
func TestThousandBadRequestsASecondLeakNothing(t *testing.T) { // invariant 11
	const seconds = 10
	synctest.Test(t, func(t *testing.T) {
		var store servertest.SpyStore
		w := servertest.New(t, servertest.Direct, store.Install, func(p *servertest.Config) {
			p.UserRate, p.AddressRate = identity.Rate{}, identity.Rate{}
			p.Visitors.Rate = identity.DefaultVisitorRate
		})
		var requests []func() *http.Request
		carol := w.As("carol", "3")
		for _, e := range bodyEndpoints() {
			for i, b := range e.bodies {
				requests = append(requests, func() *http.Request {
					r := httptest.NewRequest("POST", "http://"+w.Host+e.path, strings.NewReader(b.Body))
					if i%3 > 0 { // the others have no token
						r.Header.Set("Authorization", "Bearer "+carol.Token)
					}
					return r
				})
			}
		}
		for _, b := range badRequests() {
			requests = append(requests, func() *http.Request {
				r := httptest.NewRequest("GET", "http://"+w.Host+"/", nil)
				r.Method = b.method
				r.URL, _ = r.URL.Parse(b.path)
				for i := 0; i < len(b.headers); i += 2 {
					r.Header.Set(b.headers[i], b.headers[i+1])
				}
				return r
			})
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s","session":"tab","seq":1}`)
		send := func(n int) map[int]int {
			return flood(t, w, n, time.Duration(n)*time.Millisecond, func(i int) *http.Request { return requests[i%len(requests)]() })
		}
		settle := func() (goroutines int, megabytes float64) {
			for range 3 { // rate limiters evict old entries only when a request arrives
				time.Sleep(25 * time.Minute)
				alice.Update(`{"section":"s","session":"tab"}`)
			}
			store.Reset()
			return runtime.NumGoroutine(), heap()
		}
		send(100) // allocates what is allocated once
		goroutines, megabytes := settle()
		got := send(seconds * 1000)
		for status := range got {
			if !slices.Contains([]int{200, 304, 400, 401, 404, 405, 413, 415, 426, 429}, status) {
				t.Errorf("%d requests got %d", got[status], status)
			}
		}
		store.ExpectChecked(t)
		if held := store.ProjectCount(); held > 1 {
			t.Errorf("the store holds %d projects, want the one that all are in", held)
		}
		if alice.Update(`{"section":"t","session":"tab"}`).You.Section != "t" {
			t.Error("another user was rejected")
		}
		goroutinesAfter, megabytesAfter := settle()
		t.Logf("%d requests: %v; %d goroutines and %.1f MB before, %d and %.1f MB after", seconds*1000, got, goroutines, megabytes, goroutinesAfter, megabytesAfter)
		if goroutinesAfter > goroutines || megabytesAfter > megabytes+0.8 {
			t.Errorf("%d goroutines and %.1f MB are left over", goroutinesAfter-goroutines, megabytesAfter-megabytes)
		}
		w.ExpectListed("alice")
		runtime.KeepAlive(requests)
	})
}
