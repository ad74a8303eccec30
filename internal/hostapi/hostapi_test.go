package hostapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/internal/status"
)

func escape(s string) string { return url.QueryEscape(s) }

func TestEveryRequestNeedsAKeyOfTheFile(t *testing.T) {
	a := newAPI(t)
	key := a.key
	for _, path := range []string{"projects", "projects/p", "users/7"} {
		for _, wrong := range []string{"", "Bearer", "Bearer " + key[1:], "Bearer " + key + "x", "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+key)), key} {
			a := newAPI(t) // each with its own limit of failures
			answer := a.do("GET", path, "", "Authorization", wrong)
			answer.ExpectError(t, 401, "api_key_invalid")
			if id := answer.Header.Get("X-Request-ID"); id == "" || !strings.Contains(a.logs.String(), "request="+id) {
				t.Errorf("the answer has the id %q; want that of the log, %s", id, a.logs.String())
			}
		}
	}
	if got := a.do("GET", "projects", "", "Authorization", "bearer "+key); got.Status != 200 {
		t.Errorf("with the right key: got %d %s, want 200", got.Status, got.Body)
	}
	a.setKeys(oldKey, key)
	a.ok("GET", "projects", "")
	a.setKeys(oldKey)
	a.do("GET", "projects", "").ExpectError(t, 401, "api_key_invalid")
	a.Handler = hostapi.New(hostapi.Options{})
	recorder := httptest.NewRecorder()
	a.ServeHTTP(recorder, httptest.NewRequest("GET", "/api/v1/projects", nil))
	if body := recorder.Body.String(); recorder.Code != 404 || !strings.Contains(body, "api_off") || !strings.Contains(body, "--api-key-file") {
		t.Errorf("without keys: got %d %s, want 404 with the flag", recorder.Code, body)
	}
}

func TestFailuresOfAnAddressAreLimitedAndLoggedOnce(t *testing.T) {
	a := newAPI(t)
	codes := map[int]int{}
	for range 30 {
		codes[a.do("GET", "projects", "", "Authorization", "Bearer wrong").Status]++
	}
	if codes[401] < 10 || codes[401] > 15 || codes[429] != 30-codes[401] {
		t.Errorf("of 30 requests with a wrong key, got %v, want about 10 with 401 and 429 after that", codes)
	}
	a.ok("GET", "projects", "") // the right key is not limited
	if lines := strings.Count(a.logs.String(), "\n"); lines != 1 || strings.Contains(a.logs.String(), "wrong") {
		t.Errorf("got %d lines, want one without the key:\n%s", lines, a.logs.String())
	}
}

