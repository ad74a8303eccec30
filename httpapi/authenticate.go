package httpapi

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
)

// caller is an authenticated request: its user and project.
type caller struct {
	project presence.Project // key in the store: includes the tenant, if there is one
	user    presence.User    // without an id for a caller who is unknown and only reads
	// cookie is to be set if the request succeeds; nil for none.
	cookie *http.Cookie
	// exceeded is the error of a rate limit; nil for none.
	exceeded error
	// request has the credentials.
	request identity.Request
}

// sender returns the caller as the sender of an update or a leave.
func (c caller) sender() access.Sender {
	return access.Sender{Project: c.project, User: c.user, Address: c.request.Address, Exceeded: c.exceeded}
}

// authenticate returns the user who sent a request, if they may use the project with the id, and counts the
// request for the rate limits. A request that only reads needs no user. On an error the caller has what is
// known so far. If the cookie is invalid the answer clears it.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request, id string, reading bool) (caller, error) {
	if strings.Contains(id, "%") {
		id, _ = url.PathUnescape(id) // net/http has checked the path
	}
	project, err := presence.ParseProject(id)
	if err != nil {
		return caller{}, err
	}
	request, exceeded := h.requestOf(r, project, reading)
	if h.o.TenantFromHost && request.Tenant == "" {
		return caller{}, identity.ErrProjectUnknown
	}
	principal, err := h.access.Authenticate(r.Context(), request)
	noteUser(w, request.Key(), principal.User.ID)
	if err != nil {
		if principal.Cookie != nil {
			clearCookie(w, *principal.Cookie)
		}
		return caller{project: request.Key(), user: principal.User, request: request}, cmp.Or(exceeded, err)
	}
	if exceeded == nil && principal.User.ID != "" {
		exceeded = h.access.TakeUser(request.Key(), principal.User.ID)
	}
	return caller{request.Key(), principal.User, principal.Cookie, exceeded, request}, nil
}

// requestOf returns the credentials of a request, and counts it to its address. exceeded is the error of that
// rate limit; nil for none.
func (h *Handler) requestOf(r *http.Request, project presence.Project, reading bool) (_ identity.Request, exceeded error) {
	from := h.senderOf(r)
	tenant := ""
	if h.o.TenantFromHost {
		tenant = from.Host
	}
	exceeded = h.access.TakeAddress(from.key)
	header, crossOrigin := h.credentialsOf(r)
	return identity.Request{
		Project:       project,
		Tenant:        tenant,
		Header:        header,
		Token:         h.tokenOf(r.Header),
		Address:       from.key,
		Secure:        from.https,
		ReadOnly:      reading,
		LimitExceeded: exceeded != nil,
		Forwarded:     from.Forwarded,
		// A page of another origin cannot keep a visitor cookie.
		CrossOrigin: crossOrigin,
	}, exceeded
}

// clearCookie sets a cookie that clears another one. To browsers, a cookie that a page got in an iframe of
// another site (Partitioned) is a different one of the same name, so it is cleared too.
func clearCookie(w http.ResponseWriter, c http.Cookie) {
	c.Partitioned, c.SameSite = false, http.SameSiteLaxMode
	http.SetCookie(w, &c)
	if c.Secure {
		c.Partitioned, c.SameSite = true, http.SameSiteNoneMode
		http.SetCookie(w, &c)
	}
}

// bearer returns the token of an Authorization header, "" if it has another scheme. Such a header may be meant
// for a proxy.
func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if scheme != "Bearer" && !strings.EqualFold(scheme, "Bearer") { // RFC 9110, 11.1
		return ""
	}
	return strings.TrimSpace(token)
}

// first returns the first line of a header, by its canonical name.
func first(h http.Header, name string) string {
	if lines := h[name]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}
