//go:build unix

package live

import (
	"net"
	"sync"
	"syscall"
)

// rawSocket returns the kernel's socket of a connection for readNonblocking and writeNonblocking, or nil if conn has none.
func rawSocket(conn net.Conn) (raw syscall.RawConn) {
	switch socket := conn.(type) { // no interface: a type that embeds a socket may have its own Read and Write
	case *net.TCPConn:
		raw, _ = socket.SyscallConn()
	case *net.UnixConn:
		raw, _ = socket.SyscallConn()
	}
	return raw
}

// readNonblocking reads what has arrived without waiting. It returns 0 and no error if nothing has, at the end of the
// stream and after the read deadline.
func readNonblocking(raw syscall.RawConn, b []byte) (n int, err error) {
	t := transfers.Get().(*transfer)
	t.call, t.bytes = socketRead, b
	_ = raw.Read(t.do)
	n, errno := t.release()
	if errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR {
		err = errno // the kernel reports it once
	}
	return n, err
}

// writeNonblocking writes what the socket takes without waiting, and returns how many bytes that were.
func writeNonblocking(raw syscall.RawConn, b []byte) (n int) {
	t := transfers.Get().(*transfer)
	t.call, t.bytes = socketWrite, b
	_ = raw.Write(t.do)
	n, _ = t.release()
	return n
}

// transfer is a call of the kernel for a socket. Its function is allocated only once: one for each call would be a tenth
// of the garbage of a change.
type transfer struct {
	call  func(fd uintptr, b []byte) (int, syscall.Errno)
	bytes []byte
	n     int
	errno syscall.Errno
	do    func(fd uintptr) (done bool)
}

var transfers = sync.Pool{New: func() any {
	t := &transfer{}
	t.do = func(fd uintptr) bool {
		t.n, t.errno = t.call(fd, t.bytes)
		return true // false would wait until the socket is ready
	}
	return t
}}

// release returns the result, and the transfer to the pool.
func (t *transfer) release() (n int, errno syscall.Errno) {
	n, errno = t.n, t.errno
	t.bytes, t.n, t.errno = nil, 0, 0
	transfers.Put(t)
	return n, errno
}
