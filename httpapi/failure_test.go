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

func TestUnavailableStoreIsAnErrorAndNotAnEmptyList(t *testing.T) { // rule 13
	for name, err := range map[string]error{
		"unavailable":  fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable),
		"both of them": errors.Join(errors.New(servertest.SecretCause), presence.ErrUnavailable),
	} {
		var store servertest.FlakyStore
		w := servertest.New(t, store.Install)
		alice, newcomer := w.As("alice", "1"), w.Anonymous()
		alice.Update(`{"section":"s"}`)
		tag := alice.GetList().Header.Get("ETag")
		store.Fail(err, err)
		for _, got := range []servertest.Response{
			alice.GetList(), alice.GetList("If-None-Match", tag), newcomer.GetList(), alice.Post("update", `{"section":"s","known_version":0}`),
			newcomer.Post("update", `{}`), alice.Post("leave", `{}`),
		} {
			got.ExpectError(t, 503, "unavailable")
			if got.Header.Get("Retry-After") == "" || got.Header.Get("ETag") != "" || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the headers are %v, want Retry-After, no ETag, and no-store", name, got.Header)
			}
			if strings.Contains(got.Body, "users") || strings.Contains(got.Body, "conflicts") || strings.Contains(got.Body, "10.1.2.3") || strings.Contains(got.Body, "canary") {
				t.Errorf("%s: got %s, want only the error unavailable", name, got.Body)
			}
		}
		if newcomer.SetCookie != nil {
			t.Errorf("%s: a request that failed set the cookie %v", name, newcomer.SetCookie)
		}
		if logged := w.Logs.String(); strings.Count(logged, "\n") != 1 || strings.Count(logged, "10.1.2.3") != 1 {
			t.Errorf("%s: the log is %q, want one line for the 6 failures, with the cause", name, logged)
		}
		store.Fail(nil, nil)
		w.ExpectListed("alice")
	}
}

func TestInternalErrorIsLoggedAndHiddenFromTheClient(t *testing.T) {
	var store servertest.FlakyStore
	w := servertest.New(t, store.Install)
	failure := errors.New(servertest.SecretCause)
	store.Fail(failure, failure)
	got := w.As("alice", "1").GetList()
	got.ExpectError(t, 500, "broken")
	if strings.Contains(got.Body, "canary") || strings.Contains(got.Body, "10.1.2.3") {
		t.Errorf("got %s, want no cause in it", got.Body)
	}
	if !strings.Contains(w.Logs.String(), "10.1.2.3") {
		t.Errorf("got log %q, want the cause in it", w.Logs.String())
	}
}

func TestPanicIsAnswered500AndLogged(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = authenticatorFunc(func() (identity.Principal, error) { panic(servertest.SecretCause) })
	})
	got := w.Anonymous().GetList()
	got.ExpectError(t, 500, "broken")
	if strings.Contains(got.Body, "canary") || !strings.Contains(w.Logs.String(), "level=ERROR") || !strings.Contains(w.Logs.String(), "10.1.2.3") {
		t.Errorf("got %s, logged %q, want the cause in the log alone", got.Body, w.Logs.String())
	}
}

func TestReplySaysIfChangesAreNotDurable(t *testing.T) {
	var store servertest.FlakyStore
	w := servertest.New(t, store.Install)
	alice := w.As("alice", "1")
	for _, notDurable := range []bool{false, true, false} {
		store.NotDurable = notDurable
		for name, r := range map[string]servertest.Reply{"update": alice.Update(`{"section":"s"}`), "leave": alice.Leave(`{}`)} {
			if got := r.Durable != nil && !*r.Durable; got != notDurable || r.Durable != nil && *r.Durable {
				t.Errorf("%s with NotDurable %v: got durable %v, want false if it is set and none if not", name, notDurable, r.Durable)
			}
		}
	}
}

// It must not make the caller a visitor either.
func TestUnavailableAuthenticatorRejectsEverybody(t *testing.T) { // rule 13
	keys, err := identity.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	down := authenticatorFunc(func() (identity.Principal, error) {
		return identity.Principal{}, fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable)
	})
	outside := authenticatorFunc(func() (identity.Principal, error) { return identity.Principal{}, identity.ErrProjectUnknown })
	for _, c := range []struct {
		authenticator identity.Authenticator
		status        int
		code          string
	}{{down, 503, "unavailable"}, {outside, 404, "project_unknown"}} {
		w := servertest.New(t, func(p *servertest.Config) {
			p.Authenticator = identity.FirstOf(c.authenticator, &identity.Visitors{Keys: keys, Allowed: identity.EveryProject})
		})
		p := w.Anonymous()
		for _, got := range []servertest.Response{p.Post("update", `{}`), p.Post("leave", `{}`), p.GetList()} {
			got.ExpectError(t, c.status, c.code)
			if strings.Contains(got.Body, "canary") {
				t.Errorf("got %s, want no cause in it", got.Body)
			}
		}
	}
}

type authenticatorFunc func() (identity.Principal, error)

func (g authenticatorFunc) Authenticate(context.Context, identity.Request) (identity.Principal, error) {
	return g()
}
