//go:build unix

package redisstore

import (
	"net"
	"testing"

	"github.com/writer-presence/writer-presence/internal/netio"
)

func TestConnectionToRedisUsesTheSocketItself(t *testing.T) { // ADR 47
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	option, err := parseAddress("redis://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := option.DialCtxFn(t.Context(), option.InitAddress[0], &option.Dialer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if socket, ok := conn.(*netio.Socket); !ok || !socket.IsRaw() {
		t.Errorf("the connection is %T, and its socket is not used", conn)
	}
}
