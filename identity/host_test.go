package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
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
		if got, err := gate.Authenticate(t.Context(), c.request); !errors.Is(err, c.err) || got.User != c.user {
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
		"a list of hosts that are allowed": {403, "Host is not allowed\n"}, "a page about CSRF": {403, "<!DOCTYPE html><title>CSRF verification failed</title>"}, "nothing at that address": {404, "404 page not found\n"},
		"a proxy without a word": {404, ""}, "a gateway's login": {401, "<html>Authorization Required</html>"}, "a refusal that is a JSON text": {403, `"forbidden"`}, "a refusal that is null": {403, "null"}, "a refusal that is a list": {404, "[]"}, "a refusal cut short": {403, `{"user_id": nu`},
		"a login page": {200, "<!DOCTYPE html><title>Sign in</title>"},
		"too long":     {200, `{"username": "` + strings.Repeat("a", 1<<16) + `", "user_id": 1}`}, "a name that is a number": {200, `{"user_id": 1, "username": 1}`},
	} {
		h, gate := newHost(t)
		h.answers(c.status, c.body)
		if got, err := gate.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) || got.User.ID != "" {
			t.Errorf("%s: came to %+v, %v; due is that it is not known", name, got, err)
		}
	}
}

func TestTheIdIsANumberOrAText(t *testing.T) {
	for body, due := range map[string]presence.UserID{`1`: "1", `"1"`: "1", `"b7-x"`: "b7-x", `9007199254740993`: "9007199254740993", `-1`: "-1"} {
		h, gate := newHost(t)
		h.answers(200, `{"user_id": `+body+`, "username": "alice"}`)
		if got, err := gate.Authenticate(t.Context(), request()); err != nil || got.User.ID != due {
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
		if got, err := gate.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("a redirect %d came to %+v, %v", status, got, err)
		}
	}
}

