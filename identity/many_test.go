package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// newManyHost returns a host that answers about several projects at /several, and its authenticator. Alice may see those
// of which the id has an even length.
func newManyHost(t *testing.T) (*host, *identity.Host, *[]int) {
	t.Helper()
	h, auth := newHost(t)
	var asked []int // how many projects each request asked about
	one := h.answer
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/several" {
			one(w, r)
			return
		}
		w.Header().Set("Writer-Presence", "1")
		if r.Header.Get("Cookie") != "session=alice" || r.URL.Query().Get("kind") != "presence" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		projects := r.URL.Query()["project"]
		asked = append(asked, len(projects))
		visible, _ := json.Marshal(slices.DeleteFunc(projects, func(p string) bool { return len(p)%2 > 0 }))
		fmt.Fprintf(w, `{"user_id": 1, "username": "alice", "projects": %s}`, visible)
	}
	if err := auth.SetProjectsAddress(h.URL + "/several?kind=presence"); err != nil {
		t.Fatal(err)
	}
	return h, auth, &asked
}

func withCookie(cookie string) identity.Request {
	return identity.Request{Header: http.Header{"Cookie": {cookie}}}
}

func TestHostIsAskedOnceAboutSeveralProjects(t *testing.T) { // rule 14
	h, auth, asked := newManyHost(t)
	ask := func(cookie string, projects ...presence.Project) (decisions []string) {
		for _, d := range identity.AuthenticateMany(t.Context(), identity.FirstOf(auth, nil), withCookie(cookie), projects) {
			switch {
			case d.Err == nil:
				decisions = append(decisions, d.User.Name)
			case errors.Is(d.Err, identity.ErrProjectUnknown):
				decisions = append(decisions, "unknown")
			case errors.Is(d.Err, identity.ErrNobody):
				decisions = append(decisions, "nobody")
			default:
				decisions = append(decisions, d.Err.Error())
			}
		}
		return decisions
	}
	if got := ask("session=alice", "aa", "b", "cc"); !slices.Equal(got, []string{"alice", "unknown", "alice"}) || !slices.Equal(*asked, []int{3}) {
		t.Errorf("got %q with requests about %v projects, want one about 3", got, *asked)
	}
	if got := ask("session=alice", "cc", "dd", "b"); !slices.Equal(got, []string{"alice", "alice", "unknown"}) || !slices.Equal(*asked, []int{3, 1}) {
		t.Errorf("got %q with requests about %v projects, want another one about dd", got, *asked)
	}
	// The answers are those of single questions, too.
	if p, err := auth.Authenticate(t.Context(), func() identity.Request { r := withCookie("session=alice"); r.Project = "aa"; return r }()); err != nil || p.User != alice {
		t.Errorf("got %+v, %v, want alice from the cache", p, err)
	}
	h.wantRequests(t, 2)
	if got := ask("session=nobody", "aa", "b"); !slices.Equal(got, []string{"nobody", "nobody"}) {
		t.Errorf("got %q, want nobody", got)
	}

	var long []presence.Project
	for i := range 100 {
		long = append(long, presence.Project(fmt.Sprint(strings.Repeat("x", 60), i+100, "y"))) // 64 characters
	}
	*asked = nil
	if got := ask("session=alice", long...); slices.ContainsFunc(got, func(s string) bool { return s != "alice" }) || len(*asked) != 3 {
		t.Errorf("got %q with requests about %v projects, want three requests that are not too long", got, *asked)
	}
}

