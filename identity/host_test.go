package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// host is a host application that answers as the test says.
type host struct {
	*httptest.Server
	requests atomic.Int32

	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
	logs   strings.Builder
}

// newHost returns a host that knows the session alice in the project p, and its authenticator.
func newHost(t *testing.T) (*host, *identity.Host) {
	t.Helper()
	h := &host{answer: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Writer-Presence", "1")
		switch {
		case r.Header.Get("Cookie") != "session=alice" && r.Header.Get("Authorization") != "Bearer alice":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/presence/p/":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Write([]byte(`{"user_id": 1, "username": "alice"}`))
		}
	}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		h.mu.Lock()
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	auth, err := identity.NewHost(h.URL+"/presence/{project}/", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h, auth
}

func (h *host) answers(status int, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

func (h *host) wantRequests(t *testing.T, want int32) {
	t.Helper()
	if n := h.requests.Load(); n != want {
		t.Errorf("got %d requests to the host, want %d", n, want)
	}
}

var alice = presence.User{ID: "1", Name: "alice"}

func TestHostAnswerDecidesUserAndAccess(t *testing.T) {
	_, auth := newHost(t)
	in := func(project presence.Project, r identity.Request) identity.Request {
		r.Project = project
		return r
	}
	for name, c := range map[string]struct {
		request identity.Request
		user    presence.User
		err     error
	}{
		"a member by cookie":          {request("Cookie", "session=alice"), alice, nil},
		"a member by Authorization":   {request("Authorization", "Bearer alice"), alice, nil},
		"a member by a hello":         {with("alice"), alice, nil},
		"a member with cookies of us": {request("Cookie", "writer_presence_visitor=x; session=alice; __Host-writer_presence_visitor=y"), alice, nil},
		"nobody":                      {request(), presence.User{}, identity.ErrNobody},
		"somebody it does not know":   {request("Cookie", "session=mallory"), presence.User{}, identity.ErrNobody},
		"a member of another project": {in("q", request("Cookie", "session=alice")), presence.User{}, identity.ErrProjectUnknown},
	} {
		if got, err := auth.Authenticate(t.Context(), c.request); !errors.Is(err, c.err) || got.User != c.user {
			t.Errorf("%s: got %+v, %v, want %+v, %v", name, got.User, err, c.user, c.err)
		}
	}
}

func TestInvalidHostAnswerIsUnavailable(t *testing.T) { // case 37
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"broken": {500, ""}, "bad gateway": {502, "<html>"}, "a redirect to sign in": {302, ""}, "created": {201, `{"user_id": 1, "username": "a"}`}, "no content": {204, ""},
		"no JSON": {200, "<html>"}, "an empty body": {200, ""}, "no id": {200, `{"username": "alice"}`}, "an empty id": {200, `{"user_id": "", "username": "alice"}`},
		"null": {200, "null"}, "an id that is no number": {200, `{"user_id": 1.5}`}, "a list": {200, `[1]`}, "a visitor's id": {200, `{"user_id": "visitor-1", "username": "a"}`},
		"a list of hosts that are allowed": {403, "Host is not allowed\n"}, "a page about CSRF": {403, "<!DOCTYPE html><title>CSRF verification failed</title>"}, "nothing at that address": {404, "404 page not found\n"},
		"a proxy without a word": {404, ""}, "a gateway's login": {401, "<html>Authorization Required</html>"}, "a refusal that is a JSON text": {403, `"forbidden"`}, "a refusal that is null": {403, "null"}, "a refusal that is a list": {404, "[]"}, "a refusal cut short": {403, `{"user_id": nu`},
		"a login page": {200, "<!DOCTYPE html><title>Sign in</title>"},
		"too long":     {200, `{"username": "` + strings.Repeat("a", 1<<16) + `", "user_id": 1}`}, "a name that is a number": {200, `{"user_id": 1, "username": 1}`},
	} {
		h, auth := newHost(t)
		h.answers(c.status, c.body)
		if got, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) || got.User.ID != "" {
			t.Errorf("%s: got %+v, %v, want ErrUnavailable", name, got, err)
		}
	}
}

