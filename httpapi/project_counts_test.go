package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/internal/servertest"
	"github.com/writer-presence/writer-presence/redisstore"
)

type projectCounts struct {
	Users    int
	Sections map[string]int
	Version  uint64
	Partial  *bool
}

// getCounts requests the counts of projects.
func getCounts(c *servertest.Client, projects []string, headers ...string) servertest.Response {
	c.Server.T.Helper()
	return c.Do(http.MethodGet, httpapi.DefaultPrefix+"/presence/counts/?"+url.Values{"project": projects}.Encode(), "", headers...)
}

// countsOf decodes counts, which must be a success.
func countsOf(t *testing.T, got servertest.Response) map[string]projectCounts {
	t.Helper()
	var body struct {
		Success  bool
		Projects map[string]projectCounts
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil || got.Status != 200 || !body.Success || body.Projects == nil {
		t.Fatalf("got %d %s, want counts", got.Status, got.Body)
	}
	return body.Projects
}

// withRedis replaces the store by one in a Redis of the test's own.
func withRedis(t *testing.T) func(*servertest.Config) {
	store := redistest.OpenStore(t, redistest.Start(t).URL(), redisstore.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the store's Run returned %v", err)
		}
	})
	return func(p *servertest.Config) { p.WrapStore = func(presence.Store) presence.Store { return store } }
}

// tokensOfTeams accepts tokens such as alice:a,b: the name, and the projects that are theirs. The user bot is an agent.
var tokensOfTeams = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
	name, projects, _ := strings.Cut(r.Token, ":")
	switch {
	case r.Token == "":
		return identity.Principal{}, identity.ErrNobody
	case r.Token == "forged":
		return identity.Principal{}, identity.ErrTokenInvalid
	case !slices.Contains(strings.Split(projects, ","), string(r.Project)):
		return identity.Principal{}, identity.ErrProjectUnknown
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(name), Name: name, Agent: name == "bot"}}, nil
})

func teams(p *servertest.Config) { p.Dev, p.Authenticator = nil, tokensOfTeams }

func withToken(w *servertest.Server, token string) *servertest.Client {
	c := w.Anonymous()
	c.Token = token
	return c
}

func TestCountsOfBothStores(t *testing.T) { // rules 10, 14, 21
	for name, store := range map[string]func(*testing.T) func(*servertest.Config){
		"sqlite": func(*testing.T) func(*servertest.Config) { return func(*servertest.Config) {} },
		"redis":  withRedis,
	} {
		t.Run(name, func(t *testing.T) {
			w := servertest.New(t, teams, store(t))
			alice, bob, bot := withToken(w, "alice:a,b,empty"), withToken(w, "bob:a,secret"), withToken(w, "bot:a")
			for _, c := range []struct {
				who           *servertest.Client
				project, body string
			}{
				{alice, "a", `{"session": "1", "section": "intro"}`}, {alice, "a", `{"session": "2", "section": "methods"}`}, {alice, "b", `{}`},
				{bob, "a", `{"section": "intro", "activity": "idle"}`}, {bob, "secret", `{"section": "x"}`}, {bot, "a", `{"section": "intro"}`},
			} {
				c.who.ExpectSuccess(c.who.DoIn(c.project, "update", c.body))
			}
			version := func(project string) uint64 { return alice.ExpectSuccess(alice.DoIn(project, "list", "")).Version }
			want := map[string]projectCounts{
				"a": {Users: 2, Sections: map[string]int{"intro": 2, "methods": 1}, Version: version("a")},
				"b": {Users: 1, Sections: map[string]int{}, Version: version("b")}, "empty": {Sections: map[string]int{}, Version: version("empty")},
			}
			got := getCounts(alice, []string{"secret", "b", "a", "unknown", "a", "empty"})
			if counts := countsOf(t, got); !reflect.DeepEqual(counts, want) {
				t.Errorf("got %+v\nwant %+v", counts, want)
			}
			for header, want := range map[string]string{"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"} {
				if got.Header.Get(header) != want {
					t.Errorf("got %s %q, want %q", header, got.Header.Get(header), want)
				}
			}
			if forbidden, unknown := getCounts(alice, []string{"secret"}), getCounts(alice, []string{"unknown"}); forbidden.Body != unknown.Body || forbidden.Header.Get("ETag") != unknown.Header.Get("ETag") {
				t.Errorf("a forbidden project got %s with %v, an unknown one %s with %v, want the same", forbidden.Body, forbidden.Header, unknown.Body, unknown.Header)
			}
			tag := got.Header.Get("ETag")
			same := func(client *servertest.Client, projects ...string) int {
				answer := getCounts(client, projects, "If-None-Match", tag)
				if answer.Status == http.StatusNotModified && (answer.Body != "" || answer.Header.Get("ETag") != tag) {
					t.Errorf("got 304 with body %q and tag %s, want no body and %s", answer.Body, answer.Header.Get("ETag"), tag)
				}
				return answer.Status
			}
			if a, b := same(alice, "empty", "a", "b"), same(alice, "a", "b"); a != 304 || b != 200 {
				t.Errorf("got %d for the same projects in another order and %d for others, want 304 and 200", a, b)
			}
			bob.ExpectSuccess(bob.DoIn("secret", "update", `{"section": "y"}`))
			if got := same(alice, "a", "b", "empty", "secret"); got != 304 {
				t.Errorf("after a change in a project that is left out: got %d, want 304", got)
			}
			alice.ExpectSuccess(alice.DoIn("b", "update", `{"section": "z"}`))
			if got := same(alice, "a", "b", "empty"); got != 200 {
				t.Errorf("after a change: got %d, want 200", got)
			}
		})
	}
}

