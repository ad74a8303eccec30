package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

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
func newWeakWorld(t *testing.T) (*world, *weak) {
	store := &weak{}
	w := newWorld(t, func(p *plan) {
		p.Store = func(s presence.Store) presence.Store { store.Store = s; return store }
	})
	return w, store
}

func TestAStoreThatDoesNotKnowIsNeverAnEmptyList(t *testing.T) {
	for name, err := range map[string]error{
		"unavailable":  fmt.Errorf("%s: %w", cause, presence.ErrUnavailable),
		"both of them": errors.Join(errors.New(cause), presence.ErrUnavailable),
	} {
		w, store := newWeakWorld(t)
		alice, newcomer := w.as("alice", "1"), w.newcomer()
		alice.update(`{"section":"s"}`)
		tag := alice.get().header.Get("ETag")
		store.err = err
		for _, got := range []answer{
			alice.get(), alice.get("If-None-Match", tag), newcomer.get(), alice.post("update", `{"section":"s","known_version":0}`),
			newcomer.post("update", `{}`), alice.post("leave", `{}`),
		} {
			got.fails(t, 503, "unavailable")
			if got.header.Get("Retry-After") == "" || got.header.Get("ETag") != "" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the headers are %v; due is Retry-After, no ETag, and no-store", name, got.header)
			}
			if strings.Contains(got.body, "users") || strings.Contains(got.body, "conflicts") || strings.Contains(got.body, "10.1.2.3") || strings.Contains(got.body, "canary") {
				t.Errorf("%s: the answer says more than that it is not known: %s", name, got.body)
			}
		}
		if newcomer.made != nil {
			t.Errorf("%s: a request that failed set the cookie %v", name, newcomer.made)
		}
		if logged := w.logs.String(); strings.Count(logged, "\n") != 1 || strings.Count(logged, "10.1.2.3") != 1 {
			t.Errorf("%s: the log is %q; due is one line for the 6 failures, with the cause", name, logged)
		}
		store.err = nil
		w.isListed("alice")
	}
}

func TestAFaultOfOursIsTold(t *testing.T) {
	w, store := newWeakWorld(t)
	store.err = errors.New(cause)
	got := w.as("alice", "1").get()
	got.fails(t, 500, "broken")
	if strings.Contains(got.body, "canary") || strings.Contains(got.body, "10.1.2.3") {
		t.Errorf("the answer tells the cause: %s", got.body)
	}
	if !strings.Contains(w.logs.String(), "10.1.2.3") {
		t.Errorf("the log does not tell the cause: %q", w.logs.String())
	}
}

func TestAPanicIsAnsweredAndLogged(t *testing.T) {
	w := newWorld(t, func(p *plan) { p.Authenticator = gate(func() (identity.Principal, error) { panic(cause) }) })
	got := w.newcomer().get()
	got.fails(t, 500, "broken")
	if strings.Contains(got.body, "canary") || !strings.Contains(w.logs.String(), "level=ERROR") || !strings.Contains(w.logs.String(), "10.1.2.3") {
		t.Errorf("answered %s, logged %q; due: the cause in the log alone", got.body, w.logs.String())
	}
}

func TestWithoutItsDiskTheServerSaysSo(t *testing.T) {
	w, store := newWeakWorld(t)
	alice := w.as("alice", "1")
	for _, volatile := range []bool{false, true, false} {
		store.volatile = volatile
		for name, r := range map[string]reply{"update": alice.update(`{"section":"s"}`), "leave": alice.leave(`{}`)} {
			if told := r.Durable != nil && !*r.Durable; told != volatile || r.Durable != nil && *r.Durable {
				t.Errorf("%s with a failing disk (%v) tells durable: %v", name, volatile, r.Durable)
			}
		}
	}
}

// A gate that does not know lets nobody in, not even where visitors are.
func TestAGateThatDoesNotKnowLetsNobodyIn(t *testing.T) {
	keys, err := identity.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	down := gate(func() (identity.Principal, error) {
		return identity.Principal{}, fmt.Errorf("%s: %w", cause, presence.ErrUnavailable)
	})
	outside := gate(func() (identity.Principal, error) { return identity.Principal{}, identity.ErrProjectUnknown })
	for _, c := range []struct {
		gate   identity.Authenticator
		status int
		code   string
	}{{down, 503, "unavailable"}, {outside, 404, "project_unknown"}} {
		w := newWorld(t, func(p *plan) {
			p.Authenticator = identity.FirstOf(c.gate, &identity.Visitors{Keys: keys, Allowed: identity.EveryProject})
		})
		p := w.newcomer()
		for _, got := range []answer{p.post("update", `{}`), p.post("leave", `{}`), p.get()} {
			got.fails(t, c.status, c.code)
			if strings.Contains(got.body, "canary") {
				t.Errorf("the answer tells the cause: %s", got.body)
			}
		}
	}
}

type gate func() (identity.Principal, error)

func (g gate) Authenticate(context.Context, identity.Request) (identity.Principal, error) { return g() }
