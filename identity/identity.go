// Package identity authenticates the user of a request and authorises them for a project. It never uses what a
// request's body says about the user.
//
// There are several ways to authenticate, each an [Authenticator]: tokens that the application signs ([SharedSecret],
// [RemoteKeys]), asking the application over HTTP ([NewHost]), two functions of the program ([Functions]), and signed
// cookies for people who have not signed in ([Visitors]). [FirstOf] tries them in order:
//
//	authenticator := identity.FirstOf(
//		identity.Functions{Identify: identify, Authorize: authorize},
//		&identity.Visitors{Keys: keys, Allowed: isPublic},
//	)
//
// One that finds no credentials of its kind, or does not know their user, returns [ErrNobody], and the next one is
// tried. Any other error is final. An authenticator of your own follows the same rule.
package identity

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Request holds the credentials of a request, and what it is for.
type Request struct {
	Project presence.Project
	// Tenant is the host that the project belongs to, where one server has projects of several
	// hosts; otherwise it is empty. See [Request.Key].
	Tenant string
	// Header is that of the request, or of the handshake of a live connection.
	Header http.Header
	// Token is the bearer token of the request, or the one that a live connection
	// sent; empty if there is none.
	Token string
	// Address is the client's address, in the form that rate limits count by.
	Address string
	// Secure reports that the page is known to be on https.
	Secure bool
	// ReadOnly reports that the request only reads, so no new visitor is created for it.
	ReadOnly bool
	// Recheck reports that the request is a periodic check of a live connection: a cached answer
	// may be a few seconds old at most.
	Recheck bool
	// LimitExceeded reports that the client exceeded a rate limit: only cached users are authenticated.
	LimitExceeded bool
	// CrossOrigin reports that the page is on another origin. Then Header has no cookies, and no
	// cookie can be set.
	CrossOrigin bool
	// Forwarded describes the request to the host application.
	Forwarded Forwarded
}

// Key returns the project as stores and tokens name it: with a tenant, as in
// example.org/thesis. Project ids contain no slash, so no two projects share a key.
func (r Request) Key() presence.Project {
	if r.Tenant == "" {
		return r.Project
	}
	return presence.Project(r.Tenant) + "/" + r.Project
}

// Forwarded is what the host application gets to know about a request. Its values are safe in a
// header. Values that a client can choose are included only where they grant nothing.
type Forwarded struct {
	// Host is the host that the page's request was sent to, with its port unless that is the
	// default; empty if unknown. Proto is https or http.
	Host, Proto string
	// For is the address of the client; not valid if unknown.
	For netip.Addr
	// Language is the request's Accept-Language, and RequestID its X-Request-ID.
	Language, RequestID string
}

// Principal is an authenticated and authorised user. With [ErrProjectUnknown] it holds the user
// whose access was rejected, if that is known.
type Principal struct {
	User presence.User
	// Until is when the access expires; zero for never.
	Until time.Time
	// Cookie is set in the answer; nil for none.
	Cookie *http.Cookie
}

// Authenticator finds out who sent a request and whether they may use the project. Authenticate returns
// within five seconds and is safe for concurrent use. Its errors are those of this package, or wrap
// [presence.ErrUnavailable] if the check itself failed; then access is denied.
type Authenticator interface {
	Authenticate(context.Context, Request) (Principal, error)
}

// The errors of authenticators; clients see their texts.
var (
	ErrNobody           = errors.New("sign in first: nothing in this request identifies a known user")
	ErrTokenInvalid     = errors.New("this token is not valid, or not any more; fetch a new one and send it as Authorization: Bearer")
	ErrCookieInvalid    = errors.New("the visitor cookie was forged, damaged or out of date and has been cleared; send the request again to become a new visitor")
	ErrProjectUnknown   = errors.New("there is no such project, or it is not yours")
	ErrTooManyVisitors  = errors.New("too many new visitors came from this address; wait for the time in Retry-After, or sign in")
	ErrTokenNameInvalid = errors.New("send username, a text that shows something")
)

// FirstOf returns an Authenticator that tries several in order until one returns another error than
// [ErrNobody], or none. Those that are nil are left out.
func FirstOf(authenticators ...Authenticator) Authenticator {
	return firstOf(slices.DeleteFunc(slices.Clone(authenticators), func(a Authenticator) bool { return a == nil }))
}

type firstOf []Authenticator

func (f firstOf) Authenticate(ctx context.Context, r Request) (Principal, error) {
	for _, authenticator := range f {
		p, err := authenticator.Authenticate(ctx, r)
		if !errors.Is(err, ErrNobody) {
			return p, err
		}
	}
	return Principal{}, ErrNobody
}
