package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receivedEvent is an event as a receiver reads it.
type receivedEvent struct {
	ID, Type string
	Data     struct {
		Project, Section string
		User             struct {
			UserID   any `json:"user_id"`
			Username string
		}
		Users []struct{ Username string }
	}
}

func (e receivedEvent) String() string {
	text := e.Type + " " + e.Data.Section + e.Data.User.Username
	for _, u := range e.Data.Users {
		text += " " + u.Username
	}
	return text
}

// webhookReceiver is a server that verifies webhooks and drops duplicates, as a host has to.
type webhookReceiver struct {
	*testing.T
	*httptest.Server

	mu         sync.Mutex
	seen       map[string]string
	events     []receivedEvent // each once, in the order of their arrival
	duplicates int
	// hold, unless it is nil, makes the next request wait for it after its events were taken; held gets the path of it.
	hold chan struct{}
	held chan string
}

func startWebhookReceiver(t *testing.T) *webhookReceiver {
	r := &webhookReceiver{T: t, seen: map[string]string{}, held: make(chan string, 1)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *webhookReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the node was killed
	}
	verifier, err := standardwebhooks.NewWebhook(webhookSecret)
	if err == nil {
		err = verifier.Verify(body, request.Header)
	}
	var batch struct{ Data []receivedEvent }
	if err == nil {
		err = json.Unmarshal(body, &batch)
	}
	if err != nil {
		r.Errorf("%v:\n%s", err, body)
	}
	r.mu.Lock()
	for _, e := range batch.Data {
		text, known := r.seen[e.ID]
		switch {
		case !known:
			r.seen[e.ID] = e.String()
			r.events = append(r.events, e)
		case text != e.String():
			r.Errorf("the events %q and %q have the same id", text, e)
		default:
			r.duplicates++
		}
	}
	hold := r.hold
	r.hold = nil
	r.mu.Unlock()
	if hold != nil {
		r.held <- request.URL.Path
		<-hold
	}
}

// until waits until the texts of the events that arrived after the first from are as wanted, in the order of each user.
func (r *webhookReceiver) until(within time.Duration, from int, want ...string) {
	r.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		var texts []string
		for _, e := range r.events[min(from, len(r.events)):] {
			texts = append(texts, e.String())
		}
		r.mu.Unlock()
		if slices.Equal(slices.Sorted(slices.Values(texts)), slices.Sorted(slices.Values(want))) {
			return
		}
		if time.Since(began) > within {
			r.Fatalf("after %v the events are %q; want %q", within, texts, want)
		}
	}
}

