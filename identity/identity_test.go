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

// request is one that says nothing of who is asking.
func request(headers ...string) identity.Request {
	r := identity.Request{Project: "p", Header: http.Header{}, Address: "192.0.2.1"}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// gate says always the same, and counts how often it was asked.
type gate struct {
	admission identity.Principal
	err       error
	asked     int
}

func (g *gate) Authenticate(context.Context, identity.Request) (identity.Principal, error) {
	g.asked++
	return g.admission, g.err
}

func TestTheFirstGateThatKnowsDecides(t *testing.T) {
	nobody := func() *gate { return &gate{err: fmt.Errorf("no token: %w", identity.ErrNobody)} }
	alice := func() *gate { return &gate{admission: identity.Principal{User: presence.User{ID: "1"}}} }
	refuses := func(err error) *gate { return &gate{err: fmt.Errorf("refused: %w", err)} }
	for name, c := range map[string]struct {
		gates []*gate
		asked int // how many of them
		err   error
	}{
		"nobody is there to ask":         {nil, 0, identity.ErrNobody},
		"nobody knows":                   {[]*gate{nobody(), nobody()}, 2, identity.ErrNobody},
		"the first knows":                {[]*gate{alice(), refuses(identity.ErrProjectUnknown)}, 1, nil},
		"the second knows":               {[]*gate{nobody(), alice(), alice()}, 2, nil},
		"a bad token is final":           {[]*gate{refuses(identity.ErrTokenInvalid), alice()}, 1, identity.ErrTokenInvalid},
		"a bad cookie is final":          {[]*gate{nobody(), refuses(identity.ErrCookieInvalid), alice()}, 2, identity.ErrCookieInvalid},
		"outside is final":               {[]*gate{refuses(identity.ErrProjectUnknown), alice()}, 1, identity.ErrProjectUnknown},
		"a gate that cannot know closes": {[]*gate{refuses(presence.ErrUnavailable), alice()}, 1, presence.ErrUnavailable},
		"any other error is final, too":  {[]*gate{refuses(context.Canceled), alice()}, 1, context.Canceled},
	} {
		var gates []identity.Authenticator
		for _, g := range c.gates {
			gates = append(gates, g)
		}
		got, err := identity.FirstOf(gates...).Authenticate(t.Context(), request())
		if !errors.Is(err, c.err) || (err == nil) != (got.User.ID == "1") {
			t.Errorf("%s: came to %+v, %v; due is %v", name, got, err, c.err)
		}
		asked := 0
		for _, g := range c.gates {
			asked += g.asked
		}
		if asked != c.asked {
			t.Errorf("%s: %d gates were asked, due is %d", name, asked, c.asked)
		}
	}
}

func TestARefusalKeepsTheCookieThatClears(t *testing.T) {
	clearing := &http.Cookie{Name: "x", MaxAge: -1}
	got, err := identity.FirstOf(&gate{admission: identity.Principal{Cookie: clearing}, err: identity.ErrCookieInvalid}).Authenticate(t.Context(), request())
	if got.Cookie != clearing || !errors.Is(err, identity.ErrCookieInvalid) {
		t.Errorf("came to %+v, %v; due is the cookie, and that it was invalid", got, err)
	}
}
