package httpapi

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// maxHeaderName bounds the name of the header with the token.
const maxHeaderName = 64

// takenHeaders cannot have the token because HTTP or this server uses them. Nor can headers that begin with
// Sec-, Proxy- or X-Forwarded-.
var takenHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
	"Date", "Expect", "Forwarded", "Host", "If-None-Match", "Keep-Alive", "Origin", "Referer", "Te", "Trailer", "Transfer-Encoding",
	"Upgrade", "User-Agent", "Via", "X-Csrftoken", "X-Real-Ip", "X-Request-Id",
}

// ParseTokenHeader checks the name of a header for tokens and returns it as net/http writes it.
// The name has at most 64 letters, digits and hyphens, and no other meaning.
func ParseTokenHeader(name string) (canonical string, err error) {
	plain := func(c rune) bool {
		return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if name == "" || len(name) > maxHeaderName || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return "", fmt.Errorf("the name of a header has 1 to %d letters, digits and hyphens", maxHeaderName)
	}
	canonical = textproto.CanonicalMIMEHeaderKey(name)
	prefixed := func(prefix string) bool { return strings.HasPrefix(canonical, prefix) }
	switch {
	case canonical == "Authorization":
		return "", fmt.Errorf("tokens are read from Authorization anyway")
	case slices.Contains(takenHeaders, canonical) || slices.ContainsFunc([]string{"Sec-", "Proxy-", "X-Forwarded-"}, prefixed):
		return "", fmt.Errorf("the header %s has another meaning", canonical)
	}
	return canonical, nil
}

// tokenOf returns the token of a request, "" if it has none. The header of Options.TokenHeader, with
// or without the word Bearer, is read before Authorization.
func (h *Handler) tokenOf(header http.Header) string {
	if h.o.TokenHeader != "" {
		value := strings.TrimSpace(first(header, h.o.TokenHeader))
		if token := bearer(value); token != "" {
			return token
		}
		if value != "" && !strings.EqualFold(value, "Bearer") {
			return value
		}
	}
	return bearer(first(header, "Authorization"))
}
