package identity_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestZeroAuthenticatorsRejectEveryone(t *testing.T) {
	identify := func(context.Context, identity.Request) (presence.User, error) { return identity.NewUser("1", "Alice") }
	request := identity.Request{
		Project: "thesis", Token: "a.b.c", Address: "192.0.2.1",
		Header: http.Header{"Cookie": {"writer_presence_visitor=abc.def.ghi"}},
	}
	for name, c := range map[string]struct {
		authenticator identity.Authenticator
		want          error
	}{
		"Dev":                         {&identity.Dev{}, identity.ErrTokenInvalid},
		"FirstOf":                     {identity.FirstOf(), identity.ErrNobody},
		"FirstOf nil":                 {identity.FirstOf(nil, nil), identity.ErrNobody},
		"Functions":                   {identity.Functions{}, presence.ErrUnavailable},
		"Functions without Authorize": {identity.Functions{Identify: identify}, presence.ErrUnavailable},
		"Host":                        {&identity.Host{}, presence.ErrUnavailable},
		"JWT":                         {&identity.JWT{}, presence.ErrUnavailable},
		"Visitors":                    {&identity.Visitors{}, identity.ErrNobody},
		"Visitors without Keys":       {&identity.Visitors{Allowed: identity.EveryProject}, presence.ErrUnavailable},
		"Visitors with zero Keys":     {&identity.Visitors{Allowed: identity.EveryProject, Keys: &identity.Keys{}}, presence.ErrUnavailable},
	} {
		if p, err := c.authenticator.Authenticate(t.Context(), request); !errors.Is(err, c.want) || p.User != (presence.User{}) {
			t.Errorf("%s: got %+v, %v, want no user and %v", name, p.User, err, c.want)
		}
	}
}

func TestZeroKeysSignAndVerifyNothing(t *testing.T) {
	var none *identity.Keys
	for name, keys := range map[string]*identity.Keys{"nil": none, "zero": {}} {
		signed := keys.Sign("kind", "text")
		if _, ok := keys.Verify("kind", signed); ok || signed != "" || keys.Warning() != "" {
			t.Errorf("%s keys signed %q", name, signed)
		}
	}
	if _, _, err := (&identity.Dev{}).Token("1", "Alice"); !errors.Is(err, presence.ErrUnavailable) {
		t.Errorf("a Dev without keys returned %v; want ErrUnavailable", err)
	}
	if _, err := (&identity.JWT{}).Check(t.Context(), "a.b.c"); !errors.Is(err, presence.ErrUnavailable) {
		t.Errorf("a JWT without keys returned %v; want ErrUnavailable", err)
	}
	if (identity.TokenInfo{}).Opens(identity.Request{Project: "thesis"}) {
		t.Error("the zero TokenInfo opens a project")
	}
}

func TestANilLogIsDiscarded(t *testing.T) {
	host, err := identity.NewHost("http://127.0.0.1:1/{project}", nil) // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Authenticate(t.Context(), identity.Request{Project: "thesis", Token: "token"}); !errors.Is(err, presence.ErrUnavailable) {
		t.Errorf("a host that does not answer returned %v; want ErrUnavailable", err)
	}
}
