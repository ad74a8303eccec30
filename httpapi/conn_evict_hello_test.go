package httpapi_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// slowAuthenticator is an authenticator that needs some time to check a token.
type slowAuthenticator struct {
	identity.Authenticator
	takes time.Duration
}

func (g slowAuthenticator) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	if r.Token != "" {
		time.Sleep(g.takes)
	}
	return g.Authenticator.Authenticate(ctx, r)
}

// tokenHolders accepts these tokens, and callers without one who only read the list.
type tokenHolders map[string]presence.User

func (h tokenHolders) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	user, ok := h[r.Token]
	if !ok && (r.Token != "" || !r.ReadOnly) {
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: user}, nil
}

func TestHelloIsNotEvictedWhileItsTokenIsChecked(t *testing.T) {
	const address = "203.0.113.9"
	for name, serve := range map[string]servertest.ServeFunc{"Handler.Serve": servertest.Serve, "an application's server": embeddedServe} {
		t.Run(name, func(t *testing.T) {
			runLimitedBy(t, serve, 1000, func(w *limitedServer) {
				s, status := w.open(address, servertest.LivePath, "Authorization", "Bearer a") // the check takes 3 s
				if s == nil {
					t.Fatalf("the handshake got %d, want 101", status)
				}
				time.Sleep(100 * time.Millisecond)
				s.Send("hello", `"session": "s", "token": "a"`)
				var silent []*servertest.Socket
				for range 9 { // over the limit of the address; each is evictable after a second
					if other, _ := w.open(address, servertest.LivePath); other != nil {
						silent = append(silent, other)
					}
					time.Sleep(300 * time.Millisecond)
				}
				s.Next("ack")
				s.Next("snapshot")
				if len(silent) < 6 || !silent[0].Closed() {
					t.Errorf("%d silent connections got in, the first one was evicted: %v; the test has to exceed the limit", len(silent), silent[0].Closed())
				}
			}, func(p *servertest.Config) {
				p.AddressConnections, p.Dev = 4, nil
				p.Authenticator = slowAuthenticator{tokenHolders{"a": {ID: "1", Name: "alice"}}, 3 * time.Second}
			})
		})
	}
}

func TestConnectionIsEvictedIfCheckingItsTokenTakesTooLong(t *testing.T) {
	const address = "203.0.113.9"
	runLimited(t, 1000, func(w *limitedServer) {
		s, _ := w.open(address, servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "a"`)
		time.Sleep(6 * time.Second)
		if other, status := w.open(address, servertest.LivePath); other == nil {
			t.Errorf("a handshake over the limit got %d, want 101 in place of a hello that has been checked for 6 s", status)
		}
		synctest.Wait()
		if !s.Closed() {
			t.Error("the connection whose hello has been checked for 6 s was not evicted")
		}
		time.Sleep(time.Minute) // the authenticator ignores the end of its context
	}, func(p *servertest.Config) {
		p.AddressConnections, p.Dev = 1, nil
		p.Authenticator = slowAuthenticator{tokenHolders{"a": {ID: "1", Name: "alice"}}, 30 * time.Second}
	})
}

func TestConnectionHasOneSecondForItsHello(t *testing.T) {
	const address = "203.0.113.9"
	for name, serve := range map[string]servertest.ServeFunc{"Handler.Serve": servertest.Serve, "an application's server": embeddedServe} {
		t.Run(name, func(t *testing.T) {
			runLimitedBy(t, serve, 1000, func(w *limitedServer) {
				s, _ := w.open(address, servertest.LivePath, "Authorization", "Bearer a") // the check takes 3 s
				time.Sleep(900 * time.Millisecond)
				if _, status := w.open(address, servertest.LivePath); status != 429 {
					t.Errorf("a handshake beside one that is 900 ms old got %d, want 429", status)
				}
				if s.Closed() {
					t.Error("the connection was evicted 900 ms after its handshake")
				}
				time.Sleep(200 * time.Millisecond)
				if other, status := w.open(address, servertest.LivePath); other == nil {
					t.Errorf("a handshake beside one that is 1.1 s old got %d, want 101", status)
				}
				synctest.Wait()
				if !s.Closed() {
					t.Error("the connection was not evicted 1.1 s after its handshake")
				}
			}, func(p *servertest.Config) {
				p.AddressConnections, p.Dev = 1, nil
				p.Authenticator = slowAuthenticator{tokenHolders{"a": {ID: "1", Name: "alice"}}, 3 * time.Second}
			})
		})
	}
}
