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

// readNonblocking reads what has arrived without waiting, and returns how many bytes that were: 0 also at the end and
// after an error, which the next Read of the connection returns.
func readNonblocking(raw syscall.RawConn, b []byte) (n int) {
	t := transfers.Get().(*transfer)
	t.call, t.bytes = socketRead, b
	_ = raw.Read(t.do)
	return t.release()
}

// writeNonblocking writes what the socket takes without waiting, and returns how many bytes that were.
func writeNonblocking(raw syscall.RawConn, b []byte) (n int) {
	t := transfers.Get().(*transfer)
	t.call, t.bytes = socketWrite, b
	_ = raw.Write(t.do)
	return t.release()
}

// transfer is a call of the kernel for a socket. Its function is allocated only once: one for each call would be a tenth
// of the garbage of a change.
type transfer struct {
	call  func(fd uintptr, b []byte) (n int)
	bytes []byte
	n     int
	do    func(fd uintptr) (done bool)
}

var transfers = sync.Pool{New: func() any {
	t := &transfer{}
	t.do = func(fd uintptr) bool {
		t.n = t.call(fd, t.bytes)
		return true // false would wait until the socket is ready
	}
	return t
}}

// release returns the number of bytes.
func (t *transfer) release() (n int) {
	n = t.n
	t.bytes, t.n = nil, 0
	transfers.Put(t)
	return n
}
