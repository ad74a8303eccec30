package live

import (
	"syscall"
	"unsafe"
)

// These system calls do not block, so they do not tell the scheduler that they begin (RawSyscall). Otherwise the first
// one of an idle process would wake the scheduler's monitor (sysmon), which then runs every 20 µs for at least 1 ms: 17 %
// of the CPU of a change (ADR 47).

// socketRead reads from a nonblocking socket. It returns 0 at the end of the stream and after an error.
func socketRead(fd uintptr, b []byte) (n int) { return rawCall(syscall.SYS_READ, fd, b) }

// socketWrite writes to a nonblocking socket. It returns 0 after an error.
func socketWrite(fd uintptr, b []byte) (n int) { return rawCall(syscall.SYS_WRITE, fd, b) }

func rawCall(number, fd uintptr, b []byte) (n int) {
	r, _, err := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if err != 0 {
		return 0
	}
	return int(r)
}

// epollEvents takes events from an epoll instance without waiting, as many as there are and as fit. It returns 0 after an
// error.
func epollEvents(epoll uintptr, events []syscall.EpollEvent) (n int) {
	r, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if err != 0 {
		return 0
	}
	return int(r)
}
