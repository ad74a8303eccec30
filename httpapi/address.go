package httpapi

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/requestid"
)

// sender describes where a request comes from, by its connection and the headers of trusted proxies.
type sender struct {
	// key is what rate limiters count by: an IPv4 address, or the /64 network of an IPv6 address.
	key string
	// https is whether the page is on https, as far as TLS, a trusted proxy or Origin tell.
	https bool
	identity.Forwarded
}

// senderOf returns the sender of a request.
func (h *Handler) senderOf(r *http.Request) sender {
	from := sender{https: r.TLS != nil}
	host, c := r.Host, connectionOf(r)
	if h.isProxy(c) {
		client := h.forwardedFor(c.addr, r.Header)
		if client.unreadable != "" {
			h.warnUnreadable(c.addr, client.unreadable)
		}
		from.key, from.For = client.key, client.addr
		proto := client.proto
		if forwarded := lastOf(r.Header["X-Forwarded-Proto"]); forwarded != "" {
			proto = forwarded
		}
		from.https = from.https || strings.EqualFold(proto, "https")
		host = h.hostBefore(r, client)
	} else {
		from.key, from.For = c.key, c.addr
	}
	from.Host = c.nameOf(host)
	if from.Proto = "http"; from.https {
		from.Proto = "https"
	}
	from.Language = safeValue(first(r.Header, "Accept-Language"))
	from.RequestID = requestid.Of(r.Header)
	from.https = from.https || strings.HasPrefix(first(r.Header, "Origin"), "https://")
	return from
}

// maxLanguage is the longest Accept-Language that is passed on.
const maxLanguage = 1000

// safeValue returns a header's value if it is printable ASCII of at most maxLanguage characters, otherwise "".
func safeValue(value string) string {
	if len(value) > maxLanguage || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return value
}

// hostBefore returns the Host of the page's request before a trusted proxy changed it: the last entry of
// X-Forwarded-Host, which the nearest proxy wrote, or the host of Forwarded.
func (h *Handler) hostBefore(r *http.Request, c forwardedClient) string {
	return cmp.Or(lastOf(r.Header["X-Forwarded-Host"]), c.host, r.Host)
}

// lastOf returns the last element of a list header, "" if it has none.
func lastOf(lines []string) string {
	for element := range elements(lines) {
		return unquote(element)
	}
	return ""
}

// isProxy reports whether the remote address of a connection is a trusted proxy. Whoever connects through a Unix socket
// is one, without an address: only those whom the socket's permissions admit can, and without X-Forwarded-For all
// clients behind a proxy would share the limits of one.
func (h *Handler) isProxy(c *connection) bool {
	return c.isUnix && !c.addr.IsValid() || h.trusts(c.addr)
}

func (h *Handler) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(h.current.Load().proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// warnUnreadable logs that an entry of a trusted proxy is not a client address.
func (h *Handler) warnUnreadable(peer netip.Addr, entry string) {
	quoted := strconv.QuoteToASCII(entry[:min(len(entry), 60)])
	h.o.Log.Warn("a trusted proxy sends an unreadable client address, so all such requests share one rate limit; "+
		"have it write the client's address into X-Forwarded-For", "proxy", peer, "entry", quoted[1:len(quoted)-1])
}

// addressKey returns the key of a remote address with a port; see sender.
func addressKey(remote string) string {
	if colon := strings.LastIndexByte(remote, ':'); colon > 0 && remote[colon-1] != ']' {
		return remote[:colon] // IPv4
	}
	port, _ := netip.ParseAddrPort(remote)
	return network(port.Addr().Unmap())
}

// network returns an IPv4 address, or the /64 network of an IPv6 address: the least that a customer is assigned.
func network(a netip.Addr) string {
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		a = p.Addr()
	}
	return a.String()
}
