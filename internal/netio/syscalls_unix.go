//go:build unix && !(linux && (amd64 || arm64))

package netio

import "syscall"

// socketRead reads what has arrived at a nonblocking socket, 0 bytes at the end of the stream.
func socketRead(fd uintptr, b []byte) (n int, err syscall.Errno) {
	return result(syscall.Read(int(fd), b))
}

// socketWrite writes what a nonblocking socket takes.
func socketWrite(fd uintptr, b []byte) (n int, err syscall.Errno) {
	return result(syscall.Write(int(fd), b))
}

func result(n int, err error) (int, syscall.Errno) {
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return 0, errno
	}
	return n, 0
}
