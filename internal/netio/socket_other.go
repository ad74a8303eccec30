//go:build !unix

package netio

import (
	"net"
	"syscall"
)

// rawSocket returns nil: where sockets are not Unix file descriptors, they are used by package net.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// transfer is not called, because rawSocket returns nil.
func transfer(syscall.RawConn, operation, []byte) (n int, err error) { return 0, nil }
