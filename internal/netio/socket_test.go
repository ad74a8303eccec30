//go:build unix

package netio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// connection is a connection and the client's side of it.
type connection struct {
	*testing.T
	net.Conn
	client net.Conn
}

func newConnection(t *testing.T, network string) *connection {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "") // the address of a Unix socket is short, and the directories of tests may be too long
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); client.Close() })
	return &connection{t, conn, client}
}

func (c *connection) send(text string) {
	c.Helper()
	if _, err := c.client.Write([]byte(text)); err != nil {
		c.Fatal(err)
	}
}

// receive reads n bytes at the client.
func (c *connection) receive(n int) string {
	c.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.client, b); err != nil {
		c.Fatal(err)
	}
	return string(b)
}

// reset has the kernel reset the connection. A Unix socket has no reset, and is closed.
func (c *connection) reset() {
	if tcp, ok := c.client.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.client.Close()
}

// large is more than the kernel takes while the client does not read.
var large = bytes.Repeat([]byte("x"), 8<<20)

// A Socket replaces a connection of package net below net/http, which looks at the errors.
func TestSocketBehavesAsPackageNet(t *testing.T) {
	addresses := regexp.MustCompile(`(tcp|unix) .*?->[^ ]*?: `)
	for name, script := range map[string]func(c *connection, read, write func(int) string) (results []string){
		"bytes that are there": func(c *connection, read, _ func(int) string) []string {
			c.send("abc")
			return []string{read(2), read(2)}
		},
		"bytes that come later": func(c *connection, read, _ func(int) string) []string {
			go c.client.Write([]byte("late"))
			return []string{read(8)}
		},
		"no bytes asked for": func(c *connection, read, write func(int) string) []string {
			return []string{read(0), write(0)}
		},
		"a write": func(c *connection, _, write func(int) string) []string {
			return []string{write(5), c.receive(5)}
		},
		"a write that the client reads slowly": func(c *connection, _, write func(int) string) []string {
			go io.Copy(io.Discard, c.client)
			return []string{write(len(large))}
		},
		"a read deadline": func(c *connection, read, _ func(int) string) []string {
			c.send("abc")
			c.SetReadDeadline(LongAgo)
			first := read(3)
			c.SetReadDeadline(time.Time{})
			return []string{first, read(3)}
		},
		"a read deadline while it waits": func(c *connection, read, _ func(int) string) []string {
			time.AfterFunc(10*time.Millisecond, func() { c.SetReadDeadline(LongAgo) })
			return []string{read(3)}
		},
		"a write deadline": func(c *connection, _, write func(int) string) []string {
			c.SetWriteDeadline(LongAgo)
			first := write(3)
			c.SetWriteDeadline(time.Time{})
			return []string{first, write(3), c.receive(3)}
		},
		"the end": func(c *connection, read, _ func(int) string) []string {
			c.send("abc")
			c.client.Close()
			return []string{read(3), read(3), read(3)}
		},
		"a reset": func(c *connection, read, _ func(int) string) []string {
			c.reset()
			return []string{read(3)}
		},
		"a reset while it waits": func(c *connection, read, _ func(int) string) []string {
			time.AfterFunc(10*time.Millisecond, c.reset)
			return []string{read(3)}
		},
		"closed": func(c *connection, read, write func(int) string) []string {
			c.Close()
			return []string{read(3), write(3)}
		},
		"closed while it waits": func(c *connection, read, _ func(int) string) []string {
			time.AfterFunc(10*time.Millisecond, func() { c.Close() })
			return []string{read(3)}
		},
		"the client has closed": func(c *connection, _, write func(int) string) []string {
			c.reset()
			for range 100 { // until the kernel knows
				if text := write(3); text != "3 <nil>" {
					return []string{text}
				}
			}
			return []string{"a hundred writes succeeded"}
		},
	} {
		for _, network := range []string{"tcp", "unix"} {
			var all [2][]string
			for i := range all {
				c := newConnection(t, network)
				var conn io.ReadWriter = c.Conn
				if i == 1 {
					socket := NewSocket(c.Conn)
					if !socket.IsRaw() {
						t.Fatalf("%s has no socket of the kernel", network)
					}
					conn = &socket
				}
				result := func(n int, err error) string {
					if op := new(net.OpError); errors.As(err, &op) {
						return addresses.ReplaceAllString(fmt.Sprintf("%d %s %v %v %v", n, op.Op, op, op.Timeout(), op.Temporary()), "")
					}
					return fmt.Sprint(n, " ", err)
				}
				b := make([]byte, 16)
				all[i] = script(c, func(n int) string {
					n, err := conn.Read(b[:n])
					return string(b[:n]) + result(n, err)
				}, func(n int) string { return result(conn.Write(large[:n])) })
			}
			if fmt.Sprint(all[0]) != fmt.Sprint(all[1]) {
				t.Errorf("%s, %s: a Socket returned %q; package net %q", network, name, all[1], all[0])
			}
		}
	}
}

