package harness

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"time"
)

// Conn is a non-blocking TCP connection, many of which are served by one loop. The loop never
// sleeps: waking a sleeping core is expensive on a virtual machine, and the server would pay.
type Conn struct {
	FD   int
	rest []byte // the beginning of an incomplete message
}

// writeTimeout is how long Write waits for room in the send buffer.
const writeTimeout = 5 * time.Second

// Dial connects to an IPv4 address. Close will reset the connection, which frees its port at once.
func Dial(address string) (*Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}),
		syscall.SetNonblock(fd, true))
	if err != nil {
		syscall.Close(fd)
	}
	return &Conn{FD: fd}, err
}

func (c *Conn) Close() { syscall.Close(c.FD) }

// Write writes all of b.
func (c *Conn) Write(b []byte) error {
	var began time.Time
	for {
		n, err := syscall.Write(c.FD, b)
		if n = max(n, 0); n == len(b) {
			return nil
		}
		if err != nil && err != syscall.EAGAIN && err != syscall.EINTR {
			return err
		}
		b = b[n:]
		if began.IsZero() {
			began = time.Now()
		} else if time.Since(began) > writeTimeout {
			return errors.New("the server does not read what it is sent")
		}
	}
}

// Read reads once, if something has arrived, and calls next with it until nothing is left or
// next returns 0: next returns the length of the first message, 0 if that is incomplete. The
// buffer has to be longer than any message, and may be shared by connections.
func (c *Conn) Read(buffer []byte, next func(in []byte) (int, error)) error {
	kept := copy(buffer, c.rest)
	n, err := syscall.Read(c.FD, buffer[kept:])
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	in := buffer[:kept+n]
	for len(in) > 0 {
		n, err := next(in)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		in = in[n:]
	}
	c.rest = append(c.rest[:0], in...)
	return nil
}
