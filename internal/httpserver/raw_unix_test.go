//go:build unix

package httpserver

import (
	"net"
	"testing"

	"github.com/writer-presence/writer-presence/internal/netio"
)

// ADR 47. A wrapper between the two would undo it, and nothing else would fail.
func TestConnectionAndItsHijackerUseTheSocketItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newListener(l, Options{})
	defer p.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := p.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hijacked := netio.NewSocket(conn)
	if !conn.(*Conn).IsRaw() || !hijacked.IsRaw() {
		t.Errorf("raw: a connection %v, one that is hijacked %v; want both", conn.(*Conn).IsRaw(), hijacked.IsRaw())
	}
}
