package web

import "net/http"

// mayChange reports whether a request may do what its method says: it is safe, or its page is of
// an allowed origin. Where origins are listed, only those count, so that a name that somebody
// else points at this server gains nothing (DNS rebinding).
func (s *Handler) mayChange(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return true
	}
	if len(s.origins) > 0 && len(r.Header["Origin"]) > 0 {
		_, _, ok := s.listed(r)
		return ok
	}
	return s.isSameOrigin(r)
}

// mayConnect reports whether the page of a handshake may open a live connection. Browsers leave
// that check to the server, so a handshake without an Origin is refused.
func (s *Handler) mayConnect(r *http.Request) bool {
	if len(s.origins) > 0 {
		_, _, ok := s.listed(r)
		return ok
	}
	o, ok := originOf(r)
	return ok && s.isAt(o, r)
}

// isSameOrigin reports whether a request comes from a page of this server's own origin, or from
// no browser. Sec-Fetch-Site decides where it is there: browsers send it over https and to this
// machine, but not in the handshakes of Chromium. Elsewhere Origin is compared with Host.
func (s *Handler) isSameOrigin(r *http.Request) bool {
	switch first(r.Header, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		o, ok := originOf(r)
		return len(r.Header["Origin"]) == 0 || ok && s.isAt(o, r)
	}
	return false
}

// isAt reports whether a request was sent to the origin, by its Host, or by what a trusted proxy
// says that Host was.
func (s *Handler) isAt(o Origin, r *http.Request) bool {
	if o.isAt(r.Host) {
		return true
	}
	peer, ok := s.proxy(r)
	return ok && o.isAt(s.hostBefore(r, s.forwardedFor(peer, r.Header)))
}

// listed gives the origin of a request's page if it is one of Origins, and whether that origin is
// named there itself, and not by a wildcard.
func (s *Handler) listed(r *http.Request) (o Origin, named, ok bool) {
	if o, ok = originOf(r); !ok {
		return o, false, false
	}
	ok = false
	for _, pattern := range s.origins {
		if pattern.Matches(o) {
			named, ok = named || pattern.named(), true
		}
	}
	return o, named, ok
}

// originOf reads the one Origin of a request.
func originOf(r *http.Request) (Origin, bool) {
	lines := r.Header["Origin"]
	if len(lines) != 1 {
		return Origin{}, false
	}
	o, err := ParseOrigin(lines[0])
	return o, err == nil
}
