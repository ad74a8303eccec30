package netio

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is a connection that is read and written by raw system calls where it has a socket of the kernel, which wake
// nothing else in the process (ADR 47). Otherwise its methods are those of Conn. It is safe for concurrent use.
type Socket struct {
	net.Conn
	raw syscall.RawConn // nil unless the kernel's socket can be reached
}

// NewSocket returns the socket of a connection. Conn may have a method Underlying that returns the connection to which its
// Read and Write pass unchanged.
func NewSocket(conn net.Conn) Socket {
	s := Socket{Conn: conn}
	if wrapper, ok := conn.(interface{ Underlying() net.Conn }); ok {
		conn = wrapper.Underlying()
	}
	s.raw = rawSocket(conn)
	return s
}

// IsRaw reports whether there is a socket of the kernel.
func (s *Socket) IsRaw() bool { return s.raw != nil }

// Control calls f with the descriptor of the socket, which stays open until f returns. It does not call f if the socket
// is closed. There must be a socket of the kernel.
func (s *Socket) Control(f func(fd uintptr)) { _ = s.raw.Control(f) }

// Read reads as [net.Conn] does.
func (s *Socket) Read(b []byte) (n int, err error) {
	if s.raw == nil || len(b) == 0 {
		return s.Conn.Read(b)
	}
	n, err = transfer(s.raw.Read, socketRead, b, untilAny)
	switch {
	case err != nil:
		return n, s.failure("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes as [net.Conn] does.
func (s *Socket) Write(b []byte) (n int, err error) {
	if s.raw == nil || len(b) == 0 {
		return s.Conn.Write(b)
	}
	n, err = transfer(s.raw.Write, socketWrite, b, untilAll)
	if err != nil {
		return n, s.failure("write", err)
	}
	return n, nil
}

// WriteNow writes what the socket takes without waiting, and returns how many bytes that were. It writes nothing after an
// error, or if there is no socket of the kernel.
func (s *Socket) WriteNow(b []byte) (n int) {
	if s.raw == nil {
		return 0
	}
	n, _ = transfer(s.raw.Write, socketWrite, b, untilBlocked)
	return n
}

// failure returns an error in the form of package net: net/http looks at the operation.
func (s *Socket) failure(op string, err error) error {
	switch e := err.(type) {
	case *net.OpError: // of syscall.RawConn, whose operations have names of their own
		err = e.Err
	case syscall.Errno:
		err = os.NewSyscallError(op, e)
	}
	return &net.OpError{Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

// extent says how much is transferred before a call returns.
type extent int

const (
	untilAny     extent = iota // at least a byte, or the end of the stream
	untilAll                   // all bytes
	untilBlocked               // as many as can be without waiting
)
