// Package connlimit bounds open connections: of each address, of each user, and of all visitors.
package connlimit

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Default limits.
const (
	DefaultConnections     = 16_000
	DefaultUserConnections = 100
	// minAddressConnections is the smallest default for an address.
	minAddressConnections = 32
)

// Options are the limits of [New]. Zero is the default of a field, less than zero is no limit.
type Options struct {
	// Connections bounds all connections; Limits itself bounds visitors' live connections by it. Default:
	// DefaultConnections.
	Connections int
	// PerUser bounds the live connections of one user. Default: DefaultUserConnections.
	PerUser int
	// PerAddress bounds the connections of one address. Default: a quarter of Connections, at least 32.
	PerAddress int
	// Exceeded is the error of a connection over a limit.
	Exceeded error
	Log      *slog.Logger
}

// Limits counts open connections and enforces four limits on them: all connections of one address, the
// live connections of one user, those of all visitors, and those of the visitors of one address.
//
// A browser can send its token only in the hello, not in the handshake. So Limits cannot tell visitors
// from users before the hello. At a limit it evicts the oldest connection that has not sent a hello and is
// not busy, so that such connections cannot keep out a user with a token.
//
// All methods are safe for concurrent use.
type Limits struct {
	exceeded error
	log      *slog.Logger

	mu                            sync.Mutex
	perUser, perAddress, visitors int // 0 for no limit
	openVisitors                  int
	users                         map[string]int // live connections, by the key of Identify
	addresses                     map[string]*address
	unidentified                  list.List // *Conn without a hello, oldest first
}

// address has the counters of one address.
type address struct {
	key            string
	open, visitors int
	unidentified   list.List // *Conn without a hello, oldest first
}

// Conn is one counted connection. The zero value is a connection that nobody has added. Limits.mu guards
// all fields but Memo.
type Conn struct {
	Memo any // what the HTTP handler keeps from one request to the next; see MemoOf

	conn    net.Conn // nil under another server than httpserver until Attach
	address *address // nil behind a trusted proxy until the handshake
	// keepUntil is the time until which a live connection is not evicted; zero before Attach.
	keepUntil time.Time
	// inAll and inAddress are its elements in the lists of unidentified connections; nil when it is not
	// in the list.
	inAll, inAddress *list.Element
	user             string // empty before the hello
	visitor          bool
	removed          bool
}

type contextKey struct{}

