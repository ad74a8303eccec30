package httpapi

import (
	"net/http"
	"strings"

	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// CORS headers are sent only if Options.Origins is set.
const (
	corsExposed = "ETag, Retry-After, X-Request-ID"
	corsHeaders = "Authorization, Content-Type, If-None-Match, X-CSRFToken, X-Request-ID"
	// corsAge is how long browsers may cache a preflight, in seconds: the maximum of Chromium. A cached
	// preflight opens nothing, because every request is checked too.
	corsAge = "7200"
)

// allowOrigin adds the CORS headers with which a page of a listed origin can read the answer. Vary is always
// set, because the headers depend on the origin. Credentials are allowed only for origins that are listed
// exactly: a wildcard may cover pages of other people.
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

// isPreflight reports whether a request is a CORS preflight.
func (h *Handler) isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(h.current.Load().origins) > 0 && len(r.Header["Origin"]) > 0 && first(r.Header, "Access-Control-Request-Method") != ""
}

// preflight answers a CORS preflight for a path with this method.
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

// credentialsOf returns the headers with which the caller is authenticated. From a page of another origin only
// a token is accepted: cookies and basic authentication, which browsers add by themselves, are removed.
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

// trustsCookies reports whether the cookies of a request are accepted: its page has this server's origin, or is
// of the same site and its origin is listed exactly.
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

// pageCookie identifies handshakes from the same site behind a proxy that changes Host without reporting it.
// Sec-Fetch-Site would show that, but Chromium omits it in handshakes. The cookie is set for pages of the same
// origin over https, and browsers do not send it from another site (SameSite=Strict).
const pageCookie = "__Host-writer_presence_page"

func hasPageCookie(r *http.Request) bool {
	_, err := r.Cookie(pageCookie)
	return err == nil
}

// givePageCookie sets pageCookie if the handshake of this page will need it.
func (h *Handler) givePageCookie(w http.ResponseWriter, r *http.Request) {
	if len(h.current.Load().origins) == 0 || first(r.Header, "Sec-Fetch-Site") != "same-origin" || !strings.HasPrefix(first(r.Header, "Origin"), "https://") {
		return
	}
	if o, named, _ := h.listed(r); named && !h.isAt(o, r) && !hasPageCookie(r) {
		http.SetCookie(w, &http.Cookie{Name: pageCookie, Value: "1", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
}

// mayChange reports whether a request may use its method: the method is safe, or the page has an allowed origin.
// If origins are listed, only those are allowed, which prevents DNS rebinding.
func (h *Handler) mayChange(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return true
	}
	if len(h.current.Load().origins) > 0 && len(r.Header["Origin"]) > 0 {
		_, _, ok := h.listed(r)
		return ok
	}
	return h.isSameOrigin(r)
}

// mayConnect reports whether a page may open a live connection. Browsers do not restrict handshakes by origin,
// so the server does; a handshake without Origin is rejected.
func (h *Handler) mayConnect(r *http.Request) bool {
	if len(h.current.Load().origins) > 0 {
		_, _, ok := h.listed(r)
		return ok
	}
	o, ok := originOf(r)
	return ok && h.isAt(o, r)
}

// isSameOrigin reports whether a request comes from a page of this server's origin, or not from a browser.
// Sec-Fetch-Site decides if present: browsers send it over https and to loopback, except Chromium in
// handshakes. Otherwise Origin is compared with Host.
func (h *Handler) isSameOrigin(r *http.Request) bool {
	switch first(r.Header, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		if len(r.Header["Origin"]) == 0 {
			return true
		}
		o, ok := originOf(r)
		return ok && h.isAt(o, r)
	}
	return false
}

// isAt reports whether a request was sent to the origin: by its Host, or by the host that a trusted proxy
// reports.
func (h *Handler) isAt(o origin.Origin, r *http.Request) bool {
	if o.IsAt(r.Host) {
		return true
	}
	c := connectionOf(r)
	return h.isProxy(c) && o.IsAt(h.hostBefore(r, h.forwardedFor(c.addr, r.Header)))
}

// listed returns the origin of a request's page, whether Options.Origins has it, and whether it is listed
// exactly, not by a wildcard.
func (h *Handler) listed(r *http.Request) (o origin.Origin, named, ok bool) {
	if o, ok = originOf(r); !ok {
		return o, false, false
	}
	ok = false
	for _, pattern := range h.current.Load().origins {
		if pattern.Matches(o) {
			named, ok = named || pattern.IsExact(), true
		}
	}
	return o, named, ok
}

// originOf parses the header Origin, which must be there once.
func originOf(r *http.Request) (origin.Origin, bool) {
	lines := r.Header["Origin"]
	if len(lines) != 1 {
		return origin.Origin{}, false
	}
	o, err := origin.Parse(lines[0])
	return o, err == nil
}
