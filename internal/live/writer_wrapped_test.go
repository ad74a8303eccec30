package live

import (
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// wrappedTCP and wrappedUnix count the bytes that are written and read.
type wrappedTCP struct {
	*net.TCPConn
	written, read *atomic.Int64
}

func (c wrappedTCP) Write(b []byte) (int, error) {
	c.written.Add(int64(len(b)))
	return c.TCPConn.Write(b)
}

func (c wrappedTCP) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

type wrappedUnix struct {
	*net.UnixConn
	written, read *atomic.Int64
}

func (c wrappedUnix) Write(b []byte) (int, error) {
	c.written.Add(int64(len(b)))
	return c.UnixConn.Write(b)
}

func (c wrappedUnix) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func TestWrappedConnectionIsUsedThroughItsOwnMethods(t *testing.T) {
	var written, read atomic.Int64
	for network, wrap := range map[string]func(net.Conn) net.Conn{
		"tcp":  func(c net.Conn) net.Conn { return wrappedTCP{c.(*net.TCPConn), &written, &read} },
		"unix": func(c net.Conn) net.Conn { return wrappedUnix{c.(*net.UnixConn), &written, &read} },
	} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "socket")
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for name, served := range map[string]func(net.Conn) net.Conn{
			"as it is":      func(c net.Conn) net.Conn { return c },
			"by httpserver": func(c net.Conn) net.Conn { return through{c} },
		} {
			client, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			written.Store(0)
			read.Store(0)
			o := &writer{}
			o.open(served(wrap(conn)), prometheus.NewCounter(prometheus.CounterOpts{Name: "sent"}), func() {})
			if rest, finish := o.offer([]byte("offered")); rest != nil {
				finish(rest)
			}
			got := make([]byte, len("offered"))
			if _, err := io.ReadFull(client, got); err != nil || string(got) != "offered" || written.Load() != int64(len(got)) {
				t.Errorf("%s, %s: got %q, %v, with %d bytes through the wrapper, want %d", network, name, got, err, written.Load(), len(got))
			}
			if _, err := client.Write([]byte("sent")); err != nil {
				t.Fatal(err)
			}
			if n, err := o.Read(got); err != nil || string(got[:n]) != "sent" || read.Load() != int64(n) {
				t.Errorf("%s, %s: read %q, %v, with %d bytes through the wrapper", network, name, got[:n], err, read.Load())
			}
		}
	}
}
