package servertest

import (
	"context"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

type AuthenticatorFunc func(context.Context, identity.Request) (identity.Principal, error)

func (g AuthenticatorFunc) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	return g(ctx, r)
}

// TokenAuthenticator is a gate whose tokens are names, each good until a time.
type TokenAuthenticator map[string]time.Time

func (g TokenAuthenticator) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	until, ok := g[r.Token]
	switch {
	case r.Token == "":
		return identity.Principal{}, identity.ErrNobody
	case !ok || !time.Now().Before(until):
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(r.Token[:1]), Name: r.Token[:1]}, Until: until}, nil
}
