package httpapi

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/origin"
)

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
	localHost      string // a host that localhost.Is accepted; empty for none
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
	port, _ := netip.ParseAddrPort(r.RemoteAddr)
	c := &connection{
		remote: r.RemoteAddr, addr: port.Addr().Unmap().WithZone(""), key: addressKey(r.RemoteAddr),
		isUnix: ok && local.Network() == "unix",
	}
	if memo != nil {
		*memo = c
	}
	return c
}

// nameOf returns origin.Host of a host.
func (c *connection) nameOf(host string) string {
	if c.host != host {
		c.host = host
		c.hostName, _ = origin.Host(host)
	}
	return c.hostName
}

// isLocal returns localhost.Is of a host.
func (c *connection) isLocal(host string) bool {
	if host == "" || c.localHost != host {
		if !localhost.Is(host) {
			return false
		}
		c.localHost = host
	}
	return true
}
