package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// whence tells where a request comes from, as far as limits tell askers apart, and whether
// its page is known to be on https. What a proxy in front says of that counts if it is
// one of ours.
func (s *Handler) whence(r *http.Request) (from string, https bool) {
	https = r.TLS != nil || strings.HasPrefix(first(r.Header, "Origin"), "https://")
	if len(s.TrustedProxies) == 0 {
		return peer(r), https
	}
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	a := port.Addr().Unmap()
	if err != nil || !s.trusts(a) {
		return peer(r), https
	}
	return network(s.forwarded(a, r.Header["X-Forwarded-For"])), https || first(r.Header, "X-Forwarded-Proto") == "https"
}

// forwarded gives the address of whoever asked the first of our proxies: from the right, the
// first that is not one of them. What stands further left, anybody can have written.
func (s *Handler) forwarded(last netip.Addr, lines []string) netip.Addr {
	hops := strings.Split(strings.Join(lines, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return last
		}
		if last = a.Unmap(); !s.trusts(last) {
			return last
		}
	}
	return last
}

func (s *Handler) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) string {
	if colon := strings.LastIndexByte(r.RemoteAddr, ':'); colon > 0 && r.RemoteAddr[colon-1] != ']' {
		return r.RemoteAddr[:colon] // IPv4
	}
	port, _ := netip.ParseAddrPort(r.RemoteAddr)
	return network(port.Addr().Unmap())
}

// network is of IPv6 the /64 that one customer gets.
func network(a netip.Addr) string {
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		a = p.Addr()
	}
	return a.String()
}
