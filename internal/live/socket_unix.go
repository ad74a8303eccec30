//go:build unix

package live

import (
	"net"
	"syscall"
)

// rawSocket returns the kernel's socket of a connection, nil if it has none of its own.
func rawSocket(conn net.Conn) (raw syscall.RawConn) {
	switch socket := conn.(type) { // no interface: a type that embeds a socket may have its own Write
	case *net.TCPConn:
		raw, _ = socket.SyscallConn()
	case *net.UnixConn:
		raw, _ = socket.SyscallConn()
	}
	return raw
}

// writeSocket writes what the socket takes without waiting.
func writeSocket(fd uintptr, b []byte) (n int, err error) { return syscall.Write(int(fd), b) }
