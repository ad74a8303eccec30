package netio

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is a [net.Conn] that reads and writes its file descriptor itself, on Linux by raw system calls, which do not wake
// the scheduler's monitor (ADR 47). Without a descriptor, as with TLS, it uses Conn. It is safe for concurrent use.
type Socket struct {
	net.Conn
	raw syscall.RawConn // nil without a file descriptor
}

// NewSocket returns the socket of a connection. If the connection embeds a Socket, it must pass reads and writes to that
// unchanged from now on, because they go to its file descriptor.
func NewSocket(conn net.Conn) Socket {
	if outer, ok := conn.(interface{ embedded() *Socket }); ok {
		return Socket{conn, outer.embedded().raw}
	}
	return Socket{conn, rawSocket(conn)}
}

func (s *Socket) embedded() *Socket { return s }

// IsRaw reports whether the connection has a file descriptor, which WriteNow and Control need.
func (s *Socket) IsRaw() bool { return s.raw != nil }

// Control calls f with the descriptor, which stays open until f returns; not if the connection is closed. IsRaw must be
// true.
func (s *Socket) Control(f func(fd uintptr)) { _ = s.raw.Control(f) }

// Read reads as [net.Conn] does.
func (s *Socket) Read(b []byte) (n int, err error) {
	if s.raw == nil || len(b) == 0 {
		return s.Conn.Read(b)
	}
	n, err = transfer(s.raw, readAny, b)
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
	n, err = transfer(s.raw, writeAll, b)
	if err != nil {
		return n, s.failure("write", err)
	}
	return n, nil
}

// WriteNow writes what the socket takes without waiting for the client, and returns how many bytes that were: 0 after an
// error or unless IsRaw. It waits for a Write that is under way.
func (s *Socket) WriteNow(b []byte) (n int) {
	if s.raw == nil {
		return 0
	}
	n, _ = transfer(s.raw, writeNow, b)
	return n
}

// failure returns the error that package net would return; net/http compares its operation.
func (s *Socket) failure(op string, err error) error {
	if e, ok := err.(*net.OpError); ok { // of syscall.RawConn, whose operations are "raw-read" and "raw-write"
		e.Op, e.Source, e.Addr = op, s.LocalAddr(), s.RemoteAddr()
		return e
	}
	network := ""
	if remote := s.RemoteAddr(); remote != nil { // nil on some systems once the client has gone
		network = remote.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// operation is what transfer does, and when it ends.
type operation int

const (
	readAny  operation = iota // reads until there is at least one byte, or the end of the stream
	writeAll                  // writes until all bytes are written
	writeNow                  // writes until the socket takes no more
)
