package identity_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestEqualHostRequestsAreSharedAndCached(t *testing.T) {
	h, auth := newHost(t)
	h.answers(http.StatusOK, `{"user_id": 1, "username": "alice"}`)
	const turns = 100
	for i := range turns {
		r := request("Cookie", fmt.Sprint("session=alice; turn=", i))
		var asking sync.WaitGroup
		for range 50 { // some start while the answer arrives
			asking.Go(func() {
				if _, err := auth.Authenticate(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
	}
	h.wantRequests(t, turns)
	for range 10 { // requests without credentials of the host are equal
		auth.Authenticate(t.Context(), request())
		auth.Authenticate(t.Context(), request("Cookie", "writer_presence_visitor=x"))
	}
	h.wantRequests(t, turns+1)
}

func TestHostAnswerIsCachedByCredentialsAndProject(t *testing.T) { // rule 14, invariant 9
	h, auth := newHost(t)
	n := int32(0)
	for _, project := range []presence.Project{"p", "q", "pq"} {
		for _, headers := range [][]string{{}, {"Cookie", "a=b"}, {"Authorization", "a=b"}, {"Cookie", "a", "Authorization", "=b"}, {"Cookie", "q"}, {"Authorization", "q"}} {
			r := request(headers...)
			r.Project = project
			auth.Authenticate(t.Context(), r)
			n++
		}
	}
	h.wantRequests(t, n)
}

func TestHostAnswersAreSharedOnlyByEqualRequests(t *testing.T) {
	h, auth := newHost(t)
	all := []identity.Forwarded{
		{}, {Host: "a.example"}, {Host: "b.example"}, {Proto: "https"}, {Language: "de"}, {Host: "a.example", Language: "de"}, {Host: "a.exampled", Language: "e"},
		{For: netip.MustParseAddr("192.0.2.1")}, {For: netip.MustParseAddr("192.0.2.2")},
	}
	for _, forwarded := range all {
		for _, id := range []string{"", "one", "two"} { // differs for each request, and must not matter
			r := request("Cookie", "session=alice")
			forwarded.RequestID = id
			r.Forwarded = forwarded
			auth.Authenticate(t.Context(), r)
		}
	}
	h.wantRequests(t, int32(len(all)))
}

// answering is a host application without a network, for tests with a fake clock.
type answering struct {
	requests int
	status   int
	body     string
	serve    http.HandlerFunc // if set, instead of status and body
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.requests++
	w := httptest.NewRecorder()
	if a.serve != nil {
		a.serve(w, r)
	} else {
		w.WriteHeader(a.status)
		w.WriteString(a.body)
	}
	return w.Result(), nil
}

func (a *answering) wantRequests(t *testing.T, want int) {
	t.Helper()
	if a.requests != want {
		t.Errorf("got %d requests to the host, want %d", a.requests, want)
	}
}

func TestHostAnswerIsCachedFor30SecondsAndFor4InRechecks(t *testing.T) { // rule 14
	synctest.Test(t, func(t *testing.T) {
		h := &answering{status: 200, body: `{"user_id": 1, "username": "alice"}`}
		auth := identity.NewHostThrough(h)
		r, again := request("Cookie", "a"), request("Cookie", "a")
		again.Recheck = true
		check := func(r identity.Request, want error) {
			t.Helper()
			got, err := auth.Authenticate(t.Context(), r)
			if !errors.Is(err, want) || got.User != alice {
				t.Errorf("got %+v, %v, want %+v, %v", got.User, err, alice, want)
			}
		}
		check(r, nil)
		h.status = 404
		time.Sleep(4 * time.Second)
		check(r, nil)
		check(again, nil)
		h.wantRequests(t, 1)
		time.Sleep(time.Second)
		check(r, nil)
		check(again, identity.ErrProjectUnknown)
		check(r, identity.ErrProjectUnknown)
		h.wantRequests(t, 2)
		h.status = 200
		time.Sleep(30 * time.Second)
		check(r, identity.ErrProjectUnknown) // a rejection is cached for 30 s too
		time.Sleep(time.Second)
		check(r, nil)
		h.wantRequests(t, 3)
		h.status = 500
		time.Sleep(31 * time.Second)
		check(r, presence.ErrUnavailable)
		check(r, presence.ErrUnavailable)
		h.wantRequests(t, 4)
		time.Sleep(2 * time.Second) // the host is not requests again for a second
		h.status = 403
		check(r, identity.ErrProjectUnknown)
		h.wantRequests(t, 5)
	})
}

func TestHostIsNotAskedAboutNewCallersOverALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &answering{status: 200, body: `{"user_id": 1, "username": "alice"}`}
		auth := identity.NewHostThrough(h)
		known, stranger := request("Cookie", "known"), request("Cookie", "new")
		if _, err := auth.Authenticate(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		known.LimitExceeded, stranger.LimitExceeded = true, true
		if _, err := auth.Authenticate(t.Context(), stranger); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("new caller: got %v, want ErrUnavailable", err)
		}
		h.wantRequests(t, 1)
		time.Sleep(time.Minute)
		if _, err := auth.Authenticate(t.Context(), known); err != nil {
			t.Errorf("known caller: got %v, want nil", err)
		}
		h.wantRequests(t, 2)
	})
}
