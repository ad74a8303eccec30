package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/origin"
)

// maxHost is the length of the longest host that a connection keeps: a name has 253 bytes at most (RFC 1035, 2.3.4), and
// there may be a port.
const maxHost = 260

// connection is what the address and the hosts of requests were parsed to. Under [Handler.Serve], all requests of a
// connection share one: parsing each time would be a tenth of what a heartbeat costs beyond net/http. Requests of a
// connection come one after the other, so it needs no lock.
type connection struct {
	// remote is RemoteAddr of the requests, addr its address without zone, not valid if it has none, and key what rate
	// limiters count it by.
	remote string
	addr   netip.Addr
	key    string
	isUnix bool // it came through a Unix socket

	host, hostName string // the host of the last request, and origin.Host of it
}

// connectionOf returns the connection of a request, a new one under another server.
func connectionOf(r *http.Request) *connection {
	memo := connlimit.MemoOf(r.Context())
	if memo != nil {
		if c, ok := (*memo).(*connection); ok && c.remote == r.RemoteAddr {
			return c
		}
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	c := newConnection(r.RemoteAddr, ok && local.Network() == "unix")
	if memo != nil {
		*memo = c
	}
	return c
}

func newConnection(remote string, isUnix bool) *connection {
	port, _ := netip.ParseAddrPort(remote)
	return &connection{remote: remote, addr: port.Addr().Unmap().WithZone(""), key: addressKey(remote), isUnix: isUnix}
}

// nameOf returns origin.Host of a host.
func (c *connection) nameOf(host string) string {
	if len(host) > maxHost { // a quiet connection must not keep a long header in memory
		name, _ := origin.Host(host)
		return name
	}
	if c.host != host {
		c.host = strings.Clone(host) // it may be a part of a long header
		c.hostName, _ = origin.Host(c.host)
	}
	return c.hostName
}
