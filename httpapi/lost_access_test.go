package httpapi_test

import (
	"context"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLostAccessOverHTTPEndsOnlyThatSession(t *testing.T) { // rule 14
	alice := presence.User{ID: "1", Name: "alice"}
	may := true
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			switch {
			case r.Token != "alice":
				return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
			case !may:
				return identity.Principal{User: alice}, identity.ErrProjectUnknown
			}
			return identity.Principal{User: alice}, nil
		})
	})
	p := w.Anonymous()
	p.Token = "alice"
	p.Update(`{"session": "a", "section": "s"}`)
	p.Update(`{"session": "other", "section": "s"}`)
	may = false
	p.Post("update", `{"session": "a", "section": "s"}`).ExpectError(t, 404, "project_unknown")
	if users := *w.Anonymous().List().Users; servertest.Names(users) != "alice" {
		t.Errorf("listed: got %q, want alice, by her other tab", servertest.Names(users))
	}
	p.Post("update", `{"session": "other", "section": "s"}`).ExpectError(t, 404, "project_unknown")
	p.Post("update", `not JSON`).ExpectError(t, 404, "project_unknown")
	if users := *w.Anonymous().List().Users; len(users) != 0 {
		t.Errorf("listed: got %q, want nobody", servertest.Names(users))
	}
}

func TestUnavailableAuthenticatorKeepsSessions(t *testing.T) { // rule 13
	alice := identity.Principal{User: presence.User{ID: "1", Name: "alice"}}
	var unknown error
	w := servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			if r.Token == "alice" {
				return alice, unknown
			}
			return identity.Principal{User: presence.User{ID: "2", Name: "bob"}}, nil
		})
	})
	p := w.Anonymous()
	p.Token = "alice"
	p.Update(`{"session": "a", "section": "s"}`)
	for _, unknown = range []error{presence.ErrUnavailable, identity.ErrTokenInvalid, context.Canceled} {
		p.Post("update", `{"session": "a", "section": "s"}`)
		if users := *w.Anonymous().List().Users; servertest.Names(users) != "alice" {
			t.Errorf("listed after %v: got %q, want alice", unknown, servertest.Names(users))
		}
	}
}
