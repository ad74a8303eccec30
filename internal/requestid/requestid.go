// Package requestid has the id by which the log lines about a request, its answer, and the logs of the proxy in front and
// of the host application can be brought together: X-Request-ID.
package requestid

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// Header is the canonical name of the header.
const Header = "X-Request-Id"

// maxLength is the length of the longest id that is accepted, in characters.
const maxLength = 128

// Of returns the id in the header of a request, or "" if it has none that can be used: 1 to 128 letters, digits and
// -._~:;/+=@, which need no escaping in logs and are in the ids of the usual proxies.
func Of(header http.Header) string {
	lines := header[Header]
	if len(lines) == 0 || len(lines[0]) > maxLength || strings.ContainsFunc(lines[0], unusual) {
		return ""
	}
	return lines[0]
}

// Return gives the answer the id that the request came with, if it has one.
func Return(w http.ResponseWriter, r *http.Request) {
	if id := Of(r.Header); id != "" {
		w.Header()[Header] = []string{id}
	}
}

// For returns the id of a request: the one that its answer has, or otherwise a new one, which it gives to the answer. It
// must be called after Return, and before the status is sent.
func For(w http.ResponseWriter) string {
	if id := Of(w.Header()); id != "" {
		return id
	}
	id := rand.Text()
	w.Header()[Header] = []string{id}
	return id
}

func unusual(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-._~:;/+=@", r)
}
