package web

import (
	"errors"
	"net"
	"os"
	"time"
)

// Timeouts of what the server writes, an HTTP answer or a live frame alike.
const (
	// stallTime is how long a write may wait without progress; a phone that changes its network
	// is back sooner. It is looked at once in stallTime, so that a client that stops reading is
	// cut within twice of it.
	stallTime = 10 * time.Second
	// writeLimit is how long one answer or one frame may take in all, so that a client that
	// reads a byte a second does not hold its connection for ever. The list of 1,000 people,
	// 250 KB without compression, needs 17 kbit/s to fit.
	writeLimit = 2 * time.Minute
	// writeChunk is how much is written at once. A connection that cannot go on after a timeout,
	// as one of TLS, has to take one chunk within stallTime.
	writeChunk = 64 << 10
)

// writeAll writes b to conn, in chunks of at most writeChunk bytes. It calls next after each
// chunk but the last, and when a write deadline interrupts a chunk, with the number of bytes
// written since the call before. If next returns false, it stops with os.ErrDeadlineExceeded;
// otherwise next must have moved a deadline that has passed.
func writeAll(conn net.Conn, b []byte, next func(n int, interrupted bool) bool) (written int, err error) {
	for {
		n, err := conn.Write(b[written:min(written+writeChunk, len(b))])
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
