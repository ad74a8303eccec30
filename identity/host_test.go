package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	presence "writer-presence"
	"writer-presence/identity"
)

// host is a host application, which answers as a test has it.
type host struct {
	*httptest.Server
	asked atomic.Int32

	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
	logs   strings.Builder
}

// newHost gives a host that knows the session alice in the project p, and a gate to it.
func newHost(t *testing.T) (*host, *identity.Host) {
	t.Helper()
	h := &host{answer: func(w http.ResponseWriter, r *http.Request) {
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
		h.asked.Add(1)
		h.mu.Lock()
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	gate, err := identity.NewHost(h.URL+"/presence/{project}/", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h, gate
}

func (h *host) answers(status int, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

func (h *host) isAsked(t *testing.T, due int32) {
	t.Helper()
	if n := h.asked.Load(); n != due {
		t.Errorf("the host was asked %d times; due is %d", n, due)
	}
}

var aliceUser = presence.User{ID: "1", Name: "alice"}

func TestTheHostsWordCounts(t *testing.T) {
	_, gate := newHost(t)
	in := func(project presence.Project, r identity.Request) identity.Request {
		r.Project = project
		return r
	}
	for name, c := range map[string]struct {
		request identity.Request
		user    presence.User
		err     error
	}{
		"a member by cookie":          {request("Cookie", "session=alice"), aliceUser, nil},
		"a member by Authorization":   {request("Authorization", "Bearer alice"), aliceUser, nil},
		"a member by a hello":         {with("alice"), aliceUser, nil},
		"a member with cookies of us": {request("Cookie", "writer_presence_visitor=x; session=alice; __Host-writer_presence_visitor=y"), aliceUser, nil},
		"nobody":                      {request(), presence.User{}, identity.ErrNobody},
		"somebody it does not know":   {request("Cookie", "session=mallory"), presence.User{}, identity.ErrNobody},
		"a member of another project": {in("q", request("Cookie", "session=alice")), presence.User{}, identity.ErrProjectUnknown},
	} {
		if got, err := gate.Admit(t.Context(), c.request); !errors.Is(err, c.err) || got.User != c.user {
			t.Errorf("%s: came to %+v, %v; due is %+v, %v", name, got.User, err, c.user, c.err)
		}
	}
}

func TestWhatTheHostDoesNotSayItselfLetsNobodyIn(t *testing.T) { // case 37
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"broken": {500, ""}, "bad gateway": {502, "<html>"}, "a redirect to sign in": {302, ""}, "created": {201, `{"user_id": 1, "username": "a"}`}, "no content": {204, ""},
		"no JSON": {200, "<html>"}, "an empty body": {200, ""}, "no id": {200, `{"username": "alice"}`}, "an empty id": {200, `{"user_id": "", "username": "alice"}`},
		"null": {200, "null"}, "an id that is no number": {200, `{"user_id": 1.5}`}, "a list": {200, `[1]`}, "a visitor's id": {200, `{"user_id": "visitor-1", "username": "a"}`},
		"too long": {200, `{"username": "` + strings.Repeat("a", 1<<16) + `", "user_id": 1}`}, "a name that is a number": {200, `{"user_id": 1, "username": 1}`},
	} {
		h, gate := newHost(t)
		h.answers(c.status, c.body)
		if got, err := gate.Admit(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) || got.User.ID != "" {
			t.Errorf("%s: came to %+v, %v; due is that it is not known", name, got, err)
		}
	}
}

func TestTheIdIsANumberOrAText(t *testing.T) {
	for body, due := range map[string]presence.UserID{`1`: "1", `"1"`: "1", `"b7-x"`: "b7-x", `9007199254740993`: "9007199254740993", `-1`: "-1"} {
		h, gate := newHost(t)
		h.answers(200, `{"user_id": `+body+`, "username": "alice"}`)
		if got, err := gate.Admit(t.Context(), request()); err != nil || got.User.ID != due {
			t.Errorf("%s is %q, %v; due is %q", body, got.User.ID, err, due)
		}
	}
}

func TestTheHostIsAskedAtItsAddressAndNoOther(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("somebody else was asked")
		w.Write([]byte(`{"user_id": 1, "username": "mallory"}`))
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		h, gate := newHost(t)
		h.mu.Lock()
		h.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) }
		h.mu.Unlock()
		if got, err := gate.Admit(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("a redirect %d came to %+v, %v", status, got, err)
		}
	}
}

// The answers' ages are those of a real clock here, since a real server answers.
func TestAHostThatIsDownIsAnErrorAndIsToldOnce(t *testing.T) {
	h, gate := newHost(t)
	if _, err := gate.Admit(t.Context(), request("Cookie", "session=bob")); !errors.Is(err, identity.ErrNobody) {
		t.Fatal(err)
	}
	h.Close()
	for i := range 3 {
		r := request("Cookie", "session=alice")
		r.Project = presence.Project(strings.Repeat("p", i+1))
		if got, err := gate.Admit(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("the host is down, and it came to %+v, %v", got, err)
		}
	}
	if n := strings.Count(h.logs.String(), "level=ERROR"); n != 1 || strings.Contains(h.logs.String(), "alice") {
		t.Errorf("the log: %s", &h.logs)
	}
}

