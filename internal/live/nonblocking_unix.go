//go:build unix

package live

import (
	"net"
	"syscall"
)

// rawSocket returns the kernel's socket of a connection for writeNonblocking, or nil if conn has none.
func rawSocket(conn net.Conn) (raw syscall.RawConn) {
	switch socket := conn.(type) { // no interface: a type that embeds a socket may have its own Write
	case *net.TCPConn:
		raw, _ = socket.SyscallConn()
	case *net.UnixConn:
		raw, _ = socket.SyscallConn()
	}
	return raw
}

// writeNonblocking writes what the socket takes without waiting, and returns how many bytes that were.
func writeNonblocking(raw syscall.RawConn, b []byte) (written int) {
	_ = raw.Write(func(fd uintptr) bool {
		if n, err := syscall.Write(int(fd), b); err == nil {
			written = n
		}
		return true // false would wait until the socket is writable
	})
	return written
}