func TestHostThatDoesNotAnswerAboutSeveralProjectsIsUnavailable(t *testing.T) { // rule 13
	h, auth, _ := newManyHost(t)
	for _, body := range []string{`{"user_id": 1, "username": "alice"}`, `{"user_id": 1, "projects": "aa"}`, `{"projects": ["aa"]}`, `<html>`} {
		h.answers(200, body)
		cookie := "session=" + fmt.Sprint(len(body))
		for _, d := range auth.AuthenticateMany(t.Context(), withCookie(cookie), []presence.Project{"aa", "bb"}) {
			if !errors.Is(d.Err, presence.ErrUnavailable) {
				t.Errorf("%s: got %v, want ErrUnavailable", body, d.Err)
			}
		}
		r := withCookie(cookie)
		r.LimitExceeded = true
		before := h.requests.Load()
		if d := auth.AuthenticateMany(t.Context(), r, []presence.Project{"cc"})[0]; !errors.Is(d.Err, presence.ErrUnavailable) || h.requests.Load() != before {
			t.Errorf("over a rate limit: got %v and %d requests, want ErrUnavailable without one", d.Err, h.requests.Load()-before)
		}
	}
	for _, address := range []string{"", "ftp://x/", "http://", "http://x/{project}/", "http://x/#a"} {
		if err := auth.SetProjectsAddress(address); err == nil {
			t.Errorf("the address %q is accepted", address)
		}
	}
	one, err := identity.NewHost("http://u:p-word@x/presence/{project}/?key=k", nil)
	if err != nil {
		t.Fatal(err)
	}
	for address, ok := range map[string]bool{
		"http://u:p-word@x/presence/projects/": false, "http://u:p-word@x/presence/projects/?a=b": false, // of the project projects
		"http://u:p-word@x/presence/": true, "http://u:p-word@x/presence/a/b/": true, "http://u:p-word@x/presences": true,
	} {
		if err := one.SetProjectsAddress(address); (err == nil) != ok || err != nil && (strings.Contains(err.Error(), "p-word") || !strings.Contains(err.Error(), "the project projects")) {
			t.Errorf("the address %q: %v; want it accepted: %t, and no password", address, err, ok)
		}
	}
}

// fixed is an authenticator that knows one user in the projects of its list.
type fixed struct {
	presence.User
	projects []presence.Project
}

func (f fixed) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	switch {
	case r.Project == "panics":
		panic("in Authenticate")
	case slices.Contains(f.projects, r.Project):
		return identity.Principal{User: f.User}, nil
	}
	return identity.Principal{}, identity.ErrNobody
}

func TestSeveralProjectsPassTheAuthenticatorsInOrder(t *testing.T) {
	first, second := fixed{User: alice, projects: []presence.Project{"a", "b"}}, fixed{User: presence.User{ID: "2", Name: "bob"}, projects: []presence.Project{"b", "c"}}
	got := identity.AuthenticateMany(t.Context(), identity.FirstOf(first, second), identity.Request{}, []presence.Project{"c", "b", "d", "a", "panics"})
	for i, want := range []string{"bob", "alice", "", "alice", ""} {
		if got[i].User.Name != want || (got[i].Err == nil) != (want != "") {
			t.Errorf("project %d: got %+v, want %q", i, got[i], want)
		}
	}
	if !errors.Is(got[2].Err, identity.ErrNobody) || errors.Is(got[4].Err, identity.ErrNobody) {
		t.Errorf("got %v and %v, want ErrNobody and the panic", got[2].Err, got[4].Err)
	}
}

func TestFunctionsIdentifyOnceForSeveralProjects(t *testing.T) {
	n := 0
	f := identity.Functions{
		Identify: func(context.Context, identity.Request) (presence.User, error) { n++; return alice, nil },
		Authorize: func(_ context.Context, _ presence.User, p presence.Project) error {
			if p == "host/b" {
				return identity.ErrProjectUnknown
			}
			return nil
		},
	}
	got := f.AuthenticateMany(t.Context(), identity.Request{Tenant: "host"}, []presence.Project{"a", "b"})
	if n != 1 || got[0].Err != nil || !errors.Is(got[1].Err, identity.ErrProjectUnknown) || got[1].User != alice {
		t.Errorf("got %+v with %d calls of Identify, want a allowed, b unknown, and one call", got, n)
	}
}