// The answers' ages are those of a real clock here, since a real server answers.
func TestAHostThatIsDownIsAnErrorAndIsToldOnce(t *testing.T) { // rule 13
	h, gate := newHost(t)
	if _, err := gate.Authenticate(t.Context(), request("Cookie", "session=bob")); !errors.Is(err, identity.ErrNobody) {
		t.Fatal(err)
	}
	h.Close()
	for i := range 3 {
		r := request("Cookie", "session=alice")
		r.Project = presence.Project(strings.Repeat("p", i+1))
		if got, err := gate.Authenticate(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) {
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
				if _, err := gate.Authenticate(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
	}
	h.isAsked(t, turns)
	for range 10 { // visitors are one question, whatever our cookies say
		gate.Authenticate(t.Context(), request())
		gate.Authenticate(t.Context(), request("Cookie", "writer_presence_visitor=x"))
	}
	h.isAsked(t, turns+1)
}

func TestEveryCredentialAndProjectIsAQuestionOfItsOwn(t *testing.T) { // rule 14, invariant 9
	h, gate := newHost(t)
	n := int32(0)
	for _, project := range []presence.Project{"p", "q", "pq"} {
		for _, headers := range [][]string{{}, {"Cookie", "a=b"}, {"Authorization", "a=b"}, {"Cookie", "a", "Authorization", "=b"}, {"Cookie", "q"}, {"Authorization", "q"}} {
			r := request(headers...)
			r.Project = project
			gate.Authenticate(t.Context(), r)
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
	_, err := gate.Authenticate(t.Context(), request("Cookie", "session=alice"))
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

func TestRefusalsOfTheViewCount(t *testing.T) {
	for _, header := range []string{"", "1"} {
		for _, body := range []string{"", `{"user_id": null}`, `{"error": "no such project"}`, "{}", "<html>"} {
			for status, due := range map[int]error{401: identity.ErrNobody, 403: identity.ErrProjectUnknown, 404: identity.ErrProjectUnknown} {
				h, gate := newHost(t)
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
					due = presence.ErrUnavailable
				}
				if _, err := gate.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, due) {
					t.Errorf("%d %q with the header %q came to %v; due is %v", status, body, header, err, due)
				}
				vague := strings.Count(h.logs.String(), "level=WARN")
				if isVague := header == "" && strings.HasPrefix(body, "{") && !strings.Contains(body, "user_id"); isVague != (vague == 1) {
					t.Errorf("%d %q with the header %q: the log is %s", status, body, header, &h.logs)
				}
			}
		}
	}
}

func TestWhatMayNotBeTheViewIsLoggedOnceAMinuteWithoutSecrets(t *testing.T) { // cases 42 and 53
	h, _ := newHost(t)
	gate, err := identity.NewHost(strings.Replace(h.URL, "http://", "http://user:Passw0rd@", 1)+"/presence/{project}/?key=S3cret", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h.answers(403, "<title>no \u202e\x1b[31m host</title>\nyour cookie is csrf=x; session=CaNaRy7, your token CaNaRy8"+strings.Repeat("!", 1<<10))
	for i := range 3 {
		r := request("Cookie", "csrf=x; session=CaNaRy7", "Authorization", "Bearer CaNaRy8")
		r.Project = presence.Project(strings.Repeat("p", i+1))
		if _, err := gate.Authenticate(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) || strings.Contains(err.Error(), "CaNaRy") {
			t.Errorf("it came to %v", err)
		}
	}
	logged := h.logs.String()
	if strings.Count(logged, "level=ERROR") != 1 || !strings.Contains(logged, "status=403") || !strings.Contains(logged, "address="+h.URL+"/presence/p/ ") || !strings.Contains(logged, "<title>no ") {
		t.Errorf("the log has not, once, status, address and first bytes: %s", logged)
	}
	for _, secret := range []string{"CaNaRy", "S3cret", "Passw0rd", "\x1b", "\u202e", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log has %q: %s", secret, logged)
		}
	}
	h.Close() // an address that nobody answers at is not logged with its query either
	gate, _ = identity.NewHost(h.URL+"/presence/{project}/?key=S3cret", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if _, err := gate.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) || strings.Contains(err.Error()+h.logs.String(), "S3cret") {
		t.Errorf("a host that is down came to %v and the log %s", err, &h.logs)
	}
}

func TestTheHostIsToldWhereARequestComesFrom(t *testing.T) {
	h, gate := newHost(t)
	var seen http.Header
	h.mu.Lock()
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Write([]byte(`{"user_id": 1, "username": "alice"}`))
	}
	h.mu.Unlock()
	r := request("Cookie", "session=alice", "X-Forwarded-Host", "evil.example", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Request-Id", "forged", "Accept-Language", "xx")
	names := []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Request-Id", "Accept-Language"}
	if _, err := gate.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if got := seen.Get(name); got != "" {
			t.Errorf("%s is %q; it is the client's own word, and not to be passed on", name, got)
		}
	}
	r.Forwarded = identity.Forwarded{Host: "write.example.org:8443", Proto: "https", For: netip.MustParseAddr("2001:db8::1"), Language: "de, en;q=0.5", RequestID: "id-1"}
	if _, err := gate.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for i, due := range []string{"write.example.org:8443", "https", "2001:db8::1", "id-1", "de, en;q=0.5"} {
		if got := seen.Get(names[i]); got != due {
			t.Errorf("%s is %q; due is %q", names[i], got, due)
		}
	}
}

// TestAnswersAreSharedOnlyByRequestsThatTheHostCannotTellApart is about the cache of answers: no
// tenant, scheme, language or address gets the answer of another.
func TestAnswersAreSharedOnlyByRequestsThatTheHostCannotTellApart(t *testing.T) {
	h, gate := newHost(t)
	all := []identity.Forwarded{
		{}, {Host: "a.example"}, {Host: "b.example"}, {Proto: "https"}, {Language: "de"}, {Host: "a.example", Language: "de"}, {Host: "a.exampled", Language: "e"},
		{For: netip.MustParseAddr("192.0.2.1")}, {For: netip.MustParseAddr("192.0.2.2")},
	}
	for _, forwarded := range all {
		for _, id := range []string{"", "one", "two"} { // which is another for each request
			r := request("Cookie", "session=alice")
			forwarded.RequestID = id
			r.Forwarded = forwarded
			gate.Authenticate(t.Context(), r)
		}
	}
	h.isAsked(t, int32(len(all)))
}

func TestTheHostsAnswerIsDecodedStrictly(t *testing.T) { // case 53
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
		got, err := gate.Authenticate(t.Context(), request("Cookie", "session=alice"))
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
	if _, err := f.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) || errors.Is(err, presence.ErrUserIDInvalid) {
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
