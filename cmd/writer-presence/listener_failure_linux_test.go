package main

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestServerWhoseListenerFailsEndsWithoutTheDrainDelay(t *testing.T) {
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- run(ctx, []string{"serve", "--dev", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data", t.TempDir(), "--drain-delay", "5m"},
			nil, stdout, io.Discard)
	}()
	addr, err := readAddr(out)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	shutListener(t, port)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the server ended without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("20 s after its listener failed the server still runs")
	}
}

// shutListener makes the listener of this process at a port fail.
func shutListener(t *testing.T, port string) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		fd, _ := strconv.Atoi(entry.Name())
		listens, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
		at, _ := syscall.Getsockname(fd)
		if at, ok := at.(*syscall.SockaddrInet4); ok && listens == 1 && strconv.Itoa(at.Port) == port {
			if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("this process has no listener at port %s", port)
}
