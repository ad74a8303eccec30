//go:build !unix

package live

import (
	"net"
	"syscall"
)

// rawSocket returns nil: where sockets are not Unix file descriptors, every frame is written by a goroutine that may wait.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// writeNonblocking writes nothing. It is not called, because rawSocket returns nil.
func writeNonblocking(syscall.RawConn, []byte) (written int) { return 0 }
