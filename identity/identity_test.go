package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKeys(t testing.TB, secrets ...string) *identity.Keys {
	t.Helper()
	var all [][]byte
	for _, s := range secrets {
		all = append(all, []byte(strings.Repeat(s, 32)))
	}
	keys, err := identity.NewKeys(all...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// request returns a request with these headers and no token.
func request(headers ...string) identity.Request {
	r := identity.Request{Project: "p", Header: http.Header{}, Address: "192.0.2.1"}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// fixedAuthenticator is an authenticator with a fixed answer.
type fixedAuthenticator struct {
	principal identity.Principal
	err       error
	requests  int
}

func (g *fixedAuthenticator) Authenticate(context.Context, identity.Request) (identity.Principal, error) {
	g.requests++
	return g.principal, g.err
}

func TestFirstOfReturnsTheFirstDecision(t *testing.T) {
	nobody := func() *fixedAuthenticator {
		return &fixedAuthenticator{err: fmt.Errorf("no token: %w", identity.ErrNobody)}
	}
	alice := func() *fixedAuthenticator {
		return &fixedAuthenticator{principal: identity.Principal{User: presence.User{ID: "1"}}}
	}
	rejects := func(err error) *fixedAuthenticator { return &fixedAuthenticator{err: fmt.Errorf("rejected: %w", err)} }
	for name, c := range map[string]struct {
		auths    []*fixedAuthenticator
		requests int // calls of all of them
		err      error
	}{
		"no authenticator":              {nil, 0, identity.ErrNobody},
		"none knows the caller":         {[]*fixedAuthenticator{nobody(), nobody()}, 2, identity.ErrNobody},
		"the first knows":               {[]*fixedAuthenticator{alice(), rejects(identity.ErrProjectUnknown)}, 1, nil},
		"the second knows":              {[]*fixedAuthenticator{nobody(), alice(), alice()}, 2, nil},
		"a bad token is final":          {[]*fixedAuthenticator{rejects(identity.ErrTokenInvalid), alice()}, 1, identity.ErrTokenInvalid},
		"a bad cookie is final":         {[]*fixedAuthenticator{nobody(), rejects(identity.ErrCookieInvalid), alice()}, 2, identity.ErrCookieInvalid},
		"another project is final":      {[]*fixedAuthenticator{rejects(identity.ErrProjectUnknown), alice()}, 1, identity.ErrProjectUnknown},
		"an unavailable one is final":   {[]*fixedAuthenticator{rejects(presence.ErrUnavailable), alice()}, 1, presence.ErrUnavailable},
		"any other error is final, too": {[]*fixedAuthenticator{rejects(context.Canceled), alice()}, 1, context.Canceled},
	} {
		var auths []identity.Authenticator
		for _, g := range c.auths {
			auths = append(auths, g)
		}
		got, err := identity.FirstOf(auths...).Authenticate(t.Context(), request())
		if !errors.Is(err, c.err) || (err == nil) != (got.User.ID == "1") {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.err)
		}
		requests := 0
		for _, g := range c.auths {
			requests += g.requests
		}
		if requests != c.requests {
			t.Errorf("%s: got %d calls of authenticators, want %d", name, requests, c.requests)
		}
	}
}

func TestFirstOfKeepsTheCookieOfARejection(t *testing.T) {
	clearing := &http.Cookie{Name: "x", MaxAge: -1}
	got, err := identity.FirstOf(&fixedAuthenticator{principal: identity.Principal{Cookie: clearing}, err: identity.ErrCookieInvalid}).Authenticate(t.Context(), request())
	if got.Cookie != clearing || !errors.Is(err, identity.ErrCookieInvalid) {
		t.Errorf("got %+v, %v, want the cookie and ErrCookieInvalid", got, err)
	}
}
