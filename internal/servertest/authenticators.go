package servertest

import (
	"context"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// AuthenticatorFunc is an authenticator made of a function.
type AuthenticatorFunc func(context.Context, identity.Request) (identity.Principal, error)

func (f AuthenticatorFunc) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	return f(ctx, r)
}

// TokenAuthenticator accepts tokens until a time. The first letter of a token is the id and name of the user.
type TokenAuthenticator map[string]time.Time

func (a TokenAuthenticator) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	until, ok := a[r.Token]
	switch {
	case r.Token == "":
		return identity.Principal{}, identity.ErrNobody
	case !ok || !time.Now().Before(until):
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(r.Token[:1]), Name: r.Token[:1]}, Until: until}, nil
}
