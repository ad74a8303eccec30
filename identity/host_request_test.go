package identity_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestHostRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("the redirect was followed")
		w.Write([]byte(`{"user_id": 1, "username": "mallory"}`))
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		h, auth := newHost(t)
		h.mu.Lock()
		h.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) }
		h.mu.Unlock()
		if got, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice")); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("redirect %d: got %+v, %v, want ErrUnavailable", status, got, err)
		}
	}
}

func TestUnreachableHostIsUnavailableAndLoggedOnce(t *testing.T) { // rule 13
	h, auth := newHost(t)
	if _, err := auth.Authenticate(t.Context(), request("Cookie", "session=bob")); !errors.Is(err, identity.ErrNobody) {
		t.Fatal(err)
	}
	h.Close()
	for i := range 3 {
		r := request("Cookie", "session=alice")
		r.Project = presence.Project(strings.Repeat("p", i+1))
		if got, err := auth.Authenticate(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("unreachable host: got %+v, %v, want ErrUnavailable", got, err)
		}
	}
	if n := strings.Count(h.logs.String(), "level=ERROR"); n != 1 || strings.Contains(h.logs.String(), "alice") {
		t.Errorf("log: got %d errors, want 1 and no credentials:\n%s", n, &h.logs)
	}
}

func TestHangingHostTimesOutAfter3Seconds(t *testing.T) {
	h, auth := newHost(t)
	over := make(chan struct{})
	h.mu.Lock()
	h.answer = func(http.ResponseWriter, *http.Request) { <-over }
	h.mu.Unlock()
	defer close(over)
	began := time.Now()
	_, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice"))
	if took := time.Since(began); !errors.Is(err, presence.ErrUnavailable) || took > 4*time.Second {
		t.Errorf("got %v after %v, want ErrUnavailable within 4 s", err, took)
	}
}

func TestHostAddressWithoutProjectIsRejected(t *testing.T) {
	for _, address := range []string{"", "http://127.0.0.1/presence/", "127.0.0.1/{project}", "ftp://h/{project}", "http://{project}/", "http:///{project}", "://{project}"} {
		if _, err := identity.NewHost(address, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("NewHost(%q): got nil, want an error", address)
		}
	}
}

func TestHostGetsForwardedHeadersOfTheServerOnly(t *testing.T) {
	h, auth := newHost(t)
	var seen http.Header
	h.mu.Lock()
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Write([]byte(`{"user_id": 1, "username": "alice"}`))
	}
	h.mu.Unlock()
	r := request("Cookie", "session=alice", "X-Forwarded-Host", "evil.example", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Request-Id", "forged", "Accept-Language", "xx")
	names := []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Request-Id", "Accept-Language"}
	if _, err := auth.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if got := seen.Get(name); got != "" {
			t.Errorf("%s: got %q, want none, since it comes from the client", name, got)
		}
	}
	r.Forwarded = identity.Forwarded{Host: "write.example.org:8443", Proto: "https", For: netip.MustParseAddr("2001:db8::1"), Language: "de, en;q=0.5", RequestID: "id-1"}
	if _, err := auth.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"write.example.org:8443", "https", "2001:db8::1", "id-1", "de, en;q=0.5"} {
		if got := seen.Get(names[i]); got != want {
			t.Errorf("%s: got %q, want %q", names[i], got, want)
		}
	}
}

func TestHostAddressHasProjectOnceInPathOrQuery(t *testing.T) {
	for _, address := range []string{
		"http://host/x", "http://host/{project}#{project}", "http://host/#{project}", "http://host/{project}#x", "http://{project}/", "http://a.{project}.b/", "http://{project}@host/", "http://u:{project}@host/",
		"http://host:{project}/", "http://host{project}/", "http://host/{project}/{project}", "http://host/{project}?p={project}", "http://host/{Project}", "http://host/{project}/{user}", "http://host/%7Bproject%7D",
		"{project}://host/", "host/{project}", "ftp://host/{project}", "/{project}", "http:///{project}",
	} {
		if _, err := identity.NewHost(address, nil); err == nil {
			t.Errorf("NewHost(%s): got nil, want an error", address)
		}
	}
	for _, address := range []string{"http://host/{project}", "https://host:8443/a/{project}/b?x=1", "http://host/?project={project}", "http://host?project={project}", "http://u:p@host/{project}"} {
		if _, err := identity.NewHost(address, nil); err != nil {
			t.Errorf("NewHost(%s): got %v, want nil", address, err)
		}
	}
	if _, err := identity.NewHost("http://user:hunter2@host/", nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a password: %v", err)
	}
}