// NewContext returns a context for the requests of a connection.
func NewContext(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the connection of a request. Under another server than httpserver it is a new one.
func FromContext(ctx context.Context) *Conn {
	if c, ok := ctx.Value(contextKey{}).(*Conn); ok {
		return c
	}
	return &Conn{}
}

// MemoOf returns the Memo of the connection of a request. Under another server than httpserver it is nil.
func MemoOf(ctx context.Context) *any {
	if c, ok := ctx.Value(contextKey{}).(*Conn); ok {
		return &c.Memo
	}
	return nil
}

// New returns limits without connections.
func New(o Options) *Limits {
	l := &Limits{users: map[string]int{}, addresses: map[string]*address{}, exceeded: o.Exceeded, log: o.Log}
	l.Configure(o)
	return l
}

// Configure replaces the limits by those of the options. Connections over a new limit stay open.
func (l *Limits) Configure(o Options) {
	l.mu.Lock()
	defer l.mu.Unlock()
	connections, perAddress := orDefault(o.Connections, DefaultConnections), 0
	l.visitors = 0
	if connections > 0 {
		l.visitors = visitorShare(connections)
		perAddress = DefaultAddressConnections(connections)
	}
	l.perUser = orDefault(o.PerUser, DefaultUserConnections)
	l.perAddress = orDefault(o.PerAddress, perAddress)
}

// DefaultAddressConnections returns the default of Options.PerAddress for a limit of all connections.
func DefaultAddressConnections(connections int) int {
	return max(connections/4, minAddressConnections)
}

// orDefault returns the limit that an option means, 0 for no limit.
func orDefault(option, normal int) int {
	if option == 0 {
		return normal
	}
	return max(option, 0)
}

// visitorShare returns how much of a limit visitors may use: four fifths, rounded down, but at least 1.
// The rest is reserved for users with a token or a session of the host.
func visitorShare(limit int) int {
	return max(1, limit-limit/5-min(1, limit%5))
}

// Add counts an accepted connection, but not to an address, which is unknown behind a proxy.
func (l *Limits) Add(c *Conn, conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.conn = conn
	c.inAll = l.unidentified.PushBack(c)
}

// AddTo counts a connection to its address, unless it is counted to one already. At the limit of the
// address it evicts the oldest evictable connection of that address; if there is none, it returns
// Options.Exceeded.
func (l *Limits) AddTo(c *Conn, key string) error {
	evicted, limit, err := l.addTo(c, key)
	if evicted != nil {
		closeEvicted(evicted)
	}
	if err != nil {
		l.log.Warn("an address has as many connections as --address-connections allows, and more are rejected; "+
			"if it is a proxy, name it in --trusted-proxies, so that each of its clients counts alone", "address", key, "limit", limit)
	}
	return err
}

// addTo is AddTo without closing and logging. It also returns the limit of an address.
func (l *Limits) addTo(c *Conn, key string) (evicted net.Conn, limit int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.address != nil || c.removed {
		return nil, l.perAddress, nil
	}
	a := l.addresses[key]
	if a == nil {
		a = &address{key: key}
		l.addresses[key] = a
	}
	if l.perAddress > 0 && a.open >= l.perAddress {
		oldest := oldestEvictable(&a.unidentified)
		if oldest == nil {
			return nil, l.perAddress, l.exceeded
		}
		l.remove(oldest)
		l.addresses[key] = a // remove deletes it with its last connection
		evicted = oldest.conn
	}
	c.address = a
	a.open++
	c.inAddress = a.unidentified.PushBack(c)
	return evicted, l.perAddress, nil
}

// Identify counts a live connection to its user, by a key, after the first hello. From then on it is never
// evicted. The error is Options.Exceeded: at the limit of the user, of all visitors or of the
// visitors of the address, or if the connection was evicted before.
func (l *Limits) Identify(c *Conn, user string, visitor bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.removed,
		l.perUser > 0 && l.users[user] >= l.perUser,
		visitor && l.visitors > 0 && l.openVisitors >= l.visitors,
		visitor && l.perAddress > 0 && c.address.visitors >= visitorShare(l.perAddress):
		return l.exceeded
	}
	l.dropFromLists(c)
	c.user, c.visitor = user, visitor
	l.users[user]++
	if visitor {
		l.openVisitors++
		c.address.visitors++
	}
	return nil
}

// Remove stops counting a connection. It may be called twice.
func (l *Limits) Remove(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(c)
}

func (l *Limits) remove(c *Conn) {
	if c.removed {
		return
	}
	c.removed = true
	l.dropFromLists(c)
	if c.user != "" {
		if l.users[c.user]--; l.users[c.user] == 0 {
			delete(l.users, c.user)
		}
	}
	if c.visitor {
		l.openVisitors--
		c.address.visitors--
	}
	if c.address != nil {
		if c.address.open--; c.address.open == 0 {
			delete(l.addresses, c.address.key)
		}
	}
}

func (l *Limits) dropFromLists(c *Conn) {
	if c.inAll != nil {
		l.unidentified.Remove(c.inAll)
	}
	if c.inAddress != nil {
		c.address.unidentified.Remove(c.inAddress)
	}
	c.inAll, c.inAddress = nil, nil
}

// Counts are how many connections, users and addresses are counted. Live are those after their hello.
type Counts struct{ Live, Visitors, Unidentified, Users, Addresses int }

// Counts returns what is counted now, for tests.
func (l *Limits) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	live := 0
	for _, n := range l.users {
		live += n
	}
	return Counts{live, l.openVisitors, l.unidentified.Len(), len(l.users), len(l.addresses)}
}
