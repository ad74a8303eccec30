package connlimit

import (
	"container/list"
	"net"
	"time"
)

const (
	// MinAge is the time that a connection has to send a request, and after the handshake its hello,
	// before it can be evicted.
	MinAge = time.Second
	// maxSearch bounds how many connections one search for an evictable one checks.
	maxSearch = 64
)

// Evict closes the oldest evictable connection of all addresses, if there is one.
func (l *Limits) Evict() {
	l.mu.Lock()
	c := oldestEvictable(&l.unidentified)
	if c != nil {
		l.remove(c)
	}
	l.mu.Unlock()
	if c != nil {
		closeEvicted(c.conn)
	}
}

// closeEvicted closes a connection. Its place is free before it returns, or the listener would evict a second
// connection for the same new one. Limits.mu must not be held.
func closeEvicted(conn net.Conn) {
	if c, ok := conn.(interface{ Release() }); ok {
		c.Release()
	}
	go conn.Close() // closing TLS may block
}

// oldestEvictable returns the first evictable connection of a list, or nil. It moves the connections that
// it skips to the end, so that the next search starts with others.
func oldestEvictable(conns *list.List) *Conn {
	for range min(conns.Len(), maxSearch) {
		e := conns.Front()
		if c := e.Value.(*Conn); c.canEvict() {
			return c
		}
		conns.MoveToBack(e)
	}
	return nil
}

// canEvict reports whether a connection without a hello can be closed for a newer one: a live connection
// after keepUntil, another one if the server says so. Limits.mu must be held.
func (c *Conn) canEvict() bool {
	if !c.keepUntil.IsZero() {
		return !time.Now().Before(c.keepUntil)
	}
	conn, ok := c.conn.(interface{ Evictable() bool })
	return ok && conn.Evictable() // not ok: the handshake is not finished under another server
}

// Attach registers a live connection after its handshake, and protects it from eviction for MinAge. It
// returns false if the connection was evicted before; the caller then closes it.
func (l *Limits) Attach(c *Conn, conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.conn == nil {
		c.conn = conn
	}
	c.keepUntil = time.Now().Add(MinAge)
	return !c.removed
}

// Keep protects a live connection from eviction for d while its hello is being authenticated. The time is
// bounded so that an authenticator that hangs does not use up the connections for good.
func (l *Limits) Keep(c *Conn, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.keepUntil = time.Now().Add(d)
}
