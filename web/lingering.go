package web

import (
	"net"
	"sync/atomic"
	"time"
)

// lingering is a connection whose other side can read to the end what it was told: that
// would be lost if this side closed with something left to read. Nothing follows a close
// frame.
type lingering struct {
	net.Conn
	over atomic.Bool // a close frame was sent
}

func (c *lingering) Write(frame []byte) (int, error) {
	if frame[0] == closeFrame {
		c.over.Store(true)
	} else if c.over.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(frame)
}

// Close ends the writing, and the reading soon; then cut ends it all.
func (c *lingering) Close() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		return c.SetReadDeadline(time.Now().Add(closeTime))
	}
	return c.Conn.Close()
}

// cut ends the connection at once.
func (c *lingering) cut() { c.Conn.Close() }
