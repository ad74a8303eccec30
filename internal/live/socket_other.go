//go:build !unix

package live

import (
	"errors"
	"net"
	"syscall"
)

// rawSocket returns nil: frames are written by the connection's own Write, which may wait, in another goroutine.
func rawSocket(net.Conn) syscall.RawConn { return nil }

func writeSocket(uintptr, []byte) (n int, err error) { return 0, errors.ErrUnsupported }
