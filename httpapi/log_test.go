package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

func TestFailuresAreLoggedOnceAMinuteWithTheirCount(t *testing.T) {
	down := errors.New(servertest.SecretCause + ": " + presence.ErrUnavailable.Error())
	for name, c := range map[string]struct {
		store         error
		authenticator error
		lines         int // in the log after the first requests and live messages
	}{
		"Redis": {store: fmt.Errorf("%w: %w", presence.ErrUnavailable, down), lines: 2},
		"keys":  {authenticator: fmt.Errorf("%w: %w", presence.ErrUnavailable, down), lines: 1},
		"bug":   {store: down, lines: 2},
	} {
		store := &servertest.FlakyStore{}
		var authenticationFails atomic.Bool
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
			authenticationFails.Store(true)
			store.Fail(c.store, nil)
			p := w.As("bob", "2")
			for i := range 1000 {
				if got := p.Post("update", `{"section":"s"}`); got.Status < 500 {
					t.Fatalf("%s fails, and an update got %d %s", name, got.Status, got.Body)
				}
				if c.store != nil && i < 9 { // ten rejected messages close a connection
					alice.Send("update", `"seq": `+fmt.Sprint(uint64(i+2)))
					alice.Next("error")
				}
			}
			if n := strings.Count(w.Logs.String(), "level=ERROR"); n != c.lines {
				t.Errorf("%s fails for 1,000 requests at once, and the log has %d errors, want %d:\n%.1000s", name, n, c.lines, w.Logs)
			}
			if n := strings.Count(w.Logs.String(), " request=live-"); n != c.lines-1 {
				t.Errorf("%s: %d of the errors have the id of the live connection, want %d:\n%.1000s", name, n, c.lines-1, w.Logs)
			}
			store.Fail(nil, nil)
			authenticationFails.Store(false)
			time.Sleep(time.Minute)
			synctest.Wait()
			if text := w.Logs.String(); strings.Count(text, "level=ERROR") != 2*c.lines || !strings.Contains(text, "left_out=998") {
				t.Errorf("%s failed a minute ago, and the log does not say how often:\n%.1000s", name, text)
			}
		}, store.Install, func(p *servertest.Config) {
			p.Authenticator = authenticatorFunc(func() (identity.Principal, error) {
				if authenticationFails.Load() && c.authenticator != nil {
					return identity.Principal{}, c.authenticator
				}
				return identity.Principal{User: presence.User{ID: "1", Name: "alice"}}, nil
			})
		})
	}
}

// blockingStore is a store that blocks until the context of the request ends.
type blockingStore struct {
	presence.Store
	reached chan struct{}
}

func (s blockingStore) wait(ctx context.Context) error {
	s.reached <- struct{}{}
	<-ctx.Done()
	return fmt.Errorf("%w: %w", presence.ErrUnavailable, ctx.Err())
}

func (s blockingStore) Update(ctx context.Context, _ presence.Project, _ presence.User, _ presence.Update) (presence.Reply, error) {
	return presence.Reply{}, s.wait(ctx)
}

func (s blockingStore) Leave(ctx context.Context, _ presence.Project, _ presence.User, _ presence.Leave) (presence.Reply, error) {
	return presence.Reply{}, s.wait(ctx)
}

func (s blockingStore) Snapshot(ctx context.Context, _ presence.Project) (*presence.Snapshot, error) {
	return nil, s.wait(ctx)
}

// http.Server cancels the context of a request when the page is closed, which is not an error of the server.
func TestAbortedRequestsLogNoError(t *testing.T) {
	reached := make(chan struct{})
	store := blockingStore{reached: reached}
	functions := identity.Functions{ // whose errors do not wrap the error of the context
		Identify: func(ctx context.Context, _ identity.Request) (presence.User, error) {
			reached <- struct{}{}
			<-ctx.Done()
			return presence.User{}, errors.New("the database was interrupted")
		},
		Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
	}
	for name, change := range map[string]func(*servertest.Config){
		"the store": func(p *servertest.Config) {
			p.WrapStore = func(s presence.Store) presence.Store { store.Store = s; return store }
		},
		"the authenticator": func(p *servertest.Config) { p.Authenticator = functions },
	} {
		w := servertest.New(t, servertest.Direct, change)
		answered := make(chan bool)
		plain := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.Handler.ServeHTTP(rw, r)
			answered <- true
		}))
		t.Cleanup(plain.Close)
		token := w.As("alice", "1").Token
		asked := [][2]string{{"GET", "list"}, {"POST", "update"}, {"POST", "leave"}}
		if name == "the authenticator" {
			asked = asked[:1] // the other operations read their body after authenticating
		}
		for i, ask := range asked {
			ctx, abort := context.WithCancel(t.Context())
			var body io.Reader // net/http notices a closed connection only after the body was read
			if ask[0] == "POST" {
				body = strings.NewReader(`{}`)
			}
			r, err := http.NewRequestWithContext(ctx, ask[0], plain.URL+httpapi.DefaultPrefix+servertest.ProjectPath+ask[1]+"/", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			aborted := make(chan error)
			go func() {
				answer, err := plain.Client().Do(r)
				if err == nil {
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
				aborted <- err
			}()
			<-reached
			abort()
			if err := <-aborted; !errors.Is(err, context.Canceled) {
				t.Errorf("the %s was not aborted: %v", ask[1], err)
			}
			<-answered
			if text := w.Logs.String(); text != "" {
				t.Errorf("%s: a %s that was aborted logged %s", name, ask[1], text)
			}
			if n := w.Metric("requests_total", "operation", ask[1], "status", "499"); n != 1 {
				t.Errorf("%s: %g times a %s was counted as aborted, want 1", name, n, ask[1])
			}
			if n := w.Metric("failures_total", "code", "unavailable"); n != 0 {
				t.Errorf("%s: %g of %d requests that were aborted count as unavailable", name, n, i+1)
			}
		}
	}
}

func TestPanicOfAnAbortedRequestIsLogged(t *testing.T) {
	logs := &servertest.Log{}
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.Authenticator = authenticatorFunc(func() (identity.Principal, error) { panic(servertest.SecretCause) })
		p.Log = slog.New(slog.NewTextHandler(logs, nil))
	})
	ctx, abort := context.WithCancel(t.Context())
	abort()
	w.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "http://127.0.0.1"+httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil))
	if !strings.Contains(logs.String(), "level=ERROR") {
		t.Errorf("a panic was logged as %q", logs.String())
	}
}
