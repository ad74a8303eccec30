package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/sqlitestore"
)

func TestAGoHostKnowsItsOwnPeople(t *testing.T) {
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p, err := newPresence(store)
	if err != nil {
		t.Fatal(err)
	}
	go p.Run(ctx)
	server := httptest.NewServer(newHost(p))
	t.Cleanup(server.Close)

	ask := func(session, method, path, body string, headers ...string) (status int, text string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if session != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: session})
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusSwitchingProtocols {
			return answer.StatusCode, ""
		}
		content, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(content)
	}
	const list, update, live = "/writer/api/project/thesis/presence/list/", "/writer/api/project/thesis/presence/update/", "/writer/api/project/thesis/presence/live/"
	socket := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "writer-presence.v1", "Origin", server.URL}

	if status, text := ask("session-of-alice", "POST", update, `{"section": "manuscript/abstract"}`); status != 200 {
		t.Errorf("Alice's update: %d %s", status, text)
	}
	if status, text := ask("session-of-bob", "GET", list, ""); status != 200 || !strings.Contains(text, `"username":"Alice"`) {
		t.Errorf("Bob sees: %d %s", status, text)
	}
	if status, _ := ask("session-of-bob", "GET", live, "", socket...); status != http.StatusSwitchingProtocols {
		t.Errorf("Bob's live connection: %d", status)
	}
	_, unknown := ask("session-of-mallory", "GET", strings.Replace(list, "thesis", "nothing", 1), "")
	for _, path := range []string{list, live} {
		if status, text := ask("session-of-mallory", "GET", path, "", socket...); status != 404 || text != unknown {
			t.Errorf("somebody outside, at %s: %d %s; due is what an unknown project gets: %s", path, status, text, unknown)
		}
	}
	if status, text := ask("", "GET", list, ""); status != 401 {
		t.Errorf("nobody: %d %s", status, text)
	}
	if status, text := ask("", "GET", "/", ""); status != 200 || !strings.Contains(text, "presence-badge") {
		t.Errorf("the application's own page: %d %s", status, text)
	}

	// The example sets no limits, and so has those of the server: 100 requests of a user at once.
	before := 0
	for ; before < 2000; before++ {
		if status, text := ask("session-of-alice", "GET", list, ""); status == 429 {
			break
		} else if status != 200 {
			t.Fatalf("request %d: %d %s", before, status, text)
		}
	}
	if before < 90 || before == 2000 {
		t.Errorf("%d requests of one user at once were answered; want about 100, then 429", before)
	}
}
