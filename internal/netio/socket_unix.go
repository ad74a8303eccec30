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

// transfer has a socket read or write b. Except with writeNow it waits while the socket is not ready.
func transfer(raw syscall.RawConn, op operation, b []byte) (n int, err error) {
	t := transfers.Get().(*transferState)
	t.op, t.bytes, t.n, t.errno = op, b, 0, 0
	if op == readAny {
		err = raw.Read(t.step)
	} else {
		err = raw.Write(t.step)
	}
	if n = t.n; err == nil && t.errno != 0 {
		err = t.errno
	}
	t.bytes = nil
	transfers.Put(t)
	return n, err
}

// transferState is pooled with its function: allocating one for each call would be a tenth of the garbage of a change.
type transferState struct {
	op    operation
	bytes []byte
	n     int
	errno syscall.Errno                // of the last system call
	step  func(fd uintptr) (done bool) // is advance; if it returns false, RawConn waits until the socket is ready
}

var transfers = sync.Pool{New: func() any {
	t := &transferState{}
	t.step = t.advance
	return t
}}

func (t *transferState) advance(fd uintptr) (done bool) {
	call := socketWrite
	if t.op == readAny {
		call = socketRead
	}
	for {
		n, errno := call(fd, t.bytes[t.n:])
		t.n, t.errno = t.n+n, errno
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return t.op == writeNow
		case errno != 0, t.op == readAny, t.n == len(t.bytes):
			return true
		}
	}
}
