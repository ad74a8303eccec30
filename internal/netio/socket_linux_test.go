//go:build linux && (amd64 || arm64)

package netio

import (
	"net"
	"runtime"
	"testing"
)

// A host may set a socket to blocking. A raw system call that waited for it would stop the whole process at the next
// garbage collection, and this test would hang.
func TestBlockingSocketDoesNotStopTheProcess(t *testing.T) {
	c := newConnection(t, "tcp")
	file, err := c.Conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Fd() // makes the socket that both share blocking
	socket := NewSocket(c.Conn)
	read := make(chan string)
	go func() {
		b := make([]byte, 16)
		n, _ := socket.Read(b)
		read <- string(b[:n])
	}()
	for range 3 {
		runtime.Gosched() // to Read
		runtime.GC()
	}
	c.send("late")
	if got := <-read; got != "late" {
		t.Errorf("read %q, want late", got)
	}
	for socket.WriteNow(large) > 0 { // until the socket takes no more
	}
}
