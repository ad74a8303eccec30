package identity_test

import (
	"errors"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestDevTokenAuthenticatesItsUser(t *testing.T) {
	dev := &identity.Dev{Keys: newKeys(t, "k")}
	for _, c := range [][2]string{{"1", "alice"}, {"", "bob"}, {"a.b.c", "dots . and 😀"}, {"__proto__", "x"}, {"\"quoted\"", "<b>&"}} {
		token, user, err := dev.Token(presence.UserID(c[0]), c[1])
		if err != nil {
			t.Fatalf("Token of %q: got %v, want nil", c, err)
		}
		r := request()
		r.Token = token
		got, err := dev.Authenticate(t.Context(), r)
		if err != nil || got.User != user || got.Cookie != nil {
			t.Errorf("token of %+v: got %+v, %v", user, got, err)
		}
		if c[0] != "" && string(user.ID) != c[0] || user.Visitor {
			t.Errorf("token of %q: got %+v, want that id and no visitor", c, user)
		}
		if strings.ContainsFunc(token, func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", r)
		}) {
			t.Errorf("token %q has characters that a header cannot carry", token)
		}
	}
}

func TestDevTokenAndVisitorCookieAreNotInterchangeable(t *testing.T) {
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
		t.Errorf("visitor cookie as a token: got %+v, %v, want ErrTokenInvalid", got, err)
	}
	if got, err := visitors.Authenticate(t.Context(), request("Cookie", made.Cookie.Name+"="+token)); !errors.Is(err, identity.ErrCookieInvalid) {
		t.Errorf("dev token as a visitor cookie: got %+v, %v, want ErrCookieInvalid", got, err)
	}
}

func TestDevReturnsErrNobodyWithoutAToken(t *testing.T) {
	dev := &identity.Dev{Keys: newKeys(t, "k")}
	if got, err := dev.Authenticate(t.Context(), request("Cookie", "writer_presence_visitor=x")); !errors.Is(err, identity.ErrNobody) {
		t.Errorf("no token: got %+v, %v, want ErrNobody", got, err)
	}
	r := request()
	r.Token = "x"
	if got, err := dev.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
		t.Errorf("invalid token: got %+v, %v, want ErrTokenInvalid", got, err)
	}
}

func TestDevTokenNeedsAValidNameAndID(t *testing.T) {
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
			t.Errorf("Token(%q, %q): got %q for %+v, %v, want %v", c.id, c.name, token, user, err, c.err)
		}
	}
}
