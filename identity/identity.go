// Package identity decides who is asking, and whether they may: nobody else's word
// counts, and nothing that a request's body says.
//
// There are several ways to know somebody, each a [Gate]; [FirstOf] asks them in
// order. A way that has nothing to say about a request returns [ErrNobody], and the
// next one is asked; any other error is final.
package identity

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Request is what there is to tell who is asking, for what.
type Request struct {
	Project presence.Project
	// Tenant is the host that the project belongs to, where one server has projects of several
	// hosts; otherwise it is empty. See [Request.Key].
	Tenant string
	// Header is the request's, or the one with which a live connection began.
	Header http.Header
	// Token is the bearer token of the request, or the one that a live connection
	// sent; empty if there is none.
	Token string
	// Address is the asker's, as far as limits tell askers apart.
	Address string
	// Secure says that the asker's page is known to be on https.
	Secure bool
	// Looking says that the request shows nobody: it need not make a visitor.
	Looking bool
	// Recheck says that it is about a live connection that was let in: an answer from
	// memory may be a few seconds old, and no more.
	Recheck bool
	// Above says that the asker is above a limit: whoever is not known yet need not be.
	Above bool
	// CrossOrigin says that the page is of another origin. Header then has no cookies, and a
	// cookie cannot be given.
	CrossOrigin bool
	// Forwarded is what the host application is told of where the request comes from.
	Forwarded Forwarded
}

// Key is the project as stores know it, and as tokens name it: with a tenant, as in
// example.org/thesis. No id of a project has a slash, so that no two projects have one key.
func (r Request) Key() presence.Project {
	if r.Tenant == "" {
		return r.Project
	}
	return presence.Project(r.Tenant) + "/" + r.Project
}

// Forwarded is what is known of where a request comes from. Its values are safe in a header.
// What a client can write of itself is in it only where it grants nothing.
type Forwarded struct {
	// Host is the host, with its port unless that is the default, that the page's request was
	// sent to; empty if it is not known. Proto is https or http.
	Host, Proto string
	// For is the address of the client; not valid if it is not known.
	For netip.Addr
	// Language is the request's Accept-Language, and RequestID its X-Request-ID.
	Language, RequestID string
}

// Admission is somebody who may; with [ErrProjectUnknown], somebody who may no longer, if
// that is known.
type Admission struct {
	User presence.User
	// Until is when it ends by itself; zero for never.
	Until time.Time
	// Cookie is to be set in the answer; nil for none.
	Cookie *http.Cookie
}

// Gate is a way to know who is asking, and whether they may. Admit may be called at
// once, and ends within five seconds. Its errors are the package's, or wrap [presence.ErrUnavailable] when the
// gate itself cannot know; then nobody is let in.
type Gate interface {
	Admit(context.Context, Request) (Admission, error)
}

// The errors of gates, as told to whoever asked.
var (
	ErrNobody           = errors.New("sign in first: this request says neither by a token nor by a cookie who is asking")
	ErrTokenInvalid     = errors.New("this token is not valid, or not any more; fetch a new one and send it as Authorization: Bearer")
	ErrCookieInvalid    = errors.New("the visitor cookie was forged, damaged or out of date and has been cleared; send the request again to become a new visitor")
	ErrProjectUnknown   = errors.New("there is no such project, or it is not yours")
	ErrTooManyVisitors  = errors.New("too many new visitors came from this address; wait for the time in Retry-After, or sign in")
	ErrTokenNameInvalid = errors.New("send username, a text that shows something")
)

// FirstOf asks gates in order, until one knows the asker.
func FirstOf(gates ...Gate) Gate { return firstOf(gates) }

type firstOf []Gate

func (gates firstOf) Admit(ctx context.Context, r Request) (Admission, error) {
	for _, gate := range gates {
		a, err := gate.Admit(ctx, r)
		if !errors.Is(err, ErrNobody) {
			return a, err
		}
	}
	return Admission{}, ErrNobody
}
