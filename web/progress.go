package web

import (
	"errors"
	"net"
	"os"
	"time"
)

// Timeouts for writing an HTTP answer or a live frame.
const (
	// stallTime is how long a write may make no progress. A phone that changes its network is back
	// sooner. Progress is checked every stallTime, so a client that stops reading is cut after
	// stallTime to 2*stallTime.
	stallTime = 10 * time.Second
	// writeLimit is the time limit of one answer or one frame, whatever the progress. It sets the
	// slowest client that gets the list of 1,000 people (250 KB uncompressed): 17 kbit/s, 18 over TLS.
	writeLimit = 2 * time.Minute
	// writeChunk is how many bytes are written at once. A TLS connection cannot continue after a
	// timeout, so its client has to take a whole chunk within stallTime. 16 KiB in 10 s are 13 kbit/s,
	// less than writeLimit requires; they are also the size of a TLS record.
	writeChunk = 16 << 10
)

// writeAll writes b to conn in chunks of at most writeChunk bytes. It calls next after each chunk
// but the last, and when a write deadline interrupts a chunk, with the number of bytes written
// since the last call. If next returns false, writeAll stops with os.ErrDeadlineExceeded. If it
// returns true after an interrupt, it has to have moved the deadline. An interrupt after which conn
// cannot continue, as with TLS, is returned as any other error.
func writeAll(conn net.Conn, b []byte, next func(n int, interrupted bool) bool) (written int, err error) {
	for {
		n, err := conn.Write(b[written:min(written+writeChunk, len(b))])
		written += n
		interrupted := canContinue(err)
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

// canContinue reports whether an error is a timeout after which the same connection can be written
// to again. After a timeout, every write to a TLS connection fails with an error that is not temporary.
func canContinue(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &temporary) && temporary.Temporary()
}
