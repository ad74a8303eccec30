package web

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// upgrade answers GET …/live/. Whom the request alone tells to be refused is refused here,
// as by list; who can only say it in a hello has to wait for that.
func (l *live) upgrade(w http.ResponseWriter, r *http.Request, project string) (status int) {
	if !isHandshake(r) {
		return l.fail(w, r, errUpgrade)
	}
	if !l.mayConnect(r) {
		return l.failOrigin(w, r)
	}
	who, err := l.admit(w, r, project, true)
	if errors.Is(err, identity.ErrNobody) {
		err = nil // a hello may say more
	}
	if err = cmp.Or(err, who.above); err != nil {
		return l.failFor(w, r, who, err)
	}
	l.mu.Lock()
	ending := l.ending
	l.mu.Unlock()
	if ending {
		return l.failFor(w, r, who, errDraining)
	}
	held, err := l.hold(r, who.request.Address)
	if err != nil {
		return l.failFor(w, r, who, err)
	}
	// The library knows lists in one line only, and another Upgrade than websocket not at all.
	r.Header["Connection"], r.Header["Upgrade"], r.Header["Sec-Websocket-Protocol"] = []string{"Upgrade"}, []string{"websocket"}, []string{subprotocol}
	conn, early, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		l.connLimits.remove(held)
		if conn != nil {
			conn.Close() // it has been told so
		}
		return http.StatusBadRequest
	}
	l.begin(conn, early.Reader, who, held)
	return http.StatusSwitchingProtocols
}

var upgrader = ws.HTTPUpgrader{
	Timeout:  closeTime,
	Protocol: func(name string) bool { return name == subprotocol },
}

// begin takes a connection over from HTTP.
func (l *live) begin(conn net.Conn, early *bufio.Reader, who asker, held *heldConn) {
	c := &liveConn{live: l, held: held, id: 1 + rand.Uint64N(presence.MaxSafe), project: presence.Project(strings.Clone(string(who.project))), says: newCredentials(who.request)}
	if l.debugs() {
		c.request = strings.Clone(who.request.Forwarded.RequestID)
	}
	c.conn.open(conn, &l.Counts.Bytes)
	c.heard.Store(int64(l.uptime()))
	if !l.connLimits.attach(held, conn) || !l.enter(c) {
		c.conn.cut()
		l.connLimits.remove(held)
		return
	}
	c.hello = time.AfterFunc(helloTime, func() { c.refuse(errHelloLate) })
	if n := early.Buffered(); n > 0 { // sent before it was asked for
		sent, _ := early.Peek(n)
		go c.hear(bytes.Clone(sent))
		return
	}
	go c.await() // with a stack of its own: that of the request has grown
}

// isHandshake reports whether a request asks for this protocol over WebSocket (RFC 6455, 4.2.1).
// The key and the version must be there once (11.3.1, 11.3.5), and no subprotocol twice (4.1).
func isHandshake(r *http.Request) bool {
	keys, versions := r.Header["Sec-Websocket-Key"], r.Header["Sec-Websocket-Version"]
	if len(keys) != 1 || len(versions) != 1 || versions[0] != "13" {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(keys[0])
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && has(r.Header["Connection"], "upgrade", strings.EqualFold) &&
		has(r.Header["Upgrade"], "websocket", strings.EqualFold) && err == nil && len(key) == 16 &&
		offersOnce(r.Header["Sec-Websocket-Protocol"])
}

// offersOnce reports whether subprotocol is among those that are offered, and none is offered
// twice.
func offersOnce(lines []string) bool {
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

// has tells whether a word is in a list that has commas.
func has(lines []string, word string, same func(a, b string) bool) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if same(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// credentials are what of a request tells who is asking, kept to ask again. They are kept
// small: there are as many as connections.
type credentials struct {
	token, cookie string
	address       string // as limits tell addresses apart
	authorization string // where it is another one than the token
	secure        bool
	forwarded     identity.Forwarded
}

func newCredentials(r identity.Request) credentials {
	c := credentials{
		token:     strings.Clone(r.Token),
		cookie:    strings.Join(r.Header["Cookie"], "; "),
		address:   strings.Clone(r.Address),
		secure:    r.Secure,
		forwarded: r.Forwarded,
	}
	c.forwarded.RequestID = "" // of the handshake alone
	c.forwarded.Host, c.forwarded.Language = strings.Clone(r.Forwarded.Host), strings.Clone(r.Forwarded.Language)
	if r.Token == "" {
		c.authorization = strings.Clone(first(r.Header, "Authorization"))
	}
	return c
}

// request asks again about a project, which is given as the store knows it.
func (c credentials) request(key presence.Project) identity.Request {
	tenant, project := splitKey(key)
	r := identity.Request{
		Project: project, Tenant: tenant, Header: http.Header{}, Token: c.token, Secure: c.secure, Looking: true, Recheck: true, Forwarded: c.forwarded,
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	return r
}
