package web

import (
	"bytes"
	"container/list"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// DefaultConnections and DefaultUserConnections are the default limits of [Options.Connections]
// and [Options.UserConnections].
const (
	DefaultConnections     = 16_000
	DefaultUserConnections = 100
)

const (
	// minAddressConnections is the least that [Options.AddressConnections] is by default.
	minAddressConnections = 32
	// evictionAge is how long a connection has at least for its first request, and for its hello.
	evictionAge = time.Second
	// maxEvictionSteps bounds how many connections are looked at to find one that can be closed.
	maxEvictionSteps = 64
	// maxRejections bounds how many connections are answered 429 at one time; others are closed
	// without an answer.
	maxRejections = 64
)

// withoutReserve is the share of a limit that people without a token may use.
func withoutReserve(limit int) int { return limit - limit/5 }

// connLimits counts the open connections and bounds them: those of one address, the live
// connections of one user, and those of all visitors together, and of all visitors of one
// address. The latter two leave a fifth free. A connection is nobody's until its hello, because
// a browser's token comes in the hello: until then it can be closed to make room for a newer
// one (see canClose). So neither visitors nor connections that say nothing keep a token holder out.
//
// All methods are safe for concurrent use. A limit of zero is none.
type connLimits struct {
	perUser, perAddress, visitors int

	mu           sync.Mutex
	openVisitors int
	users        map[string]int // live connections, by userKey
	addresses    map[string]*addressConns
	unidentified list.List // of *heldConn, the oldest first
}

// addressConns are the connections of one address.
type addressConns struct {
	key            string
	open, visitors int
	unidentified   list.List // of *heldConn, the oldest first
}

// heldConn is a connection as connLimits counts it.
type heldConn struct {
	// What follows is guarded by connLimits.mu.
	conn    net.Conn      // nil until it is known
	address *addressConns // nil until it is known
	// inAll and inAddress are its places in the lists of unidentified connections.
	inAll, inAddress *list.Element
	user             string // userKey; empty before the hello
	visitor          bool
	removed          bool
}

// heldKey is the key of a connection's heldConn in the contexts of its requests.
type heldKey struct{}

func newConnLimits(o *Options) *connLimits {
	l := &connLimits{users: map[string]int{}, addresses: map[string]*addressConns{}}
	connections := orDefault(o.Connections, DefaultConnections)
	address := 0
	if connections > 0 {
		l.visitors = withoutReserve(connections)
		address = max(connections/4, minAddressConnections)
	}
	l.perUser = orDefault(o.UserConnections, DefaultUserConnections)
	l.perAddress = orDefault(o.AddressConnections, address)
	return l
}

// orDefault gives the limit that an option means: zero is the default, and less is none, which
// is zero in connLimits.
func orDefault(option, normal int) int {
	if option == 0 {
		return normal
	}
	return max(option, 0)
}

// add counts a connection whose address is not known yet, as behind a proxy.
func (l *connLimits) add(h *heldConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.inAll = l.unidentified.PushBack(h)
}

// addTo counts a connection to its address, unless that is done already. If the address has as
// many connections as it may, it closes the oldest of them that can be closed; if there is
// none, it returns errTooManyConnections.
func (l *connLimits) addTo(h *heldConn, address string) error {
	l.mu.Lock()
	if h.address != nil || h.removed {
		l.mu.Unlock()
		return nil
	}
	a := l.addresses[address]
	if a == nil {
		a = &addressConns{key: address}
		l.addresses[address] = a
	}
	var evicted *heldConn
	if l.perAddress > 0 && a.open >= l.perAddress {
		if evicted = oldest(&a.unidentified); evicted == nil {
			l.mu.Unlock()
			return errTooManyConnections
		}
		l.removeLocked(evicted)
		l.addresses[address] = a // also if that was the last one
	}
	h.address = a
	a.open++
	h.inAddress = a.unidentified.PushBack(h)
	l.mu.Unlock()
	if evicted != nil {
		evicted.conn.Close()
	}
	return nil
}

// evict closes the oldest connection that can be closed, if there is one.
func (l *connLimits) evict() {
	l.mu.Lock()
	h := oldest(&l.unidentified)
	if h != nil {
		l.removeLocked(h)
	}
	l.mu.Unlock()
	if h != nil {
		h.conn.Close()
	}
}

// oldest gives the first connection that can be closed, nil for none. Those that cannot go to
// the end of the list.
func oldest(conns *list.List) *heldConn {
	for range min(conns.Len(), maxEvictionSteps) {
		e := conns.Front()
		if h := e.Value.(*heldConn); h.conn != nil && canClose(h.conn) {
			return h
		}
		conns.MoveToBack(e)
	}
	return nil
}

// canClose reports whether a connection that has said no hello can be closed to make room: it
// waits for another request, or has had its time for a request with its body, for the hello or
// for an answer.
func canClose(conn net.Conn) bool {
	c, ok := conn.(*phasedConn)
	if !ok { // of another server than Serve
		return true
	}
	age := time.Duration(c.of.now.Load()-c.since.Load()) * phaseEvery
	switch c.phase.Load() {
	case idle:
		return true
	case answering:
		return age >= answerTime
	default:
		return age >= evictionAge
	}
}

// attach says which connection it is that was counted, if that was not known. It returns false
// if it is to be closed.
func (l *connLimits) attach(h *heldConn, conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.conn == nil {
		h.conn = conn
	}
	return !h.removed
}

// identify counts a live connection, at its hello, to its user. It returns
// errTooManyConnections if the user or visitor has too many, or if visitors have.
func (l *connLimits) identify(h *heldConn, user string, visitor bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case h.removed,
		l.perUser > 0 && l.users[user] >= l.perUser,
		visitor && l.visitors > 0 && l.openVisitors >= l.visitors,
		visitor && l.perAddress > 0 && h.address.visitors >= withoutReserve(l.perAddress):
		return errTooManyConnections
	}
	l.dropFromLists(h)
	h.user, h.visitor = user, visitor
	l.users[user]++
	if visitor {
		l.openVisitors++
		h.address.visitors++
	}
	return nil
}