func TestCountsJoinNothingAndRenewNobody(t *testing.T) { // rule 10
	synctest.Test(t, func(t *testing.T) {
		var store servertest.SpyStore
		w := servertest.New(t, servertest.Direct, store.Install)
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s"}`)
		store.Reset()
		for range 8 {
			time.Sleep(15 * time.Second)
			if counts := countsOf(t, getCounts(alice, []string{"p", "q"})); counts["p"].Users != 1 {
				t.Fatalf("got %+v, want alice in p", counts)
			}
			if visitor := w.Anonymous(); getCounts(visitor, []string{"p"}).Status != 200 || visitor.SetCookie != nil {
				t.Fatalf("an unknown caller got the cookie %v, want none", visitor.SetCookie)
			}
		}
		time.Sleep(time.Nanosecond)
		if counts := countsOf(t, getCounts(alice, []string{"p"})); counts["p"].Users != 0 {
			t.Errorf("got %+v after the lease, want nobody", counts)
		}
		if len(store.Updates)+len(store.Leaves)+len(store.Watched) > 0 {
			t.Errorf("the store got %v, %v, %v, want snapshots only", store.Updates, store.Leaves, store.Watched)
		}
	})
}

func TestCountsWithoutAValidListOfProjectsAreRejected(t *testing.T) {
	w := servertest.New(t)
	alice := w.As("alice", "1")
	many := func(n int) (query string) {
		for i := range n {
			query += fmt.Sprintf("&project=p%d", i)
		}
		return query[1:]
	}
	for query, code := range map[string]string{
		"": "projects_invalid", "projects=a": "projects_invalid", many(101): "projects_invalid", "project=%zz": "projects_invalid",
		"project=": "project_invalid", "project=a&project=b%2Fc": "project_invalid", "project=" + strings.Repeat("x", 65): "project_invalid", "project=a,b": "project_invalid",
	} {
		alice.Do(http.MethodGet, httpapi.DefaultPrefix+"/presence/counts/?"+query, "").ExpectError(t, 400, code)
	}
	if got := countsOf(t, alice.Do(http.MethodGet, httpapi.DefaultPrefix+"/presence/counts/?"+many(100)+"&"+many(100)+"&x=y", "")); len(got) != 100 {
		t.Errorf("got %d projects, want 100", len(got))
	}
	alice.Do(http.MethodPost, httpapi.DefaultPrefix+"/presence/counts/?project=a", "{}").ExpectError(t, 405, "method_not_allowed")
	alice.Do(http.MethodGet, httpapi.DefaultPrefix+"/presence/counts?project=a", "").ExpectError(t, 404, "not_found")
	if got := alice.Do(http.MethodHead, httpapi.DefaultPrefix+"/presence/counts/?project=a", ""); got.Status != 200 || got.Body != "" || got.Header.Get("ETag") == "" {
		t.Errorf("HEAD: got %d %v %q, want 200 with a tag and no body", got.Status, got.Header, got.Body)
	}
	alice.Do(http.MethodGet, httpapi.DefaultPrefix+"/presence/counts/?project=a", "", "Host", "tunnel.example").ExpectError(t, 403, "cross_origin")
}

func TestCountsFailAsAWholeWhereOneProjectIsNotKnown(t *testing.T) { // rule 13
	w := servertest.New(t, func(p *servertest.Config) {
		p.Dev = nil
		p.Authenticator = servertest.AuthenticatorFunc(func(ctx context.Context, r identity.Request) (identity.Principal, error) {
			switch r.Project {
			case "down":
				return identity.Principal{}, fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable)
			case "panics":
				panic(servertest.SecretCause)
			}
			return tokensOfTeams(ctx, r)
		})
	})
	alice := withToken(w, "alice:a")
	for project, want := range map[string]int{"down": 503, "panics": 500} {
		got := getCounts(alice, []string{"a", project, "unknown"})
		got.ExpectError(t, want, map[int]string{503: "unavailable", 500: "broken"}[want])
		if got.Header.Get("ETag") != "" || strings.Contains(got.Body, "canary") {
			t.Errorf("got %v %s, want neither a tag nor the cause", got.Header, got.Body)
		}
	}
	getCounts(withToken(w, "forged"), []string{"a"}).ExpectError(t, 401, "token_invalid")
	getCounts(w.Anonymous(), []string{"a", "b"}).ExpectError(t, 401, "unauthenticated")
	if got := countsOf(t, getCounts(alice, []string{"b"})); len(got) != 0 {
		t.Errorf("got %v, want no projects", got)
	}

	var store servertest.FlakyStore
	w = servertest.New(t, store.Install)
	store.Fail(nil, presence.ErrUnavailable)
	getCounts(w.As("alice", "1"), []string{"a"}).ExpectError(t, 503, "unavailable")
}

