// Package tokenheader checks the name of the header that has the token of a request.
package tokenheader

import (
	"fmt"
	"net/textproto"
	"slices"
	"strings"
)

// maxName bounds the name of a header.
const maxName = 64

// takenHeaders have another meaning, in HTTP or here. So have those that begin with Sec-, Proxy- or
// X-Forwarded-.
var takenHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
	"Date", "Expect", "Forwarded", "Host", "If-None-Match", "Keep-Alive", "Origin", "Referer", "Te", "Trailer", "Transfer-Encoding",
	"Upgrade", "User-Agent", "Via", "X-Csrftoken", "X-Real-Ip", "X-Request-Id",
}

// Parse checks the name of a header for tokens and returns it as net/http writes it. The name has at most 64
// letters, digits and hyphens, and no other meaning.
func Parse(name string) (canonical string, err error) {
	plain := func(c rune) bool {
		return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return "", fmt.Errorf("the name of a header has 1 to %d letters, digits and hyphens", maxName)
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