// remove counts a connection no longer. It may be called twice.
func (l *connLimits) remove(h *heldConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(h)
}

func (l *connLimits) removeLocked(h *heldConn) {
	if h.removed {
		return
	}
	h.removed = true
	l.dropFromLists(h)
	if h.user != "" {
		if l.users[h.user]--; l.users[h.user] == 0 {
			delete(l.users, h.user)
		}
	}
	if h.visitor {
		l.openVisitors--
		h.address.visitors--
	}
	if h.address != nil {
		if h.address.open--; h.address.open == 0 {
			delete(l.addresses, h.address.key)
		}
	}
}

func (l *connLimits) dropFromLists(h *heldConn) {
	if h.inAll != nil {
		l.unidentified.Remove(h.inAll)
	}
	if h.inAddress != nil {
		h.address.unidentified.Remove(h.inAddress)
	}
	h.inAll, h.inAddress = nil, nil
}

// accept counts a connection that a listener has taken: to its address, unless a trusted proxy
// is there, whose connections are of many addresses.
func (s *Handler) accept(h *heldConn) error {
	s.connLimits.add(h)
	remote := h.conn.RemoteAddr().String()
	if port, err := netip.ParseAddrPort(remote); err == nil && s.trusts(port.Addr().Unmap().WithZone("")) {
		return nil
	}
	address := addressKey(remote)
	if err := s.connLimits.addTo(h, address); err != nil {
		s.connLimits.remove(h)
		s.warnFull(address)
		return err
	}
	return nil
}

// warnFull logs, once a minute, that an address has as many connections as it may.
func (s *Handler) warnFull(address string) {
	s.Log.Warn("an address has as many connections as --address-connections allows, and more are rejected; "+
		"if it is a proxy, name it in --trusted-proxies, so that each of its clients counts alone", "address", address, "limit", s.connLimits.perAddress)
}

// reject answers the first request of a connection, that it is one too many, and closes it.
func (s *Handler) reject(conn net.Conn, err error) {
	defer conn.Close()
	f := s.failed(err)
	conn.SetDeadline(time.Now().Add(closeTime))
	if _, err := conn.Read(make([]byte, maxHeader)); err != nil {
		return // an answer before the request would confuse clients
	}
	body := f.body()
	answer := http.Response{
		StatusCode: f.status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{
			"Content-Type": jsonType, "X-Content-Type-Options": noSniff, "Cache-Control": noStore,
			"Retry-After": {strconv.Itoa(int(retryAfter(err, f) / time.Second))},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	if answer.Write(conn) != nil {
		return
	}
	if w, ok := conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, lastBytes) // or what is unread would destroy the answer
	}
}

// hold counts the connection of a handshake to the address that it comes from.
func (l *live) hold(r *http.Request, address string) (*heldConn, error) {
	h, ok := r.Context().Value(heldKey{}).(*heldConn)
	if !ok { // another server than Serve
		h = &heldConn{}
	}
	err := l.connLimits.addTo(h, address)
	if err != nil {
		l.warnFull(address)
	}
	return h, err
}

// identify counts the connection to its user.
func (c *liveConn) identify(user presence.User) error {
	return c.live.connLimits.identify(c.held, userKey(c.project, user.ID), user.Visitor)
}
