package hostapi_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// listeners is a server of events.
type listeners struct {
	*api
	store  *sqlitestore.Store
	server *httptest.Server
	ending chan struct{}
}

func newListeners(t *testing.T) *listeners {
	t.Helper()
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &listeners{store: store, ending: make(chan struct{})}
	l.api = newAPIOn(t, store, func(o *hostapi.Options) { o.Events, o.Ending = store, l.ending })
	l.server = httptest.NewServer(l.Handler)
	t.Cleanup(l.server.Close)
	return l
}

// listen requests events after an id. The channel gets each line that is not empty, nor a comment, and is closed at the end.
func (l *listeners) listen(after string) (response *http.Response, lines <-chan string, stop func()) {
	l.Helper()
	ctx, stop := context.WithCancel(l.Context())
	l.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.server.URL+hostapi.Prefix+"events", nil)
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+newKey)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err = l.server.Client().Do(r)
	if err != nil {
		l.Fatal(err)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if text := scanner.Text(); text != "" && text[0] != ':' {
				out <- text
			}
		}
	}()
	return response, out, stop
}

// want reads lines, which must have these beginnings, and returns the last one.
func (l *listeners) want(lines <-chan string, beginnings ...string) (line string) {
	l.Helper()
	for _, want := range beginnings {
		select {
		case line = <-lines:
		case <-time.After(5 * time.Second):
			l.Fatalf("no line begins with %q within 5 s", want)
		}
		if !strings.HasPrefix(line, want) {
			l.Fatalf("the line is %q; want %q", line, want)
		}
	}
	return line
}

func (l *listeners) add(texts ...string) {
	l.Helper()
	for _, text := range texts {
		if err := l.store.AppendEvents(l.Context(), [][]byte{[]byte(text)}); err != nil {
			l.Fatal(err)
		}
	}
}

func TestListenersGetEventsAndContinueAfterTheLastOne(t *testing.T) {
	l := newListeners(t)
	l.add(`{"n":0}`) // before the listener
	response, first, stop := l.listen("")
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("the answer is %d %s", response.StatusCode, kind)
	}
	begin := strings.TrimPrefix(l.want(first, "retry: ", "id: "), "id: ")
	l.add(`{"n":1}`, `{"n":2}`)
	second := strings.TrimPrefix(l.want(first, "id: ", `data: {"n":1}`, "id: "), "id: ")
	l.want(first, `data: {"n":2}`)
	stop()
	l.add(`{"n":3}`)
	_, again, _ := l.listen(second)
	l.want(again, "retry: ", "id: ", `data: {"n":3}`)
	_, all, _ := l.listen(begin)
	l.want(all, "retry: ", "id: ", `data: {"n":1}`, "id: ", `data: {"n":2}`, "id: ", `data: {"n":3}`)
	_, unknown, _ := l.listen("another-server-7")
	l.want(unknown, "retry: ", "event: gap", "data: {}", "id: ", `data: {"n":0}`)
	l.setKeys(oldKey, newKey)
	l.add(`{"n":4}`)
	l.want(again, "id: ", `data: {"n":4}`)
	l.setKeys(oldKey)
	l.wantEnd("after the key was removed", again, all)
	l.setKeys(newKey)
	_, last, _ := l.listen("")
	l.want(last, "retry: ", "id: ")
	close(l.ending)
	l.wantEnd("at the end of the server", last)
}

// wantEnd reads lines until they end.
func (l *listeners) wantEnd(when string, all ...<-chan string) {
	l.Helper()
	timeout := time.After(5 * time.Second)
	for _, lines := range all {
		for open := true; open; {
			select {
			case _, open = <-lines:
			case <-timeout:
				l.Fatalf("%s a listener waits for more", when)
			}
		}
	}
}

func TestListenersAreBoundedAndNeedAKey(t *testing.T) { // rule 16
	l := newListeners(t)
	var stops []func()
	for range 16 {
		response, lines, stop := l.listen("")
		if response.StatusCode != 200 {
			t.Fatalf("a listener is answered %d", response.StatusCode)
		}
		l.want(lines, "retry: ")
		stops = append(stops, stop)
	}
	if answer := l.do("GET", "events", ""); answer.Status != 429 || !strings.Contains(answer.Body, "too_many_connections") {
		t.Errorf("the 17th listener is answered %d %s; want 429", answer.Status, answer.Body)
	}
	stops[0]()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if response, _, stop := l.listen(""); response.StatusCode == 200 {
			stop()
			break
		} else if body, _ := io.ReadAll(response.Body); time.Since(began) > 5*time.Second {
			t.Fatalf("5 s after one listener went away another is answered %d %s", response.StatusCode, body)
		}
	}
	for _, c := range []struct {
		method, key string
		status      int
	}{{"GET", "", 401}, {"POST", "Bearer " + newKey, 405}, {"HEAD", "Bearer " + newKey, 405}} {
		if answer := l.do(c.method, "events", "", "Authorization", c.key); answer.Status != c.status {
			t.Errorf("%s with the key %q is answered %d %s; want %d", c.method, c.key, answer.Status, answer.Body, c.status)
		}
	}
	without := newAPI(t)
	if answer := without.do("GET", "events", ""); answer.Status != 404 {
		t.Errorf("without a log of events the answer is %d; want 404", answer.Status)
	}
}

// unreachableLog is a log of events that cannot be read.
type unreachableLog struct{ presence.EventStore }

func (unreachableLog) Events(context.Context, string, int) ([]presence.LoggedEvent, string, bool, error) {
	return nil, "", false, presence.ErrUnavailable
}

func TestListenerIsToldThatTheLogIsUnavailable(t *testing.T) { // rule 13
	a := newAPI(t, func(o *hostapi.Options) { o.Events = unreachableLog{} })
	if answer := a.do("GET", "events", ""); answer.Status != 503 {
		t.Errorf("while the store is unavailable the answer is %d; want 503", answer.Status)
	}
}
