package httpapi

import (
	"net/http"
	"strings"

	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// CORS is for the origins of --allowed-origins only: without that list no answer has its headers.
const (
	corsExposed = "ETag, Retry-After"
	corsHeaders = "Authorization, Content-Type, If-None-Match, X-CSRFToken, X-Request-ID"
	// corsAge is how long browsers may keep the answer to a preflight, in seconds; Chromium keeps
	// it no longer. Every request itself is checked all the same.
	corsAge = "7200"
)

// allowOrigin lets the page of a listed origin read the answer. An answer may depend on the
// origin even where it has none of the headers, so Vary is always there. Credentials are for
// origins that are named: below a wildcard may be pages of other people.
func (h *Handler) allowOrigin(header http.Header, r *http.Request) {
	header.Add("Vary", "Origin")
	o, named, ok := h.listed(r)
	if !ok {
		return
	}
	header.Set("Access-Control-Allow-Origin", o.String())
	header.Set("Access-Control-Expose-Headers", corsExposed)
	if named {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
}

// isPreflight reports whether a browser asks if a page of another origin may send a request.
func (h *Handler) isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(h.origins) > 0 && len(r.Header["Origin"]) > 0 && first(r.Header, "Access-Control-Request-Method") != ""
}

// preflight answers for an address that has this method.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request, method string) (status int) {
	if _, _, ok := h.listed(r); !ok {
		return h.fail(w, r, wire.ErrCrossOrigin)
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", method)
	headers := corsHeaders
	if h.o.TokenHeader != "" {
		headers += ", " + h.o.TokenHeader
	}
	header.Set("Access-Control-Allow-Headers", headers)
	header.Set("Access-Control-Max-Age", corsAge)
	w.WriteHeader(http.StatusNoContent)
	return http.StatusNoContent
}

// credentialsOf gives the headers by which a gate may tell who is asking. A page of another origin
// says it by a token: what a browser adds by itself, cookies and the password of basic
// authentication, does not count there.
func (h *Handler) credentialsOf(r *http.Request) (header http.Header, crossOrigin bool) {
	if h.trustsCookies(r) {
		return r.Header, false
	}
	header = r.Header.Clone()
	header.Del("Cookie")
	if bearer(first(header, "Authorization")) == "" {
		header.Del("Authorization")
	}
	return header, true
}

// trustsCookies reports whether the cookies of a request count: its page is of this server's own
// origin, or of the same site and of an origin that is named in Origins.
func (h *Handler) trustsCookies(r *http.Request) bool {
	if h.isSameOrigin(r) {
		return true
	}
	_, named, _ := h.listed(r)
	switch first(r.Header, "Sec-Fetch-Site") {
	case "same-site":
		return named
	case "":
		return named && hasPageCookie(r)
	}
	return false
}

// pageCookie tells handshakes of Chromium from the same site from others, where a proxy changes
// Host and says nothing of it: they have no Sec-Fetch-Site. It is given to pages of the same
// origin over https, and browsers do not send it from another site (SameSite=Strict).
const pageCookie = "__Host-writer_presence_page"

func hasPageCookie(r *http.Request) bool {
	_, err := r.Cookie(pageCookie)
	return err == nil
}

// givePageCookie sets the cookie where a handshake will need it.
func (h *Handler) givePageCookie(w http.ResponseWriter, r *http.Request) {
	if len(h.origins) == 0 || first(r.Header, "Sec-Fetch-Site") != "same-origin" || !strings.HasPrefix(first(r.Header, "Origin"), "https://") {
		return
	}
	if o, named, _ := h.listed(r); named && !h.isAt(o, r) && !hasPageCookie(r) {
		http.SetCookie(w, &http.Cookie{Name: pageCookie, Value: "1", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
}

// mayChange reports whether a request may do what its method says: it is safe, or its page is of
// an allowed origin. Where origins are listed, only those count, so that a name that somebody
// else points at this server gains nothing (DNS rebinding).
func (h *Handler) mayChange(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return true
	}
	if len(h.origins) > 0 && len(r.Header["Origin"]) > 0 {
		_, _, ok := h.listed(r)
		return ok
	}
	return h.isSameOrigin(r)
}

// mayConnect reports whether the page of a handshake may open a live connection. Browsers leave
// that check to the server, so a handshake without an Origin is refused.
func (h *Handler) mayConnect(r *http.Request) bool {
	if len(h.origins) > 0 {
		_, _, ok := h.listed(r)
		return ok
	}
	o, ok := originOf(r)
	return ok && h.isAt(o, r)
}

// isSameOrigin reports whether a request comes from a page of this server's own origin, or from
// no browser. Sec-Fetch-Site decides where it is there: browsers send it over https and to this
// machine, but not in the handshakes of Chromium. Elsewhere Origin is compared with Host.
func (h *Handler) isSameOrigin(r *http.Request) bool {
	switch first(r.Header, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		o, ok := originOf(r)
		return len(r.Header["Origin"]) == 0 || ok && h.isAt(o, r)
	}
	return false
}

// isAt reports whether a request was sent to the origin, by its Host, or by what a trusted proxy
// says that Host was.
func (h *Handler) isAt(o origin.Origin, r *http.Request) bool {
	if o.IsAt(r.Host) {
		return true
	}
	peer, ok := h.proxy(r)
	return ok && o.IsAt(h.hostBefore(r, h.forwardedFor(peer, r.Header)))
}

// listed gives the origin of a request's page if it is one of Origins, and whether that origin is
// named there itself, and not by a wildcard.
func (h *Handler) listed(r *http.Request) (o origin.Origin, named, ok bool) {
	if o, ok = originOf(r); !ok {
		return o, false, false
	}
	ok = false
	for _, pattern := range h.origins {
		if pattern.Matches(o) {
			named, ok = named || pattern.IsExact(), true
		}
	}
	return o, named, ok
}

// originOf reads the one Origin of a request.
func originOf(r *http.Request) (origin.Origin, bool) {
	lines := r.Header["Origin"]
	if len(lines) != 1 {
		return origin.Origin{}, false
	}
	o, err := origin.Parse(lines[0])
	return o, err == nil
}
