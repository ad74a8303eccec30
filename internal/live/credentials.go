package live

import (
	"context"
	"net/http"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
)

// authTimeout bounds an authentication. Stores have timeouts of their own.
const authTimeout = 5 * time.Second

// credentials authenticate a connection: at its hello, and at each check. The strings are copies, because a
// substring of a request would keep the whole request in memory.
type credentials struct {
	token, cookie string
	address       string // the key by which rate limiters count addresses
	authorization string // empty if token is set
	secure        bool
	forwarded     identity.Forwarded
}

func newCredentials(r identity.Request) credentials {
	c := credentials{
		token:     strings.Clone(r.Token),
		cookie:    strings.Join(r.Header["Cookie"], "; "),
		address:   strings.Clone(r.Address),
		secure:    r.Secure,
		forwarded: r.Forwarded,
	}
	c.forwarded.RequestID = "" // it belongs to the handshake
	c.forwarded.Host, c.forwarded.Language = strings.Clone(r.Forwarded.Host), strings.Clone(r.Forwarded.Language)
	if r.Token == "" {
		c.authorization = strings.Clone(r.Header.Get("Authorization"))
	}
	return c
}

// request returns an authentication request with these credentials for the project with a store key.
func (c credentials) request(key presence.Project) identity.Request {
	tenant, project := access.SplitKey(key)
	r := identity.Request{
		Project: project, Tenant: tenant, Header: http.Header{}, Token: c.token, Secure: c.secure, ReadOnly: true, Recheck: true, Forwarded: c.forwarded,
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	return r
}

// authenticate returns the user with these credentials, if they may use the project. It creates no visitor,
// because a connection cannot set a cookie.
func (c *conn) authenticate(ctx context.Context, credentials credentials) (identity.Principal, error) {
	return c.hub.access.Authenticate(ctx, credentials.request(c.project))
}