func TestCountsSayIfTheyArePartial(t *testing.T) { // rule 13
	s := &partialStore{}
	w := servertest.New(t, s.install)
	for _, loss := range []uint64{0, 1} {
		s.loss.Store(loss)
		if got := countsOf(t, getCounts(w.As("alice", "1"), []string{"p"}))["p"].Partial; (got != nil && *got) != (loss > 0) {
			t.Errorf("after %d losses got partial %v", loss, got)
		}
	}
}

func TestTenProjectsCountAsOneRequest(t *testing.T) { // rule 16
	projects := make([]string, 100)
	for i := range projects {
		projects[i] = fmt.Sprint("p", i)
	}
	for name, limit := range map[string]func(*servertest.Config){
		"user":    func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 11} },
		"address": func(p *servertest.Config) { p.AddressRate = identity.Rate{PerSecond: 0.001, Burst: 11} },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := servertest.New(t, servertest.Direct, limit)
			alice := w.As("alice", "1")
			countsOf(t, getCounts(alice, projects))
			countsOf(t, getCounts(alice, projects[:10]))
			got := getCounts(alice, projects[:1])
			got.ExpectError(t, 429, "too_many_requests")
			if got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: got no Retry-After", name)
			}
			if _, rows := w.RequestCounts()["counts 429"]; !rows {
				t.Errorf("%s: got the metrics %v, want counts 429", name, slices.Sorted(maps.Keys(w.RequestCounts())))
			}
		})
	}
}

func TestCountsAskAboutFewProjectsAtOnceAndEndInTime(t *testing.T) { // invariant 10
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			now += n
			most = max(most, now)
		}
		delay := 100 * time.Millisecond
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.Authenticator = servertest.AuthenticatorFunc(func(ctx context.Context, r identity.Request) (identity.Principal, error) {
				add(1)
				defer add(-1)
				select {
				case <-time.After(delay):
					return identity.Principal{User: presence.User{ID: "1", Name: "Alice"}}, nil
				case <-ctx.Done():
					return identity.Principal{}, fmt.Errorf("%w: %w", presence.ErrUnavailable, ctx.Err())
				}
			})
		})
		projects := make([]string, 100)
		for i := range projects {
			projects[i] = fmt.Sprint("p", i)
		}
		began := time.Now()
		countsOf(t, getCounts(w.Anonymous(), projects))
		if took := time.Since(began); most != 8 || took != 1300*time.Millisecond {
			t.Errorf("got %d projects at once and %v, want 8 and 1.3 s", most, took)
		}
		delay, began = time.Minute, time.Now()
		getCounts(w.Anonymous(), projects).ExpectError(t, 503, "unavailable")
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("a slow authenticator: got the answer after %v, want 4 s", took)
		}
	})
}

func TestCountsOfTwoHostsAreThoseOfTwoTenants(t *testing.T) { // case 56, invariant 9
	w := servertest.New(t, servertest.Direct, tenants)
	ask := func(method, path, host string) servertest.Response {
		return w.Do(method, httpapi.DefaultPrefix+path, strings.NewReader(`{}`), "Host", host, "Content-Type", "application/json")
	}
	ask("POST", servertest.ProjectPath+"update/", "a.example")
	for host, want := range map[string]int{"a.example": 1, "b.example": 0} {
		if got := countsOf(t, ask("GET", "/presence/counts/?project=p", host))["p"].Users; got != want {
			t.Errorf("%s: got %d people, want %d", host, got, want)
		}
	}
	if got := countsOf(t, ask("GET", "/presence/counts/?project=p", "")); len(got) != 0 {
		t.Errorf("without a host: got %v, want no projects", got)
	}
}

func TestCountsAreCompressedAndBounded(t *testing.T) { // rule 16
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		for user := range 51 {
			writer := w.As(fmt.Sprint("writer", user), presence.UserID(fmt.Sprint(user+1)))
			for tab := range 20 {
				writer.Update(fmt.Sprintf(`{"session": "t%d", "section": "s%04d"}`, tab, user*20+tab))
			}
		}
		got := getCounts(w.As("alice", "999"), []string{"p"}, "Accept-Encoding", "gzip")
		if got.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("got the headers %v, want gzip", got.Header)
		}
		got.Body = got.Gunzip(t)
		p := countsOf(t, got)["p"]
		if p.Users != 51 || len(p.Sections) != 1000 || p.Sections["s0000"] != 1 || p.Sections["s1000"] != 0 {
			t.Errorf("got %d people in %d sections, want 51 in the first 1000", p.Users, len(p.Sections))
		}
	})
}
