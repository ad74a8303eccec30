// Package netio writes to connections whose other side may read slowly.
package netio

import (
	"errors"
	"net"
	"os"
	"time"
)

// Timeouts of writes, of an HTTP answer and of a live frame alike.
const (
	// StallTimeout is how long a write may wait without progress; a phone that changes its network is
	// back sooner. Progress is checked once in StallTimeout, so a client that stops reading is cut off
	// after twice that at the latest.
	StallTimeout = 10 * time.Second
	// WriteTimeout bounds one answer or frame in all, so that a client that reads a byte a second does not
	// hold its connection for ever. The list of 1,000 people, 250 KB uncompressed, fits at 17 kbit/s.
	WriteTimeout = 2 * time.Minute
	// chunk is how much is written at once. A connection that cannot go on after a timeout, as one of TLS
	// cannot, has to take one chunk within StallTimeout: 16 KB in 10 s are 13 kbit/s.
	chunk = 16 << 10
)

// LongAgo is a deadline that interrupts what waits on a connection now.
var LongAgo = time.Unix(1, 0)

// WriteAll writes b to conn in chunks. It calls next after each chunk but the last, and when a write
// deadline interrupts a chunk, with the number of bytes written since the call before. If next returns
// false, WriteAll stops with [os.ErrDeadlineExceeded]; otherwise next must have moved a deadline that
// has passed.
func WriteAll(conn net.Conn, b []byte, next func(n int, interrupted bool) bool) (written int, err error) {
	for {
		n, err := conn.Write(b[written:min(written+chunk, len(b))])
		written += n
		interrupted := err != nil && errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case err != nil && !interrupted:
			return written, err
		case written == len(b):
			return written, nil
		case !next(n, interrupted):
			return written, os.ErrDeadlineExceeded
		}
	}
}
