package live

import (
	"syscall"
	"unsafe"
)

// epollEvents takes events from an epoll instance without waiting, as many as there are and as fit. It returns 0 after an
// error. Why it is a raw system call is said in socket_linux.go.
func epollEvents(epoll uintptr, events []syscall.EpollEvent) (n int) {
	r, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if err != 0 {
		return 0
	}
	return int(r)
}
