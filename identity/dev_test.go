package identity_test

import (
	"errors"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestADevTokenIsOfTheUserItWasMadeFor(t *testing.T) {
	dev := &identity.Dev{Keys: newKeys(t, "k")}
	for _, c := range [][2]string{{"1", "alice"}, {"", "bob"}, {"a.b.c", "dots . and 😀"}, {"__proto__", "x"}, {"\"quoted\"", "<b>&"}} {
		token, user, err := dev.Token(presence.UserID(c[0]), c[1])
		if err != nil {
			t.Fatalf("%q came to %v", c, err)
		}
		r := request()
		r.Token = token
		got, err := dev.Authenticate(t.Context(), r)
		if err != nil || got.User != user || got.Cookie != nil {
			t.Errorf("the token of %+v is taken for %+v, %v", user, got, err)
		}
		if c[0] != "" && string(user.ID) != c[0] || user.Visitor {
			t.Errorf("the token of %q is for %+v", c, user)
		}
		if strings.ContainsFunc(token, func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", r)
		}) {
			t.Errorf("the token %q is not fit for a header", token)
		}
	}
}

func TestADevTokenAndAVisitorsCookieAreNotTheSame(t *testing.T) {
	keys := newKeys(t, "k")
	dev, visitors := &identity.Dev{Keys: keys}, &identity.Visitors{Keys: keys, Allowed: identity.EveryProject}
	token, _, err := dev.Token("1", "alice")
	if err != nil {
		t.Fatal(err)
	}
	made, err := visitors.Authenticate(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	r.Token = made.Cookie.Value
	if got, err := dev.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
		t.Errorf("a visitor's cookie as a token is %+v, %v; due is that it is invalid", got, err)
	}
	if got, err := visitors.Authenticate(t.Context(), request("Cookie", made.Cookie.Name+"="+token)); !errors.Is(err, identity.ErrCookieInvalid) {
		t.Errorf("a dev token as a visitor's cookie is %+v, %v; due is that it is invalid", got, err)
	}
}

func TestWithoutATokenTheNextGateIsAsked(t *testing.T) {
	dev := &identity.Dev{Keys: newKeys(t, "k")}
	if got, err := dev.Authenticate(t.Context(), request("Cookie", "writer_presence_visitor=x")); !errors.Is(err, identity.ErrNobody) {
		t.Errorf("no token came to %+v, %v; due is nobody", got, err)
	}
	r := request()
	r.Token = "x"
	if got, err := dev.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
		t.Errorf("a bad token came to %+v, %v; due is that it is invalid", got, err)
	}
}

func TestADevTokenIsForNobodyWithoutANameOrAsAVisitor(t *testing.T) {
	dev := &identity.Dev{Keys: newKeys(t, "k")}
	for _, c := range []struct {
		id   presence.UserID
		name string
		err  error
	}{
		{"1", "", identity.ErrTokenNameInvalid}, {"", "  \n", identity.ErrTokenNameInvalid}, {"1", "\u200b\u202e", identity.ErrTokenNameInvalid}, {"", "\u00a0\u3000", identity.ErrTokenNameInvalid},
		{"visitor-1", "alice", presence.ErrUserIDInvalid}, {"a\x00", "alice", presence.ErrUserIDInvalid}, {"\xff", "alice", presence.ErrUserIDInvalid},
	} {
		if token, user, err := dev.Token(c.id, c.name); !errors.Is(err, c.err) || token != "" {
			t.Errorf("%q, %q came to %q for %+v, %v; due is %v", c.id, c.name, token, user, err, c.err)
		}
	}
}
