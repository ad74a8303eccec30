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

	presence "writer-presence"
)

// DefaultConnections and DefaultUserConnections are the default limits of [Options.Connections]
// and [Options.UserConnections].
const (
	DefaultConnections     = 16_000
	DefaultUserConnections = 100
)

const (
	// minAddressConnections is the smallest default of [Options.AddressConnections].
	minAddressConnections = 32
	// evictionAge is the minimum time that a connection has to send a request, and after the
	// handshake its hello, before it can be evicted.
	evictionAge = time.Second
	// maxEvictionSteps bounds how many connections one search for an evictable one checks.
	maxEvictionSteps = 64
	// maxRejections bounds how many connections are answered 429 at the same time; above it they
	// are closed without an answer.
	maxRejections = 64
)

// visitorShare returns how much of a limit visitors may use: four fifths, rounded down, but at
// least 1. The rest is reserved for users with a token or a session of the host.
func visitorShare(limit int) int {
	reserved := limit / 5
	if limit%5 > 0 {
		reserved++
	}
	return max(1, limit-reserved)
}

// connLimits counts open connections and enforces four limits on them: all connections of one
// address, the live connections of one user, those of all visitors, and those of the visitors of
// one address. A limit of 0 means no limit.
//
// A browser can send its token only in the hello, not in the handshake. So connLimits cannot tell
// visitors from users before the hello. At a limit it evicts the oldest connection that has not
// sent a hello and is not busy (see canEvict), so that such connections cannot keep out a user
// with a token.
//
// All methods are safe for concurrent use.
type connLimits struct {
	perUser, perAddress, visitors int

	mu           sync.Mutex
	openVisitors int
	users        map[string]int // number of live connections, by userKey
	addresses    map[string]*addressConns
	unidentified list.List // *heldConn without a hello, oldest first
}

// addressConns holds the counters of one address.
type addressConns struct {
	key            string
	open, visitors int
	unidentified   list.List // *heldConn without a hello, oldest first
}

// heldConn is one counted connection. connLimits.mu guards all fields.
type heldConn struct {
	conn    net.Conn      // nil under another server than Serve until attach
	address *addressConns // nil behind a trusted proxy until the handshake
	// keepUntil is the time until which a live connection is not evicted; zero before attach.
	keepUntil time.Time
	// inAll and inAddress are its elements in the lists of unidentified connections; nil when it
	// is not in the list.
	inAll, inAddress *list.Element
	user             string // userKey; empty before the hello
	visitor          bool
	removed          bool
}

// heldKey is the context key of the heldConn of a request's connection.
type heldKey struct{}

func newConnLimits(o *Options) *connLimits {
	l := &connLimits{users: map[string]int{}, addresses: map[string]*addressConns{}}
	connections := orDefault(o.Connections, DefaultConnections)
	address := 0
	if connections > 0 {
		l.visitors = visitorShare(connections)
		address = max(connections/4, minAddressConnections)
	}
	l.perUser = orDefault(o.UserConnections, DefaultUserConnections)
	l.perAddress = orDefault(o.AddressConnections, address)
	return l
}

// orDefault converts an option into a limit of connLimits: 0 is the default, and a negative number
// is no limit, which connLimits writes as 0.
func orDefault(option, normal int) int {
	if option == 0 {
		return normal
	}
	return max(option, 0)
}

// add registers a connection without counting it to an address, which is unknown behind a proxy.
func (l *connLimits) add(h *heldConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.inAll = l.unidentified.PushBack(h)
}

// addTo counts a connection to its address. It does nothing if the connection is already counted
// to an address. At the limit of the address it evicts the oldest evictable connection of that
// address; if there is none, it returns errTooManyConnections.
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
		if evicted = oldestEvictable(&a.unidentified); evicted == nil {
			l.mu.Unlock()
			return errTooManyConnections
		}
		l.removeLocked(evicted)
		l.addresses[address] = a // removeLocked deletes it with its last connection
	}
	h.address = a
	a.open++
	h.inAddress = a.unidentified.PushBack(h)
	l.mu.Unlock()
	if evicted != nil {
		go evicted.conn.Close() // closing TLS may block
	}
	return nil
}