func TestHostUserIDIsNumberOrString(t *testing.T) {
	for body, want := range map[string]presence.UserID{`1`: "1", `"1"`: "1", `"b7-x"`: "b7-x", `9007199254740993`: "9007199254740993", `-1`: "-1"} {
		h, auth := newHost(t)
		h.answers(200, `{"user_id": `+body+`, "username": "alice"}`)
		if got, err := auth.Authenticate(t.Context(), request()); err != nil || got.User.ID != want {
			t.Errorf("user_id %s: got %q, %v, want %q", body, got.User.ID, err, want)
		}
	}
}

func TestHostRejectionCountsOnlyFromThePresenceView(t *testing.T) {
	for _, header := range []string{"", "1"} {
		for _, body := range []string{"", `{"user_id": null}`, `{"error": "no such project"}`, "{}", "<html>"} {
			for status, want := range map[int]error{401: identity.ErrNobody, 403: identity.ErrProjectUnknown, 404: identity.ErrProjectUnknown} {
				h, auth := newHost(t)
				h.mu.Lock()
				h.answer = func(w http.ResponseWriter, _ *http.Request) {
					if header != "" {
						w.Header().Set("Writer-Presence", header)
					}
					w.WriteHeader(status)
					w.Write([]byte(body))
				}
				h.mu.Unlock()
				if header == "" && !strings.HasPrefix(body, "{") {
					want = presence.ErrUnavailable
				}
				if _, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, want) {
					t.Errorf("%d %q with the header %q: got %v, want %v", status, body, header, err, want)
				}
				vague := strings.Count(h.logs.String(), "level=WARN")
				if isVague := header == "" && strings.HasPrefix(body, "{") && !strings.Contains(body, "user_id"); isVague != (vague == 1) {
					t.Errorf("%d %q with the header %q: got %d warnings, want one: %v\n%s", status, body, header, vague, isVague, &h.logs)
				}
			}
		}
	}
}

func TestHostAnswerIsDecodedStrictly(t *testing.T) { // case 53
	for name, body := range map[string]string{
		"an empty object": `{}`, "null": `null`, "other capitals": `{"USER_ID": 1, "Username": "alice"}`, "Unicode folding": `{"uſer_id": 1}`, "null for an id": `{"user_id": null, "username": "a"}`,
		"a second object": `{"user_id": 1, "username": "a"}{}`, "trailing bytes": `{"user_id": 1, "username": "a"} x`, "an id twice": `{"user_id": 1, "user_id": 1}`,
		"a nested name twice": `{"user_id": 1, "x": {"a": 1, "a": 2}}`, "trailing bytes beyond the limit": `{"user_id": 1}` + strings.Repeat(" ", 16<<10) + "x",
		"a reserved id": `{"user_id": "visitor-x"}`, "an empty id": `{"user_id": ""}`, "a long id": `{"user_id": "` + strings.Repeat("x", presence.MaxUserID+1) + `"}`, "a control character": `{"user_id": "a\nb"}`,
		"an id that is not UTF-8": "{\"user_id\": \"a\xff\"}", "-0": `{"user_id": -0}`, "1.0": `{"user_id": 1.0}`, "1e3": `{"user_id": 1e3}`, "01": `{"user_id": 01}`, "2^63": `{"user_id": 9223372036854775808}`,
		"true": `{"user_id": true}`, "a list": `{"user_id": [1]}`,
	} {
		h, auth := newHost(t)
		h.answers(200, body)
		got, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice"))
		if !errors.Is(err, presence.ErrUnavailable) || errors.Is(err, presence.ErrUserIDInvalid) || got.User.ID != "" {
			t.Errorf("%s: got %+v, %v, want only ErrUnavailable", name, got, err)
		}
		if !strings.Contains(h.logs.String(), "level=ERROR") {
			t.Errorf("%s: want an error in the log", name)
		}
	}
}

func TestInvalidIDFromIdentifyIsUnavailable(t *testing.T) {
	f := identity.Functions{Identify: func(context.Context, identity.Request) (presence.User, error) {
		return identity.NewUser("visitor-x", "a")
	}}
	if _, err := f.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) || errors.Is(err, presence.ErrUserIDInvalid) {
		t.Errorf("got %v, want only ErrUnavailable", err)
	}
}
