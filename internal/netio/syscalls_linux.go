//go:build linux && (amd64 || arm64)

package netio

import (
	"syscall"
	"unsafe"
)

// These system calls do not block, so they do not tell the scheduler that they begin (RawSyscall). Otherwise the first
// one of an idle process would wake the scheduler's monitor (sysmon), which then runs every 20 µs for at least 1 ms: a
// fifth of the CPU of a delivered change, and two fifths of that of a heartbeat at 5,000 a second (ADR 47). MSG_DONTWAIT is
// for sockets that a host has set to blocking, as os.File.Fd does: one that waited here would stop the whole process at the
// next garbage collection.

// socketRead reads what has arrived at a socket, 0 bytes at the end of the stream.
func socketRead(fd uintptr, b []byte) (n int, err syscall.Errno) {
	return transferRaw(syscall.SYS_RECVFROM, fd, b, syscall.MSG_DONTWAIT)
}

// socketWrite writes what a socket takes.
func socketWrite(fd uintptr, b []byte) (n int, err syscall.Errno) {
	return transferRaw(syscall.SYS_SENDTO, fd, b, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func transferRaw(number, fd uintptr, b []byte, flags uintptr) (n int, err syscall.Errno) {
	r, _, err := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(r), 0
}
