// Package localhost recognises the host names of this machine.
package localhost

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Is reports whether a Host header, with or without a port, names this machine: localhost, a name
// below it, or a loopback address. Another name that resolves to loopback does not count, because that would
// allow DNS rebinding.
func Is(host string) bool {
	if strings.Contains(host, ":") { // otherwise SplitHostPort allocates an error
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// IsOrigin reports whether an Origin header is absent or that of a page of this machine.
func IsOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && Is(u.Host)
}