// The rest of an answer is written after the deadline was moved, so Write has to say how much it has written.
func TestWriteSaysHowMuchWasWrittenBeforeItsDeadline(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c := newConnection(t, network)
		socket := NewSocket(c.Conn)
		text := make([]byte, len(large))
		for i := range text {
			text[i] = byte(i / 251)
		}
		first := make(chan string)
		go func() {
			b := make([]byte, 1)
			c.client.Read(b)
			socket.SetWriteDeadline(LongAgo)
			first <- string(b)
		}()
		n, err := socket.Write(text)
		got := <-first
		if n == 0 || n == len(text) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s: wrote %d bytes, %v; want some of them and a timeout", network, n, err)
		}
		socket.SetWriteDeadline(time.Time{})
		rest := make(chan error, 1)
		go func() {
			_, err := socket.Write(text[n:])
			rest <- err
		}()
		if got += c.receive(len(text) - 1); got != string(text) {
			t.Errorf("%s: the client got other bytes than were written", network)
		}
		if err := <-rest; err != nil {
			t.Errorf("%s: the rest: %v", network, err)
		}
	}
}

func TestWriteNowDoesNotWait(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c := newConnection(t, network)
		socket := NewSocket(c.Conn)
		n := socket.WriteNow(large)
		if n == 0 || n == len(large) || socket.WriteNow(large) != 0 {
			t.Errorf("%s: wrote %d bytes at once and then more; want some, and then none", network, n)
		}
		if got := c.receive(n); got != string(large[:n]) {
			t.Errorf("%s: the client got other bytes than were written", network)
		}
		socket.Close()
		if n := socket.WriteNow(large); n != 0 {
			t.Errorf("%s: wrote %d bytes after Close", network, n)
		}
	}
}

// wrapped counts the bytes that are read and written, in methods of its own.
type wrapped struct {
	*net.TCPConn
	read, written int
}

func (w *wrapped) Write(b []byte) (int, error) {
	w.written += len(b)
	return w.TCPConn.Write(b)
}

func (w *wrapped) Read(b []byte) (int, error) {
	n, err := w.TCPConn.Read(b)
	w.read += n
	return n, err
}

// embedding embeds a Socket, as httpserver does.
type embedding struct{ Socket }

func TestWrappedConnectionIsUsedThroughItsOwnMethods(t *testing.T) {
	c := newConnection(t, "tcp")
	w := &wrapped{TCPConn: c.Conn.(*net.TCPConn)}
	for name, conn := range map[string]net.Conn{"as it is": w, "below a socket": &embedding{NewSocket(w)}} {
		w.read, w.written = 0, 0
		socket := NewSocket(conn)
		now := socket.WriteNow([]byte("now"))
		_, err := socket.Write([]byte("written"))
		if got := c.receive(len("written")); got != "written" || err != nil || now != 0 || w.written != len(got) {
			t.Errorf("%s: the client got %q, %v, with %d bytes through the wrapper and %d beside it", name, got, err, w.written, now)
		}
		c.send("sent")
		b := make([]byte, 16)
		if n, err := socket.Read(b); string(b[:n]) != "sent" || err != nil || w.read != n {
			t.Errorf("%s: read %q, %v, with %d bytes through the wrapper", name, b[:n], err, w.read)
		}
	}
	if socket := NewSocket(&embedding{NewSocket(c.Conn)}); !socket.IsRaw() {
		t.Error("the descriptor of an embedded socket is not used")
	}
}