func TestKeyFileThatCannotBeUsedIsASentence(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("x", 31) + "\n":           "a line of 31 bytes; it needs at least 32",
		"":                                       "has 0 lines",
		oldKey + "\n\n":                          "an empty line",
		oldKey + "\n" + oldKey + "\n" + oldKey:   "has 3 lines",
		"a key with spaces in it, 32 bytes long": "a line with spaces",
		oldKey + "é":                             "characters outside of ASCII",
	} {
		if _, err := hostapi.ReadKeys(keyFile(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
	if _, err := hostapi.ReadKeys("/nonexistent"); err == nil {
		t.Error("a file that does not exist is accepted")
	}
	for _, text := range []string{oldKey, oldKey + "\r\n", oldKey + "\n" + strings.Repeat("y", 32) + "\n"} {
		if _, err := hostapi.ReadKeys(keyFile(t, text)); err != nil {
			t.Errorf("%q: got %v, want the keys", text, err)
		}
	}
}

func TestHostListsMovesSavesAndRemoves(t *testing.T) { // rules 19, 21, 23, 24
	onBothStores(t, func(a *api) {
		alice := presence.User{ID: "7", Name: "Alice"}
		update := func(project presence.Project, seq uint64) error {
			_, err := a.service.Update(a.Context(), project, alice, presence.Update{Session: "0123456789abcdef", Seq: seq, Section: "old/intro"})
			return err
		}
		update("p", 1)
		update("q", 1)
		a.ok("PUT", "projects/p/users/bot%2F1", `{"username": "Robot", "agent": true, "section": "notes", "ttl": 60, "avatar_url": "https://example.org/r.png"}`)
		got := a.ok("GET", "projects/p", "")
		if len(got.Users) != 2 || len(got.Sessions) != 2 || got.Sessions[0].UserID != float64(7) || got.Sessions[1].UserID != "bot/1" || got.Sessions[1].Section != "notes" {
			a.Errorf("got %+v, want Alice and Robot with a session each", got)
		}
		if strings.Contains(a.do("GET", "projects/p", "").Body, "0123456789abcdef") {
			a.Error("the snapshot has the name of a page's session, with which others can take it over")
		}
		if list, _ := a.pages("projects?prefix="); len(list) != 2 || list[0].Project+list[1].Project != "pq" && list[0].Project+list[1].Project != "qp" {
			a.Errorf("got the projects %+v, want p and q", list)
		}
		if list, _ := a.pages("projects?prefix=p"); len(list) != 1 || list[0] != (project{Project: "p", People: 1, Agents: 1}) {
			a.Errorf("got the projects %+v, want p with a person and an agent", list)
		}
		if list, _ := a.pages("users/bot%2F1?"); len(list) != 1 || list[0].Project != "p" || list[0].User.Section != "notes" {
			a.Errorf("got the places %+v of Robot, want notes in p", list)
		}
		a.ok("POST", "projects/p/saves", `{"section": " old//intro/", "revision": "5", "user_id": 9, "username": "Zoe"}`)
		a.ok("POST", "projects/p/sections/move", `{"from": "old", "to": "/new"}`)
		if got := a.ok("GET", "projects/p", ""); got.Users[0].Section != "new/intro" || len(got.Saved) != 1 || got.Saved[0].Section != "new/intro" || len(got.Moved) != 1 {
			a.Errorf("after a save and a move: got %+v, want both in new/intro", got)
		}
		a.ok("DELETE", "projects/p/users/7", "")
		a.wantListed("p", "Robot")
		if err := update("p", 2); err != nil {
			a.Errorf("Alice comes back after a removal without a time: got %v", err)
		}
		a.ok("DELETE", "users/7?for=60", "")
		a.wantListed("p", "Robot")
		a.wantListed("q", "")
		a.do("PUT", "projects/new/users/7", "{}").ExpectError(a.T, 403, "removed")
		a.ok("DELETE", "users/7?for=0", "")
		a.ok("PUT", "projects/q/users/7", "{}")
		began := time.Now()
		if got := a.do("DELETE", "projects/p/users/7?for=60", ""); got.Status != 200 {
			a.Errorf("got %d %s, want 200", got.Status, got.Body)
		}
		removed := a.do("PUT", "projects/p/users/7", "{}")
		removed.ExpectError(a.T, 403, "removed")
		retryAfter, _ := strconv.Atoi(removed.Header.Get("Retry-After"))
		if elapsed := time.Since(began).Seconds(); retryAfter > 60 || float64(retryAfter) < 60-elapsed {
			a.Errorf("got Retry-After %q %.1f s after a removal for 60 s, want the rest", removed.Header.Get("Retry-After"), elapsed)
		}
		a.ok("DELETE", "projects/p", "")
		a.wantListed("p", "")
		if got := a.ok("GET", "projects/p", ""); len(got.Saved) > 0 {
			a.Errorf("a deleted project has the saves %+v", got.Saved)
		}
		a.wantListed("q", "7")
	})
}

func TestBadRequestsGetASentenceAndChangeNothing(t *testing.T) { // invariant 12
	a := newAPI(t)
	a.ok("PUT", "projects/p/users/1", `{"section": "a"}`)
	version := a.ok("GET", "projects/p", "").Version
	long := strings.Repeat("x", 513)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "projects/" + strings.Repeat("p", 65), "", 400, "project_invalid"},
		{"GET", "projects/a%20b", "", 400, "project_invalid"},
		{"GET", "projects/%2E%2E", "", 400, "project_invalid"},
		{"GET", "projects/a.example%2Fp", "", 400, "tenant_invalid"},
		{"GET", "users/7?tenant=a.example", "", 400, "tenant_invalid"},
		{"GET", "projects?cursor=x", "", 400, "cursor_invalid"},
		{"DELETE", "users/" + long, "", 400, "user_id_invalid"},
		{"DELETE", "users/a%00b", "", 400, "user_id_invalid"},
		{"DELETE", "projects/p/users/%FF", "", 400, "user_id_invalid"},
		{"DELETE", "projects/p/users/1?for=-1", "", 400, "seconds_invalid"},
		{"DELETE", "projects/p/users/1?for=1.5", "", 400, "seconds_invalid"},
		{"DELETE", "projects/p/users/1?for=", "", 400, "seconds_invalid"},
		{"DELETE", "projects/p/users/1?for=86401", "", 400, "seconds_invalid"},
		{"DELETE", "projects/p?for=99999999999999999999", "", 400, "seconds_invalid"},
		{"GET", "projects?prefix=a.example/", "", 400, "tenant_invalid"},  // not "nobody is online"
		{"DELETE", "projects/p/users/1?for=", "", 400, "seconds_invalid"}, // a variable that is not set takes no removal back
		{"DELETE", "users/1?for=60;x", "", 400, "seconds_invalid"},        // net/url drops the parameter
		{"PUT", "projects/p/users/visitor-1", "{}", 400, "user_id_invalid"},
		{"PUT", "projects/p/users/1", `{"ttl": 0}`, 400, "seconds_invalid"},
		{"PUT", "projects/p/users/1", `{"ttl": 121}`, 400, "seconds_invalid"},
		{"PUT", "projects/p/users/1", `{"ttl": "1"}`, 400, "bad_type"},
		{"PUT", "projects/p/users/1", `{"avatar_url": "http://example.org/"}`, 400, "avatar_invalid"},
		{"PUT", "projects/p/users/1", `{"activity": "asleep"}`, 400, "activity_invalid"},
		{"PUT", "projects/p/users/1", `{"section": "a", "section": "b"}`, 400, "bad_json"},
		{"PUT", "projects/p/users/1", `[]`, 400, "bad_json"},
		{"PUT", "projects/p/users/1", `{"section": "` + strings.Repeat("x", 101) + `"}`, 400, "section_too_long"},
		{"PUT", "projects/p/users/1", `{"section": "` + strings.Repeat("x", 4096) + `"}`, 413, "body_too_large"},
		{"POST", "projects/p/saves", `{"section": "", "revision": "1", "user_id": 1}`, 400, "section_invalid"},
		{"POST", "projects/p/saves", `{"section": "a", "revision": "", "user_id": 1}`, 400, "revision_invalid"},
		{"POST", "projects/p/saves", `{"section": "a", "revision": "1"}`, 400, "user_id_invalid"},
		{"POST", "projects/p/sections/move", `{"from": "a"}`, 400, "section_invalid"},
		{"POST", "projects/p/sections/move", `{"from": "a", "to": "` + strings.Repeat("x", 101) + `"}`, 400, "section_too_long"},
		{"POST", "projects", "", 405, "method_not_allowed"},
		{"PATCH", "projects/p", "", 405, "method_not_allowed"},
		{"GET", "", "", 404, "not_found"},
		{"GET", "projects/", "", 404, "not_found"},
		{"DELETE", "users/", "", 404, "not_found"},
		{"DELETE", "projects/p/users/", "", 404, "not_found"},
		{"DELETE", "projects//users/1", "", 404, "not_found"},
		{"DELETE", "projects/p/users/..", "", 404, "not_found"},
		{"GET", "events/x", "", 404, "not_found"},
	} {
		a.do(c.method, c.path, c.body).ExpectError(t, c.status, c.code)
	}
	a.do("PUT", "projects/p/users/1", "{}", "Content-Type", "text/plain").ExpectError(t, 415, "not_json")
	if got := a.do("PATCH", "projects/p", ""); got.Header.Get("Allow") != "GET, HEAD, DELETE" {
		t.Errorf("got Allow %q, want GET, HEAD, DELETE", got.Header.Get("Allow"))
	}
	if now := a.ok("GET", "projects/p", "").Version; now != version {
		t.Errorf("after bad requests the version went from %d to %d", version, now)
	}
	if a.logs.String() != "" {
		t.Errorf("bad requests are logged:\n%s", a.logs.String())
	}
}

