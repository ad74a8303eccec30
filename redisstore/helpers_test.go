package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// project is the project of most tests.
const project = presence.Project("p")

const (
	// maxCall is how long a call may take, by the contract of [presence.Store].
	maxCall = 5 * time.Second
	// secret is a password that no error and no log line may contain.
	secret = "s3cret-word"
)

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

// open opens a store with default options and runs it until the end of the test.
func open(t testing.TB, address string) *redisstore.Store {
	t.Helper()
	return openWith(t, address, redisstore.Options{})
}

// openWith opens a store and runs it until the end of the test.
func openWith(t testing.TB, address string, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s := redistest.OpenStore(t, address, o)
	run(t, s)
	return s
}

// openWithClock opens a store that uses a clock and runs it until the end of the test.
func openWithClock(t testing.TB, address string, clock *redisstore.Clock) *redisstore.Store {
	t.Helper()
	s := redistest.OpenStore(t, address, redisstore.Options{})
	clock.Attach(s)
	run(t, s)
	return s
}

// run runs a store until the end of the test. Run must return in time.
func run(t testing.TB, s *redisstore.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(2 * maxCall):
			t.Errorf("Run has not returned %v after its context ended", 2*maxCall)
			<-ended
		}
	})
}

// closeStore closes a store that does not run.
func closeStore(s *redisstore.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Run(ctx)
}

// openError opens a store and returns the error. If there is none it closes the store.
func openError(t testing.TB, address string, o redisstore.Options) error {
	t.Helper()
	s, err := redisstore.Open(t.Context(), address, o)
	if err == nil {
		closeStore(s)
	}
	return err
}

// update sends an update for the project. An error fails the test.
func update(t testing.TB, s presence.Store, user presence.User, u presence.Update) presence.Reply {
	t.Helper()
	reply, err := s.Update(t.Context(), project, user, u)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// list returns the snapshot of the project as text, such as "Alice in a, Bob in b".
func list(t testing.TB, s presence.Store) string {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range snapshot.Occupants {
		all = append(all, fmt.Sprintf("%s in %s", o.User.Name, o.Section))
	}
	return strings.Join(all, ", ")
}

// watch watches the project until the end of the test. The channel has an element after each wake-up
// that was not read yet.
func watch(t testing.TB, s presence.Store) <-chan struct{} {
	woken := make(chan struct{}, 1)
	t.Cleanup(s.Watch(project, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}))
	return woken
}

// waitUntil waits until a condition holds that another process brings about.
func waitUntil(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) { // leaves the processor to the other process
		if time.Since(began) > within {
			t.Fatalf("after %v this does not hold: %s", within, what)
		}
	}
}

// until is waitUntil for conditions without a limit of their own.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	waitUntil(t, 10*time.Second, what, holds)
}

// ready waits until stores receive wake-ups.
func ready(t testing.TB, stores ...*redisstore.Store) {
	t.Helper()
	for _, s := range stores {
		until(t, "a store receives wake-ups", func() bool { return s.Ready(t.Context()) == nil })
	}
}

// waitForMarker waits until a store has written the marker of a server outside of a cluster. It does so
// in the background after the start.
func waitForMarker(t testing.TB, server *redistest.Server) {
	t.Helper()
	until(t, "the marker is written", func() bool { return server.Do("EXISTS", "writer-presence:data:{0}") == "1" })
}

// calls returns the count of scripts that a server has run.
func calls(server *redistest.Server) string {
	return regexp.MustCompile(`cmdstat_evalsha:calls=\d+`).FindString(server.Do("INFO", "commandstats"))
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// count returns how often a text occurs in the log.
func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}
