package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// weak is a store that can be made to fail, or to be without its disk.
type weak struct {
	presence.Store
	err      error
	volatile bool
}

func (s *weak) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	if s.err != nil {
		return presence.Reply{}, s.err
	}
	r, err := s.Store.Update(ctx, p, u, m)
	r.Durable = r.Durable && !s.volatile
	return r, err
}

func (s *weak) Leave(ctx context.Context, p presence.Project, u presence.User, m presence.Leave) (presence.Reply, error) {
	if s.err != nil {
		return presence.Reply{}, s.err
	}
	r, err := s.Store.Leave(ctx, p, u, m)
	r.Durable = r.Durable && !s.volatile
	return r, err
}

func (s *weak) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Snapshot(ctx, p)
}

// newWeakWorld starts a server on a store that the test can make fail.
func newWeakWorld(t *testing.T) (*servertest.Server, *weak) {
	store := &weak{}
	w := servertest.New(t, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { store.Store = s; return store }
	})
	return w, store
}

func TestAStoreThatDoesNotKnowIsNeverAnEmptyList(t *testing.T) { // rule 13
	for name, err := range map[string]error{
		"unavailable":  fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable),
		"both of them": errors.Join(errors.New(servertest.SecretCause), presence.ErrUnavailable),
	} {
		w, store := newWeakWorld(t)
		alice, newcomer := w.As("alice", "1"), w.Anonymous()
		alice.Update(`{"section":"s"}`)
		tag := alice.GetList().Header.Get("ETag")
		store.err = err
		for _, got := range []servertest.Response{
			alice.GetList(), alice.GetList("If-None-Match", tag), newcomer.GetList(), alice.Post("update", `{"section":"s","known_version":0}`),
			newcomer.Post("update", `{}`), alice.Post("leave", `{}`),
		} {
			got.ExpectError(t, 503, "unavailable")
			if got.Header.Get("Retry-After") == "" || got.Header.Get("ETag") != "" || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the headers are %v; due is Retry-After, no ETag, and no-store", name, got.Header)
			}
			if strings.Contains(got.Body, "users") || strings.Contains(got.Body, "conflicts") || strings.Contains(got.Body, "10.1.2.3") || strings.Contains(got.Body, "canary") {
				t.Errorf("%s: the answer says more than that it is not known: %s", name, got.Body)
			}
		}
		if newcomer.SetCookie != nil {
			t.Errorf("%s: a request that failed set the cookie %v", name, newcomer.SetCookie)
		}
		if logged := w.Logs.String(); strings.Count(logged, "\n") != 1 || strings.Count(logged, "10.1.2.3") != 1 {
			t.Errorf("%s: the log is %q; due is one line for the 6 failures, with the cause", name, logged)
		}
		store.err = nil
		w.ExpectListed("alice")
	}
}

func TestAFaultOfOursIsTold(t *testing.T) {
	w, store := newWeakWorld(t)
	store.err = errors.New(servertest.SecretCause)
	got := w.As("alice", "1").GetList()
	got.ExpectError(t, 500, "broken")
	if strings.Contains(got.Body, "canary") || strings.Contains(got.Body, "10.1.2.3") {
		t.Errorf("the answer tells the cause: %s", got.Body)
	}
	if !strings.Contains(w.Logs.String(), "10.1.2.3") {
		t.Errorf("the log does not tell the cause: %q", w.Logs.String())
	}
}

func TestAPanicIsAnsweredAndLogged(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = gate(func() (identity.Principal, error) { panic(servertest.SecretCause) })
	})
	got := w.Anonymous().GetList()
	got.ExpectError(t, 500, "broken")
	if strings.Contains(got.Body, "canary") || !strings.Contains(w.Logs.String(), "level=ERROR") || !strings.Contains(w.Logs.String(), "10.1.2.3") {
		t.Errorf("answered %s, logged %q; due: the cause in the log alone", got.Body, w.Logs.String())
	}
}

func TestWithoutItsDiskTheServerSaysSo(t *testing.T) {
	w, store := newWeakWorld(t)
	alice := w.As("alice", "1")
	for _, volatile := range []bool{false, true, false} {
		store.volatile = volatile
		for name, r := range map[string]servertest.Reply{"update": alice.Update(`{"section":"s"}`), "leave": alice.Leave(`{}`)} {
			if told := r.Durable != nil && !*r.Durable; told != volatile || r.Durable != nil && *r.Durable {
				t.Errorf("%s with a failing disk (%v) tells durable: %v", name, volatile, r.Durable)
			}
		}
	}
}

// A gate that does not know lets nobody in, not even where visitors are.
func TestAGateThatDoesNotKnowLetsNobodyIn(t *testing.T) { // rule 13
	keys, err := identity.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	down := gate(func() (identity.Principal, error) {
		return identity.Principal{}, fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable)
	})
	outside := gate(func() (identity.Principal, error) { return identity.Principal{}, identity.ErrProjectUnknown })
	for _, c := range []struct {
		gate   identity.Authenticator
		status int
		code   string
	}{{down, 503, "unavailable"}, {outside, 404, "project_unknown"}} {
		w := servertest.New(t, func(p *servertest.Config) {
			p.Authenticator = identity.FirstOf(c.gate, &identity.Visitors{Keys: keys, Allowed: identity.EveryProject})
		})
		p := w.Anonymous()
		for _, got := range []servertest.Response{p.Post("update", `{}`), p.Post("leave", `{}`), p.GetList()} {
			got.ExpectError(t, c.status, c.code)
			if strings.Contains(got.Body, "canary") {
				t.Errorf("the answer tells the cause: %s", got.Body)
			}
		}
	}
}

type gate func() (identity.Principal, error)

func (g gate) Authenticate(context.Context, identity.Request) (identity.Principal, error) { return g() }
