//go:build unix && !linux

package live

import "syscall"

// socketRead reads from a nonblocking socket. It returns 0 at the end of the stream and after an error.
func socketRead(fd uintptr, b []byte) (n int) {
	n, _ = syscall.Read(int(fd), b)
	return max(n, 0)
}

// socketWrite writes to a nonblocking socket. It returns 0 after an error.
func socketWrite(fd uintptr, b []byte) (n int) {
	n, _ = syscall.Write(int(fd), b)
	return max(n, 0)
}
