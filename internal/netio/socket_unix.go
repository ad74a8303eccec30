//go:build unix

package netio

import (
	"net"
	"sync"
	"syscall"
)

// rawSocket returns the kernel's socket of a connection, or nil if conn has none.
func rawSocket(conn net.Conn) (raw syscall.RawConn) {
	switch socket := conn.(type) { // no interface: a type that embeds a socket may have its own Read and Write
	case *net.TCPConn:
		raw, _ = socket.SyscallConn()
	case *net.UnixConn:
		raw, _ = socket.SyscallConn()
	}
	return raw
}

// call is a system call that does not wait: it returns EAGAIN.
type call func(fd uintptr, b []byte) (n int, errno syscall.Errno)

// transfer has a socket read or write b. whenReady is the method of its RawConn, which waits while the socket is not
// ready. The error is that of this method, or of the last system call.
func transfer(whenReady func(func(fd uintptr) bool) error, do call, b []byte, until extent) (n int, err error) {
	t := transfers.Get().(*transferring)
	t.do, t.bytes, t.until, t.n, t.errno = do, b, until, 0, 0
	err = whenReady(t.step)
	if n = t.n; err == nil && t.errno != 0 {
		err = t.errno
	}
	t.bytes = nil
	transfers.Put(t)
	return n, err
}

// transferring is a transfer that is under way. Its function is allocated only once: one for each call would be a tenth of
// the garbage of a change.
type transferring struct {
	do    call
	bytes []byte
	until extent
	n     int
	errno syscall.Errno
	step  func(fd uintptr) (done bool) // false waits until the socket is ready
}

var transfers = sync.Pool{New: func() any {
	t := &transferring{}
	t.step = t.advance
	return t
}}

func (t *transferring) advance(fd uintptr) (done bool) {
	for {
		n, errno := t.do(fd, t.bytes[t.n:])
		t.n, t.errno = t.n+n, errno
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return t.until == untilBlocked
		case errno != 0, t.until == untilAny, t.n == len(t.bytes):
			return true
		}
	}
}