func TestIDsThatNeedEscapingAreData(t *testing.T) { // invariant 12
	a := newAPI(t)
	for _, id := range []string{"a/b", "a b", "..", ".", "%2F", "a?b=c#d", "名前", "*", "users", "'; DROP TABLE x", `"\`, strings.Repeat("é", 256)} {
		escaped := strings.ReplaceAll(url.PathEscape(id), ".", "%2E")
		a.ok("PUT", "projects/p/users/"+escaped, `{"section": "s"}`)
		if list, _ := a.pages("users/" + escaped + "?"); len(list) != 1 || list[0].User.ID != any(id) {
			t.Errorf("%q: got %+v, want the user in p", id, list)
		}
		a.ok("DELETE", "users/"+escaped, "")
		a.wantListed("p", "")
	}
}

func TestTenantsArePartOfProjectsAndUsers(t *testing.T) { // invariant 9
	a := newAPI(t, func(o *hostapi.Options) { o.Tenants = true })
	for _, tenant := range []string{"a.example", "b.example"} {
		a.ok("PUT", "projects/"+tenant+"%2Fp/users/7", `{}`)
	}
	if list, _ := a.pages("projects?prefix=a.example%2F"); len(list) != 1 || list[0].Project != "a.example/p" {
		t.Errorf("got %+v, want the project of a.example", list)
	}
	if list, _ := a.pages("users/7?tenant=b.example"); len(list) != 1 || list[0].Project != "b.example/p" {
		t.Errorf("got %+v, want the project of b.example", list)
	}
	a.ok("DELETE", "users/7?tenant=a.example&for=60", "")
	a.wantListed("a.example%2Fp", "")
	a.wantListed("b.example%2Fp", "7")
	a.do("PUT", "projects/a.example%2Fq/users/7", `{}`).ExpectError(t, 403, "removed")
	a.ok("PUT", "projects/b.example%2Fq/users/7", `{}`)
	for _, path := range []string{"projects/p", "projects/%2Fp", "projects/A.example%2Fp", "projects/a.example:443%2Fp", "users/7", "users/7?tenant=", "users/7?tenant=a%2Fb"} {
		a.do("GET", path, "").ExpectError(t, 400, "tenant_invalid")
	}
}

func TestTenThousandProjectsAreListedInPages(t *testing.T) {
	const n, shared = 10_000, 250
	onBothStores(t, func(a *api) {
		a.enter(n, numbered)
		a.enter(shared, func(i int) (presence.Project, presence.User) {
			p, _ := numbered(i * (n / shared))
			return p, presence.User{ID: "busy", Name: "Busy"}
		})
		list, pages := a.pages("projects?prefix=")
		seen := map[string]bool{}
		for _, p := range list {
			seen[p.Project] = true
			if p.People < 1 || p.People > 2 {
				a.Fatalf("got %+v, want one or two people", p)
			}
		}
		if len(seen) != n || pages < n/150 {
			a.Errorf("got %d projects in %d pages, want %d in about %d", len(seen), pages, n, n/100)
		}
		if list, _ := a.pages("users/7777?"); len(list) != 1 || list[0].Project != "project-7777" {
			a.Errorf("got %+v, want the one project of a user", list)
		}
		if list, _ := a.pages("users/busy?"); len(list) != shared {
			a.Errorf("got %d projects of a user, want %d", len(list), shared)
		}
		for cursor := ""; ; {
			got := a.ok("DELETE", "users/busy?for=60"+cursor, "")
			if cursor = "&cursor=" + escape(got.Next); got.Next == "" {
				break
			}
		}
		if list, _ := a.pages("users/busy?"); len(list) != 0 {
			a.Errorf("a removed user is still in %d projects", len(list))
		}
	})
}

func TestRequireKeyProtectsOtherHandlers(t *testing.T) {
	a := newAPI(t)
	behind := a.RequireKey(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "inside") }))
	for authorization, want := range map[string]int{"": 401, "Bearer " + a.key: 200} {
		r := httptest.NewRequest("GET", "/debug/pprof/", nil)
		r.Header.Set("Authorization", authorization)
		recorder := httptest.NewRecorder()
		if behind.ServeHTTP(recorder, r); recorder.Code != want {
			t.Errorf("with %q: got %d, want %d", authorization, recorder.Code, want)
		}
	}
}

func TestStatusDescribesTheNode(t *testing.T) {
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "writer_presence_requests_total"})
	recorder := status.New(status.Options{Version: "1.2.3", Health: healthy{}, Collectors: []prometheus.Collector{counter}})
	a := newAPI(t, func(o *hostapi.Options) { o.Status = recorder.JSON })
	if got := a.do("GET", "status", ""); got.Status != 200 || !strings.Contains(got.Body, `"version":"1.2.3"`) {
		t.Errorf("got %d %s, want the version", got.Status, got.Body)
	}
	a.do("POST", "status", "{}").ExpectError(t, 405, "method_not_allowed")
	a.do("GET", "status", "", "Authorization", "").ExpectError(t, 401, "api_key_invalid")
}

// healthy is the health of a store that works.
type healthy struct{}

func (healthy) Ready(context.Context) error { return nil }
func (healthy) Figures() presence.Figures   { return presence.Figures{} }
