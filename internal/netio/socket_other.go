//go:build !unix

package live

import (
	"net"
	"syscall"
)

// rawSocket returns nil: where sockets are not Unix file descriptors, every frame is written by a goroutine that may wait.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// readNonblocking and writeNonblocking do nothing. They are not called, because rawSocket returns nil.
func readNonblocking(syscall.RawConn, []byte) (n int, err error) { return 0, nil }
func writeNonblocking(syscall.RawConn, []byte) (n int)           { return 0 }
