package live

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// subprotocol is the version of the protocol.
const subprotocol = "writer-presence.v1"

var upgrader = ws.HTTPUpgrader{
	Timeout:  closeTimeout,
	Protocol: func(name string) bool { return name == subprotocol },
}

// Upgrade turns a request for which IsHandshake is true into a live connection. caller has its credentials
// and its project, which must have been checked. With status 0 nothing was sent, and the caller answers with
// err; any other status was sent.
func (h *Hub) Upgrade(w http.ResponseWriter, r *http.Request, caller identity.Request) (status int, err error) {
	if h.Draining() {
		return 0, wire.ErrDraining
	}
	counted := connlimit.FromContext(r.Context())
	if err := h.limits.AddTo(counted, caller.Address); err != nil {
		return 0, err
	}
	// The library accepts lists in one line only, and no Upgrade but websocket.
	r.Header["Connection"], r.Header["Upgrade"], r.Header["Sec-Websocket-Protocol"] = []string{"Upgrade"}, []string{"websocket"}, []string{subprotocol}
	conn, buffered, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		h.limits.Remove(counted)
		if conn != nil {
			conn.Close()
		}
		return http.StatusBadRequest, err
	}
	h.begin(conn, buffered.Reader, caller, counted)
	return http.StatusSwitchingProtocols, nil
}

// begin starts a connection after its handshake.
func (h *Hub) begin(netConn net.Conn, buffered *bufio.Reader, caller identity.Request, counted *connlimit.Conn) {
	c := &conn{
		hub: h, counted: counted, id: 1 + rand.Uint64N(presence.MaxSafe),
		project: presence.Project(strings.Clone(string(caller.Key()))), credentials: newCredentials(caller), request: strings.Clone(caller.Forwarded.RequestID),
	}
	c.out.open(netConn, h.access.Metrics.Bytes, func() { h.poller.interrupt(c) })
	c.lastMessage.Store(int64(h.uptime()))
	if !h.limits.Attach(counted, netConn) || !h.add(c) {
		c.out.cut()
		h.limits.Remove(counted)
		return
	}
	c.helloTimer = time.AfterFunc(helloTimeout, func() { c.reject(wire.ErrHelloLate) })
	if n := buffered.Buffered(); n > 0 { // the client sent messages before the answer
		first, _ := buffered.Peek(n)
		go c.read(bytes.Clone(first))
		return
	}
	go c.await() // in a new goroutine: the stack of this one has grown
}

// IsHandshake reports whether a request asks for this protocol over WebSocket (RFC 6455, 4.2.1). The key
// and the version must be there once (11.3.1, 11.3.5), and no subprotocol twice (4.1).
func IsHandshake(r *http.Request) bool {
	keys, versions := r.Header["Sec-Websocket-Key"], r.Header["Sec-Websocket-Version"]
	if len(keys) != 1 || len(versions) != 1 || versions[0] != "13" {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(keys[0])
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && hasToken(r.Header["Connection"], "upgrade") &&
		hasToken(r.Header["Upgrade"], "websocket") && err == nil && len(key) == 16 &&
		offersSubprotocol(r.Header["Sec-Websocket-Protocol"])
}

// offersSubprotocol reports whether the subprotocol is offered, and none is offered twice.
func offersSubprotocol(lines []string) bool {
	offered := map[string]bool{}
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if name != "" && offered[name] {
				return false
			}
			offered[name] = true
		}
	}
	return offered[subprotocol]
}

// hasToken reports whether a header with comma-separated tokens has one of them, in any case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
