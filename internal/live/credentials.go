package live

import (
	"net/http"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
)

// credentials are what authenticates a connection, kept to check it again. They are copies: a part of a
// request would keep all of it in memory, for each connection.
type credentials struct {
	token, cookie string
	address       string // as rate limiters tell addresses apart
	authorization string // unless it has the token
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
	c.forwarded.RequestID = "" // of the handshake only
	c.forwarded.Host, c.forwarded.Language = strings.Clone(r.Forwarded.Host), strings.Clone(r.Forwarded.Language)
	if r.Token == "" {
		c.authorization = strings.Clone(r.Header.Get("Authorization"))
	}
	return c
}

// request returns the credentials as a request for a project, which is given as the store knows it.
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
