package httpapi

import (
	"net/http"
	"strings"
)

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
