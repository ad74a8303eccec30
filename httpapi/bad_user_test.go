package httpapi_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// badUsers are users that no authenticator may return.
var badUsers = map[string]presence.User{
	"none at all":            {},
	"an empty id":            {Name: "Alice"},
	"a control character":    {ID: "a\nb", Name: "Alice"},
	"another direction":      {ID: "a\u202eb", Name: "Alice"},
	"an id that is too long": {ID: presence.UserID(strings.Repeat("x", presence.MaxUserID+1)), Name: "Alice"},
	"an id of visitors":      {ID: "visitor-7", Name: "Alice"},
	"a visitor":              {ID: "visitor-7", Name: "Alice", Visitor: true},
	"no name":                {ID: "7"},
	"a name with line feed":  {ID: "7", Name: "Alice\nlevel=ERROR"},
	"a name of 1 MiB":        {ID: "7", Name: strings.Repeat("x", 1<<20)},
}

// An invalid user is a fault of the host. Accepting it could make several people share one user.
func TestInvalidUserFromAuthenticatorIsUnavailable(t *testing.T) { // case 53
	for name, user := range badUsers {
		authorized := false
		functions := identity.Functions{
			Identify:  func(context.Context, identity.Request) (presence.User, error) { return user, nil },
			Authorize: func(context.Context, presence.User, presence.Project) error { authorized = true; return nil },
		}
		authenticators := map[string]identity.Authenticator{"Functions": functions}
		if user != (presence.User{}) && !user.Visitor { // authenticators may return these
			authenticators["an Authenticator"] = authenticatorFunc(func() (identity.Principal, error) { return identity.Principal{User: user}, nil })
		}
		for kind, g := range authenticators {
			w := servertest.New(t, func(p *servertest.Config) { p.Authenticator = g })
			p := w.Anonymous()
			for _, got := range []servertest.Response{p.Post("update", `{"section":"s"}`), p.GetList(), p.Post("leave", `{}`), p.Post("leave", `{"session":"a","seq":1}`)} {
				if got.ExpectError(t, 503, "unavailable"); t.Failed() {
					t.Fatalf("%s returns %s", kind, name)
				}
			}
			if !strings.Contains(w.Logs.String(), "returned an invalid user") {
				t.Errorf("%s returns %s, and the log is %q", kind, name, w.Logs.String())
			}
			if authorized {
				t.Errorf("%s returns %s, and Authorize was asked about it", kind, name)
			}
		}
	}
}

func TestUpdateIsUnavailableIfAuthenticatorReturnsNoUser(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = authenticatorFunc(func() (identity.Principal, error) { return identity.Principal{}, nil })
	})
	w.Anonymous().Post("update", `{"section":"s"}`).ExpectError(t, 503, "unavailable")
	if got := w.Anonymous().GetList(); got.Status != 200 || !strings.Contains(got.Body, `"users":[]`) {
		t.Errorf("a list needs no user: got %d %s", got.Status, got.Body)
	}
}

func TestLiveInvalidUserFromAuthenticatorIsUnavailable(t *testing.T) {
	var bad atomic.Bool
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		alice.Pending()
		late := w.ConnectAs(w.As("bob", "2"))
		bad.Store(true)
		late.Send("hello", `"session": "b"`)
		late.Next("error").ExpectUnavailable(t, 0)
		late.ExpectClose(1008)
		alice.ExpectNothing(1)
	}, func(p *servertest.Config) {
		p.Authenticator = authenticatorFunc(func() (identity.Principal, error) {
			if bad.Load() {
				return identity.Principal{User: presence.User{ID: "a\nb", Name: "bob"}}, nil
			}
			return identity.Principal{User: presence.User{ID: "1", Name: "alice"}}, nil
		})
	})
}
