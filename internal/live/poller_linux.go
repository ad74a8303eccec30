package live

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// poller waits for the next bytes of connections. A goroutine for each would take 2.5 KB; here one goroutine waits for an
// epoll instance. Its methods are safe for concurrent use.
type poller struct {
	ready func(*conn) // called once for each wait; does not block

	mu      sync.Mutex
	allowed bool     // from allow to stop
	file    *os.File // the epoll instance; nil if there is none
	epoll   int      // its descriptor
	ended   chan struct{}
	waiting []*conn // by the descriptors of their sockets
}

func newPoller(ready func(*conn)) *poller { return &poller{ready: ready} }

// allow lets connections wait until stop is called. Before and after, wait returns false.
func (p *poller) allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = true
}

// stop ends the goroutine. No connection may be waiting.
func (p *poller) stop() {
	p.mu.Lock()
	file := p.file
	p.allowed, p.file = false, nil
	p.mu.Unlock()
	if file != nil {
		file.Close()
		<-p.ended
	}
}

// start starts the goroutine with the first socket, and not with allow: a synctest bubble, whose connections have no
// sockets, does not go on while a goroutine waits for the kernel. It returns false if connections cannot wait.
func (p *poller) start() (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil || !p.allowed {
		return p.allowed
	}
	p.allowed = false // unless all succeeds
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	_ = syscall.SetNonblock(fd, true) // tells os.NewFile that the runtime can wait for it
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil || file.SetDeadline(time.Time{}) != nil { // the runtime cannot wait for it
		file.Close()
		return false
	}
	p.allowed, p.file, p.epoll, p.ended = true, file, fd, make(chan struct{})
	go p.run(raw)
	return true
}

func (p *poller) run(raw syscall.RawConn) {
	defer close(p.ended)
	var events [128]syscall.EpollEvent
	for {
		n := 0
		err := raw.Read(func(epoll uintptr) bool {
			n = epollEvents(epoll, events[:])
			return n > 0
		})
		if err != nil { // the file was closed
			return
		}
		for _, e := range events[:n] {
			// A socket may have been closed meanwhile, and a new one have its descriptor. Then ready reads too early,
			// and blocks.
			if c := p.take(int(e.Fd)); c != nil {
				p.ready(c)
			}
		}
	}
}

// epollEvents takes events from an epoll instance without waiting, as many as there are and as fit. It returns 0 after an
// error. It is a raw system call, so that it does not wake the scheduler's monitor (ADR 47).
func epollEvents(epoll uintptr, events []syscall.EpollEvent) (n int) {
	r, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if err != 0 {
		return 0
	}
	return int(r)
}

// wait has ready called once bytes have arrived, or after interrupt. It returns false, and ready is not called, for a
// connection that was interrupted, or has no socket that epoll can watch.
func (p *poller) wait(c *conn) (ok bool) {
	if !c.out.IsRaw() || !p.start() {
		return false
	}
	c.out.Control(func(socket uintptr) {
		if ok = p.put(c, int(socket)); ok && !p.arm(int(socket)) {
			ok = p.take(int(socket)) == nil // interrupt has taken it
		}
	})
	return ok
}

// arm has epoll report once that bytes have arrived at a socket: the goroutine must not spin while they are being read.
func (p *poller) arm(socket int) (ok bool) {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(socket)}
	err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, socket, &event)
	if err == syscall.ENOENT { // the first time
		err = syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, socket, &event)
	}
	return err == nil
}

// put adds a connection to those that wait, unless it was interrupted.
func (p *poller) put(c *conn, socket int) (ok bool) {
	p.mu.Lock()
	if c.interrupted {
		p.mu.Unlock()
		return false
	}
	if more := socket + 1 - len(p.waiting); more > 0 {
		p.waiting = append(p.waiting, make([]*conn, more)...)
	}
	former := p.waiting[socket]
	p.waiting[socket], c.socket = c, int32(socket)
	p.mu.Unlock()
	if former != nil { // the host closed its socket without interrupt
		p.ready(former)
	}
	return true
}

// take returns the connection that waits with a socket, nil if there is none. It waits no longer.
func (p *poller) take(socket int) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.waiting[socket]
	p.waiting[socket] = nil
	return c
}

// interrupt has ready called if the connection waits, and lets it wait no more. Call it before a socket is closed and
// after its read deadline was moved: epoll notices neither.
func (p *poller) interrupt(c *conn) {
	p.mu.Lock()
	c.interrupted = true
	waits := int(c.socket) < len(p.waiting) && p.waiting[c.socket] == c
	if waits {
		p.waiting[c.socket] = nil
	}
	p.mu.Unlock()
	if waits {
		p.ready(c)
	}
}