// webhookArgs returns the flags that send webhooks to a path of the receiver.
func webhookArgs(t *testing.T, r *webhookReceiver, path string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(file, []byte(webhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--webhook-url", r.URL + path, "--webhook-secret-file", file}
}

// A node is killed while the receiver has its request. Another one sends the same events again with the same ids, and then
// what happened meanwhile.
func TestEventsOfAKilledNodeAreSentByAnother(t *testing.T) { // invariant 13, case 35
	t.Parallel()
	r := startWebhookReceiver(t)
	redis, key := redistest.Start(t), filepath.Join(t.TempDir(), "secret")
	n := &nodes{T: t}
	for i := range 3 {
		args := append([]string{"--dev", "--redis-url", redis.URL(), "--secret-file", key, "--data", t.TempDir()}, webhookArgs(t, r, fmt.Sprint("/", i))...)
		n.servers = append(n.servers, startServer(t, args...))
	}
	tokens := map[string]string{}
	update := func(node int, name, session string, seq int) {
		t.Helper()
		if tokens[name] == "" {
			tokens[name] = n.servers[0].token(name)
		}
		if reply, status := n.post(node, "update", tokens[name], fmt.Sprintf(`{"session": %q, "seq": %d, "section": "s"}`, session, seq)); status != 200 {
			t.Fatalf("an update was answered %d %q", status, reply.Code)
		}
	}
	leave := func(node int, name, session string, hidden bool) {
		t.Helper()
		if reply, status := n.post(node, "leave", tokens[name], fmt.Sprintf(`{"session": %q, "seq": 99, "hidden": %v}`, session, hidden)); status != 200 {
			t.Fatalf("a leave was answered %d %q", status, reply.Code)
		}
	}
	names := []string{"Alice", "Bob", "Carol"}
	for i, name := range names {
		update(i, name, name, 1)
	}
	r.until(15*time.Second, 0, "user.joined Alice", "user.joined Bob", "user.joined Carol", "section.occupied s Alice Bob Carol", "section.contested s Alice Bob Carol")

	hold := make(chan struct{})
	defer sync.OnceFunc(func() { close(hold) })()
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	leave(0, "Alice", "Alice", false)
	killed := -1
	select {
	case path := <-r.held:
		fmt.Sscanf(path, "/%d", &killed)
	case <-time.After(15 * time.Second):
		t.Fatal("no node sends that Alice left")
	}
	n.servers[killed].kill()
	alive := (killed + 1) % len(n.servers)
	update(alive, "Alice", "Alice-again", 1)
	leave(alive, "Carol", "Carol", true) // a reload
	update(alive, "Carol", "Carol-again", 1)
	leave(alive, "Bob", "Bob", false)
	r.until(30*time.Second, 5, "user.left Alice", "user.joined Alice", "user.left Bob")
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.events[5].String(); first != "user.left Alice" || r.duplicates == 0 {
		t.Errorf("the first event after the others is %q, and %d events arrived twice; want that Alice left, and this event twice", first, r.duplicates)
	}
}

func TestBadWebhookFlagsStopTheStart(t *testing.T) {
	r := startWebhookReceiver(t)
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("whsec_AAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := webhookArgs(t, r, "/")
	for want, args := range map[string][]string{
		"give --webhook-secret-file too":      args[:2],
		"give --webhook-url too":              args[2:],
		"--webhook-url: give an address":      {"--webhook-url", "app.example.org/hook", args[2], args[3]},
		"--webhook-url is empty":              {"--webhook-url", "", args[2], args[3]},
		"--webhook-secret-file is empty":      {args[0], args[1], "--webhook-secret-file", ""},
		"--webhook-secret-file: cannot read":  {args[0], args[1], "--webhook-secret-file", short + "er"},
		"--webhook-secret-file: a secret in ": {args[0], args[1], "--webhook-secret-file", short},
	} {
		data := filepath.Join(t.TempDir(), "data")
		_, err := runToEnd(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", data}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("%q: the data directory was created, %v", args, err)
		}
	}
}

func TestEventsReachTheReceiverAndListeners(t *testing.T) {
	t.Parallel()
	r, data, key := startWebhookReceiver(t), t.TempDir(), filepath.Join(t.TempDir(), "key")
	const apiKey = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(key, []byte(apiKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := webhookArgs(t, r, "/")
	args := append([]string{"--dev", "--data", data, "--api-key-file", key, "--admin-addr", "127.0.0.1:0"}, flags...)
	secrets := func(text string) {
		t.Helper()
		if err := os.WriteFile(flags[3], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets("whsec_" + strings.Repeat("A", 40))
	s := startServer(t, args...)
	secrets("whsec_" + strings.Repeat("A", 40) + "\n" + webhookSecret)
	if line := s.reload(); !strings.Contains(line, "changed=[webhook-secret-file] changed_but_needs_a_restart=[]") {
		t.Fatalf("after a reload the log has %s", line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin()+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	listener, err := http.DefaultClient.Do(request)
	if err != nil || listener.StatusCode != 200 {
		t.Fatalf("the listener is answered %v, %v", listener, err)
	}
	defer listener.Body.Close()
	var reply updateReply
	if status := s.post("project/p/presence/update/", s.token("Alice"), `{"session": "tab", "seq": 1, "section": "s"}`, &reply); status != 200 {
		t.Fatalf("the update is answered %d", status)
	}
	r.until(10*time.Second, 0, "user.joined Alice", "section.occupied s Alice")
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) { // the events count as sent once the receiver has answered
		_, text := get(s.admin(), "/metrics")
		if strings.Contains(text, `writer_presence_webhook_events_total{result="sent"} 2`) && strings.Contains(text, "writer_presence_webhook_oldest_seconds 0") {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the metrics of webhooks are missing or wrong:\n%s", text)
		}
	}
	var stream strings.Builder
	lines := bufio.NewReader(io.TeeReader(listener.Body, &stream))
	events := func() int { return strings.Count(stream.String(), `"username":"Alice"`) }
	for events() < 2 && err == nil {
		_, err = lines.ReadString('\n')
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		_, err = io.Copy(io.Discard, lines) // until the server ends the request
	}
	if err != nil || strings.Count(stream.String(), "\nid: ") != 3 || events() != 2 {
		t.Errorf("the listener got, %v:\n%s", err, &stream)
	}
	s.wait()
	if strings.Contains(s.stderr.String(), "level=WARN") || strings.Contains(s.stderr.String(), "level=ERROR") {
		t.Errorf("the log has warnings:\n%s", s.stderr)
	}

	again := startServer(t, args...)
	if status := again.post("project/p/presence/leave/", again.token("Alice"), `{"session": "tab", "seq": 2}`, &reply); status != 200 {
		t.Fatalf("the leave is answered %d", status)
	}
	r.until(10*time.Second, 2, "section.vacated s", "user.left Alice")
	if r.duplicates > 0 {
		t.Errorf("%d events were sent again after an orderly restart; want none", r.duplicates)
	}
}