// evict closes the oldest evictable connection of all addresses, if there is one.
func (l *connLimits) evict() {
	l.mu.Lock()
	h := oldestEvictable(&l.unidentified)
	if h != nil {
		l.removeLocked(h)
	}
	l.mu.Unlock()
	if h != nil {
		go h.conn.Close() // closing TLS may block
	}
}

// oldestEvictable returns the first evictable connection of a list, or nil. It moves the
// connections that it skips to the end, so that the next search starts with others.
func oldestEvictable(conns *list.List) *heldConn {
	for range min(conns.Len(), maxEvictionSteps) {
		e := conns.Front()
		if h := e.Value.(*heldConn); h.canEvict() {
			return h
		}
		conns.MoveToBack(e)
	}
	return nil
}

// canEvict reports whether a connection without a hello can be closed for a newer one. The caller
// holds connLimits.mu. A connection can be evicted while it is idle between two requests, when it
// has had evictionAge to send a request or its hello, and when answering takes longer than
// answerTime. It is not evicted while Accept waits with it, between hijacking and attach, or before
// keepUntil.
func (h *heldConn) canEvict() bool {
	if !h.keepUntil.IsZero() {
		return !time.Now().Before(h.keepUntil)
	}
	c, ok := h.conn.(*phasedConn)
	if !ok { // the handshake is not finished under another server than Serve
		return false
	}
	age := c.of.elapsed(c.since.Load())
	switch c.phase.Load() {
	case idle:
		return true
	case answering:
		return age >= answerTime
	case waiting, hijacked:
		return false
	default:
		return age >= evictionAge
	}
}

// attach registers a live connection after its handshake, and protects it from eviction for
// evictionAge. It returns false if the connection was evicted before; the caller then closes it.
func (l *connLimits) attach(h *heldConn, conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.conn == nil {
		h.conn = conn
	}
	h.keepUntil = time.Now().Add(evictionAge)
	return !h.removed
}

// keep protects a live connection from eviction for d while its hello is being authenticated.
// The time is bounded so that a Gate that hangs does not use up the connections for good.
func (l *connLimits) keep(h *heldConn, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.keepUntil = time.Now().Add(d)
}

// identify counts a live connection to its user after the first hello; from then on it is never
// evicted. It returns errTooManyConnections at the limit of the user, of all visitors or of the
// visitors of the address, and if the connection was evicted before.
func (l *connLimits) identify(h *heldConn, user string, visitor bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case h.removed,
		l.perUser > 0 && l.users[user] >= l.perUser,
		visitor && l.visitors > 0 && l.openVisitors >= l.visitors,
		visitor && l.perAddress > 0 && h.address.visitors >= visitorShare(l.perAddress):
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

// remove stops counting a connection. It may be called twice.
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

// accept counts an accepted connection to its remote address. It skips the address of a trusted
// proxy, whose connections belong to many clients; hold counts those at their handshake.
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

// warnFull logs that an address has reached its limit of connections, at most once a minute.
func (s *Handler) warnFull(address string) {
	s.Log.Warn("an address has as many connections as --address-connections allows, and more are rejected; "+
		"if it is a proxy, name it in --trusted-proxies, so that each of its clients counts alone", "address", address, "limit", s.connLimits.perAddress)
}

// reject answers the first request of a connection above a limit with err, and closes it. It takes
// closeTime at most.
func (s *Handler) reject(conn net.Conn, err error) {
	defer conn.Close()
	f := s.failed(err)
	conn.SetDeadline(time.Now().Add(closeTime))
	if _, err := conn.Read(make([]byte, maxHeader)); err != nil {
		return // clients do not expect an answer before they have sent a request
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
		io.CopyN(io.Discard, conn, lastBytes) // closing with unread data resets the connection, which can drop the answer
	}
}

// hold counts the connection of a handshake to the client's address. It returns
// errTooManyConnections at the limit of the address.
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

// identify counts the connection to its user; see connLimits.identify.
func (c *liveConn) identify(user presence.User) error {
	return c.live.connLimits.identify(c.held, userKey(c.project, user.ID), user.Visitor)
}
