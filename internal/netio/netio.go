// Package netio reads and writes sockets by raw system calls (ADR 47), and bounds how long a write to a slow client takes.
package netio

import (
	"errors"
	"net"
	"os"
	"time"
)

// Timeouts of one write, which is an HTTP answer or a live frame.
const (
	// StallTimeout is how long a write may wait without progress. A phone that changes its network needs
	// less. Progress is checked once in StallTimeout, so a client that stops reading is disconnected after
	// twice that at the latest.
	StallTimeout = 10 * time.Second
	// WriteTimeout bounds the whole answer or frame, so that a client that reads a byte a second does not
	// occupy a connection for ever. The list of 1,000 people, 250 KB uncompressed, needs 17 kbit/s to arrive
	// in time, over TLS 18.
	WriteTimeout = 2 * time.Minute
	// chunk is how many bytes are written at once: the size of a TLS record. A TLS connection cannot continue
	// after a timeout, so its client has to take a whole chunk within StallTimeout. 16 KiB in 10 s are
	// 13 kbit/s, less than WriteTimeout requires.
	chunk = 16 << 10
)

// LongAgo is a deadline in the past: setting it interrupts a read or write that is waiting.
var LongAgo = time.Unix(1, 0)

// WriteAll writes b to conn in chunks. It calls next after each chunk but the last, and when a write
// deadline interrupts a chunk, with the number of bytes written since the call before. If next returns
// false, WriteAll stops with [os.ErrDeadlineExceeded]; otherwise next must have moved a deadline that
// has passed. A timeout after which conn cannot continue, as with TLS, is returned as any other error.
func WriteAll(conn net.Conn, b []byte, next func(n int, interrupted bool) bool) (written int, err error) {
	for {
		n, err := conn.Write(b[written:min(written+chunk, len(b))])
		written += n
		interrupted := err != nil && canContinue(err) // which allocates
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

// canContinue reports whether an error is a timeout after which the same connection can be written to
// again. After a timeout, every write to a TLS connection fails with an error that is not temporary.
func canContinue(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &temporary) && temporary.Temporary()
}
