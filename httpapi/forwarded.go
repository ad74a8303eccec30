package httpapi

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// unknownClient is the key by which rate limiters count all requests for which a trusted proxy sent no readable
// client address, or a proxy on a Unix socket none.
const unknownClient = "unknown"

// maxObfuscated is the longest identifier that a proxy may send instead of an address.
const maxObfuscated = 64

// forwardedClient is the client of a request as trusted proxies report it.
type forwardedClient struct {
	addr netip.Addr // not valid if unknown
	key  string     // see sender
	// host and proto are those of the page's request, if the header Forwarded has them.
	host, proto string
	// unreadable is the entry of a trusted proxy that could not be read; empty for none.
	unreadable string
}

// forwardedFor returns the client by the headers that proxies add. It reads the entries from the right and stops
// at the first address that is not a trusted proxy: a trusted proxy wrote that entry, but the client may have
// written those further left.
//
// Requests whose entry is not an address share one limit. The proxy's own address would put all its clients
// under that limit, and reading further left would let clients choose their address. An obfuscated identifier
// (RFC 7239, 6.3) stands for one client and has its own limit.
//
// If both headers are present X-Forwarded-For decides, because most proxies write that one and pass Forwarded
// on as the client sent it.
func (h *Handler) forwardedFor(peer netip.Addr, header http.Header) forwardedClient {
	last := forwardedClient{addr: peer}
	lines, isForwarded := header["X-Forwarded-For"], false
	if isBlank(lines) {
		lines, isForwarded = header["Forwarded"], true
	}
	if isBlank(lines) {
		if last.key = unknownClient; peer.IsValid() {
			last.key = network(peer)
		}
		return last
	}
	for element := range elements(lines) {
		node := unquote(element)
		hop := forwardedClient{}
		if isForwarded {
			node, hop.host, hop.proto = parseForwarded(element)
		}
		addr, ok := parseNode(node)
		switch {
		case ok:
			hop.addr = addr
		case isObfuscated(node):
			hop.key = node
		default:
			hop.key, hop.unreadable = unknownClient, element
			if node == unknownClient {
				hop.unreadable = ""
			}
		}
		last = hop
		if !ok || !h.trusts(addr) {
			break
		}
	}
	if last.addr.IsValid() {
		last.key = network(last.addr)
	}
	return last
}

func isBlank(lines []string) bool {
	return !slices.ContainsFunc(lines, func(line string) bool { return strings.TrimSpace(line) != "" })
}

// elements yields the elements of a list header from the right, ignoring commas within quotes. From the left, a
// quote that a client left open would hide the entries that proxies added after it.
func elements(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			end, quoted := len(line), false
			for i := len(line) - 1; i >= 0; i-- {
				switch {
				case line[i] == '"' && !isEscaped(line, i):
					quoted = !quoted
				case line[i] == ',' && !quoted:
					if !yield(strings.TrimSpace(line[i+1 : end])) {
						return
					}
					end = i
				}
			}
			if !yield(strings.TrimSpace(line[:end])) {
				return
			}
		}
	}
}

// isEscaped reports whether the character follows an odd number of backslashes.
func isEscaped(s string, i int) bool {
	before := strings.TrimRight(s[:i], `\`)
	return (i-len(before))%2 == 1
}

// unquote removes the quotes of a quoted string (RFC 9110, 5.6.4).
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseForwarded parses one element of the header Forwarded (RFC 7239, 4). Without a for parameter, node is
// empty.
func parseForwarded(element string) (node, host, proto string) {
	for element != "" {
		pair := element
		if end := indexUnquoted(element, ';'); end >= 0 {
			pair, element = element[:end], element[end+1:]
		} else {
			element = ""
		}
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = unquote(strings.TrimSpace(value))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "for":
			node = value
		case "host":
			host = value
		case "proto":
			proto = value
		}
	}
	return node, host, proto
}

func indexUnquoted(s string, c byte) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"' && !isEscaped(s, i):
			quoted = !quoted
		case s[i] == c && !quoted:
			return i
		}
	}
	return -1
}

// parseNode parses an address with or without brackets, port and zone. It drops the zone, which names an
// interface of the proxy.
func parseNode(s string) (netip.Addr, bool) {
	host, port := s, ""
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok || port != "" && port[0] != ':' {
			return netip.Addr{}, false
		}
		port = strings.TrimPrefix(port, ":")
	} else if strings.Count(s, ":") == 1 {
		host, port, _ = strings.Cut(s, ":")
	}
	a, err := netip.ParseAddr(host)
	isPort := port == "" || len(port) <= 5 && strings.Trim(port, "0123456789") == "" || isObfuscated(port)
	return a.Unmap().WithZone(""), err == nil && isPort
}

// isObfuscated reports whether a node is an identifier instead of an address.
func isObfuscated(s string) bool {
	return len(s) > 1 && len(s) <= maxObfuscated && s[0] == '_' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}
