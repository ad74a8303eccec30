package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/hostapi/client"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// transport answers the requests of a client in order.
type transport []func(r *http.Request) (*http.Response, error)

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := (*t)[0]
	*t = (*t)[1:]
	return answer(r)
}

// stream answers a request for events after a position with a text, and ends then. Without an end the answer has more to
// come until the request is given up.
func stream(t *testing.T, after, text string, end bool) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if got := r.Header.Get("Last-Event-ID"); got != after || r.URL.Path != "/api/v1/events" || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("got a request for %s after %q; want one after %q", r.URL, got, after)
		}
		body, write := io.Pipe()
		go func() {
			io.WriteString(write, text)
			if !end {
				<-r.Context().Done()
			}
			write.CloseWithError(r.Context().Err()) // io.EOF without one
		}()
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
	}
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func answers(status int, retryAfter, text string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

func TestEventsContinueAfterEachInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		event := func(id string) string {
			return "id: " + id + "\ndata: {\"id\":\"e" + id + "\",\"type\":\"user.left\",\"data\":{\"project\":\"p\"}}\n\n"
		}
		steps := transport{
			stream(t, "", "retry: 1000\n: events follow\n\nid: 1\n\n", true), // where to continue, without an event
			stream(t, "1", event("2")+": \n\n"+event("3")+"id: 4\ndata: {\"id", true),
			fails(errors.New("connection refused")), // a second later; then two
			answers(429, "20", `{"code": "too_many_connections", "error": "wait"}`),
			stream(t, "3", "event: gap\ndata: {}\n\n", true),
			answers(200, "", "<p>Sign in"),
			stream(t, "3", event("5"), false), // and 45 s without a byte
			stream(t, "5", event("6"), false),
		}
		c, err := client.New("http://x", key)
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = &http.Client{Transport: &steps}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []string
		began := time.Now()
		for e, err := range c.Events(ctx, "") {
			at := time.Since(began).Round(time.Second)
			if err != nil {
				got = append(got, fmt.Sprint(at, " ", err))
			} else {
				got = append(got, fmt.Sprint(at, " ", e.Position, " ", e.Type, " ", e.ID))
			}
			if e.ID == "e6" {
				cancel() // which ends the loop
			}
		}
		want := []string{
			"1s 2 user.left e2", "1s 3 user.left e3",
			"2s Get \"http://x/api/v1/events\": connection refused",
			"4s the host API answered 429 too_many_connections: wait",
			"24s 3 gap ",
			"25s the host API answered 200: this is no answer of a presence server; check the address",
			"27s 5 user.left e5", "1m12s the host API sent nothing for 45s",
			"1m13s 6 user.left e6",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestEventsHaveTheFieldsThatTheServerSends(t *testing.T) {
	address, store := start(t, true)
	c, ctx := newClient(t, address), t.Context()
	at := time.Date(2026, 11, 29, 6, 53, 20, 0, time.UTC)
	alice := presence.User{ID: "7", Name: "Alice", Agent: true}
	for i, project := range []presence.Project{"a.example/other", "b.example/thesis"} {
		for _, e := range []presence.Event{
			{ID: fmt.Sprint(i, "-saved"), Type: presence.SectionSaved, Project: project, Version: 5, At: at, Section: "intro", Revision: "42", Users: []presence.User{alice}},
			{ID: fmt.Sprint(i, "-occupied"), Type: presence.SectionOccupied, Project: project, Version: 6, At: at, Section: "intro", Users: []presence.User{alice}},
		} {
			if err := store.AppendEvents(ctx, [][]byte{wire.AppendEvent(nil, e)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Tenant = "b.example" // whose events are wanted
	user := client.User{ID: "7", Name: "Alice", Agent: true, Sections: []string{}, Unsaved: []string{}}
	want := []client.Event{
		{Type: client.EventsLost, Position: "unknown"},
		{ID: "1-saved", Type: client.SectionSaved, At: at, Tenant: "b.example", Project: "thesis", Version: 5, Section: "intro", Revision: "42", User: user},
		{ID: "1-occupied", Type: client.SectionOccupied, At: at, Tenant: "b.example", Project: "thesis", Version: 6, Section: "intro", Users: []client.User{user}},
	}
	for e, err := range c.Events(ctx, "unknown") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != client.EventsLost {
			if e.Position == "" || e.Position == "unknown" {
				t.Errorf("the event %s has the position %q", e.ID, e.Position)
			}
			e.Position = ""
		}
		if !reflect.DeepEqual(e, want[0]) {
			t.Errorf("got %+v\nwant %+v", e, want[0])
		}
		if want = want[1:]; len(want) == 0 {
			break
		}
	}
}
