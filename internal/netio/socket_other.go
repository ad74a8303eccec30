//go:build !unix

package netio

import (
	"net"
	"syscall"
)

// rawSocket returns nil: where sockets are not Unix file descriptors, they are used by package net.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// transfer is not called, because rawSocket returns nil.
func transfer(_, _ any, _ []byte, _ extent) (n int, err error) { return 0, nil }

var socketRead, socketWrite any
