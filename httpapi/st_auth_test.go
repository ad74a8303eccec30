package httpapi_test

import (
	"context"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

type gateFunc func(context.Context, identity.Request) (identity.Principal, error)

func (g gateFunc) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	return g(ctx, r)
}

// tokens is a gate whose tokens are names, each good until a time.
type tokens map[string]time.Time

func (g tokens) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	until, ok := g[r.Token]
	switch {
	case r.Token == "":
		return identity.Principal{}, identity.ErrNobody
	case !ok || !time.Now().Before(until):
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(r.Token[:1]), Name: r.Token[:1]}, Until: until}, nil
}