func TestTheHostIsAskedOnceForAllWhoWaitAndNotAgainSoSoon(t *testing.T) {
	h, gate := newHost(t)
	h.answers(http.StatusOK, `{"user_id": 1, "username": "alice"}`)
	const turns = 100
	for i := range turns {
		r := request("Cookie", fmt.Sprint("session=alice; turn=", i))
		var asking sync.WaitGroup
		for range 50 { // some come as the answer does
			asking.Go(func() {
				if _, err := gate.Admit(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
	}
	h.isAsked(t, turns)
	for range 10 { // visitors are one question, whatever our cookies say
		gate.Admit(t.Context(), request())
		gate.Admit(t.Context(), request("Cookie", "writer_presence_visitor=x"))
	}
	h.isAsked(t, turns+1)
}

func TestEveryCredentialAndProjectIsAQuestionOfItsOwn(t *testing.T) { // rule 14, isolation
	h, gate := newHost(t)
	n := int32(0)
	for _, project := range []presence.Project{"p", "q", "pq"} {
		for _, headers := range [][]string{{}, {"Cookie", "a=b"}, {"Authorization", "a=b"}, {"Cookie", "a", "Authorization", "=b"}, {"Cookie", "q"}, {"Authorization", "q"}} {
			r := request(headers...)
			r.Project = project
			gate.Admit(t.Context(), r)
			n++
		}
	}
	h.isAsked(t, n)
}

func TestAHostThatHangsIsWaitedForThreeSeconds(t *testing.T) {
	h, gate := newHost(t)
	over := make(chan struct{})
	h.mu.Lock()
	h.answer = func(http.ResponseWriter, *http.Request) { <-over }
	h.mu.Unlock()
	defer close(over)
	began := time.Now()
	_, err := gate.Admit(t.Context(), request("Cookie", "session=alice"))
	if took := time.Since(began); !errors.Is(err, presence.ErrUnavailable) || took > 4*time.Second {
		t.Errorf("it came to %v after %v", err, took)
	}
}

func TestAnAddressWithoutAPlaceForTheProjectStopsTheStart(t *testing.T) {
	for _, address := range []string{"", "http://127.0.0.1/presence/", "127.0.0.1/{project}", "ftp://h/{project}", "http://{project}/", "http:///{project}", "://{project}"} {
		if _, err := identity.NewHost(address, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestTheHostsAnswerIsDecodedStrictly(t *testing.T) {
	for name, body := range map[string]string{
		"an empty object": `{}`, "null": `null`, "other capitals": `{"USER_ID": 1, "Username": "alice"}`, "Unicode folding": `{"uſer_id": 1}`, "null for an id": `{"user_id": null, "username": "a"}`,
		"a second object": `{"user_id": 1, "username": "a"}{}`, "trailing bytes": `{"user_id": 1, "username": "a"} x`, "an id twice": `{"user_id": 1, "user_id": 1}`,
		"a nested name twice": `{"user_id": 1, "x": {"a": 1, "a": 2}}`, "trailing bytes beyond the limit": `{"user_id": 1}` + strings.Repeat(" ", 16<<10) + "x",
		"a reserved id": `{"user_id": "visitor-x"}`, "an empty id": `{"user_id": ""}`, "a long id": `{"user_id": "` + strings.Repeat("x", 201) + `"}`, "a control character": `{"user_id": "a\nb"}`,
		"an id that is not UTF-8": "{\"user_id\": \"a\xff\"}", "-0": `{"user_id": -0}`, "1.0": `{"user_id": 1.0}`, "1e3": `{"user_id": 1e3}`, "01": `{"user_id": 01}`, "2^63": `{"user_id": 9223372036854775808}`,
		"true": `{"user_id": true}`, "a list": `{"user_id": [1]}`,
	} {
		h, gate := newHost(t)
		h.answers(200, body)
		got, err := gate.Admit(t.Context(), request("Cookie", "session=alice"))
		if !errors.Is(err, presence.ErrUnavailable) || errors.Is(err, presence.ErrUserIDInvalid) || got.User.ID != "" {
			t.Errorf("%s: %+v, %v; want only unavailable", name, got, err)
		}
		if !strings.Contains(h.logs.String(), "level=ERROR") {
			t.Errorf("%s was not logged", name)
		}
	}
}

func TestAnIdOfAFunctionOfTheHostIsNotTheUsersMistake(t *testing.T) {
	f := identity.Functions{Identify: func(context.Context, identity.Request) (presence.User, error) {
		return identity.NewUser("visitor-x", "a")
	}}
	if _, err := f.Admit(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) || errors.Is(err, presence.ErrUserIDInvalid) {
		t.Errorf("%v; want only unavailable", err)
	}
}

func TestTheProjectIsInThePathOrQueryOfTheHostsAddressOnce(t *testing.T) {
	for _, address := range []string{
		"http://host/x", "http://host/{project}#{project}", "http://host/#{project}", "http://host/{project}#x", "http://{project}/", "http://a.{project}.b/", "http://{project}@host/", "http://u:{project}@host/",
		"http://host:{project}/", "http://host{project}/", "http://host/{project}/{project}", "http://host/{project}?p={project}", "http://host/{Project}", "http://host/{project}/{user}", "http://host/%7Bproject%7D",
		"{project}://host/", "host/{project}", "ftp://host/{project}", "/{project}", "http:///{project}",
	} {
		if _, err := identity.NewHost(address, nil); err == nil {
			t.Errorf("%s was accepted", address)
		}
	}
	for _, address := range []string{"http://host/{project}", "https://host:8443/a/{project}/b?x=1", "http://host/?project={project}", "http://host?project={project}", "http://u:p@host/{project}"} {
		if _, err := identity.NewHost(address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := identity.NewHost("http://user:hunter2@host/", nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a password: %v", err)
	}
}
