package httpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A browser opens connections before it has a request. A restart must not wait for them.
func TestEndDoesNotWaitForAConnectionWithoutARequest(t *testing.T) {
	for name, c := range map[string]struct {
		before string // sent before the end
		after  time.Duration
		ends   time.Duration
	}{
		"silent":  {before: "", ends: firstByteTimeout + sweepEvery},
		"begun":   {before: "GET / HTTP/1.1\r\nHost: a\r\n", after: 3 * time.Second, ends: 3*time.Second + sweepEvery},
		"delayed": {before: "", after: firstByteTimeout / 2, ends: firstByteTimeout/2 + sweepEvery},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
				served := make(chan error)
				go func() {
					served <- Serve(ctx, l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Options{Log: slog.New(slog.DiscardHandler)})
				}()
				client, server := net.Pipe()
				defer client.Close()
				l.conns <- server
				io.WriteString(client, c.before)
				synctest.Wait()
				end()
				ended := time.Now()
				if c.after > 0 {
					time.Sleep(c.after)
					rest := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"[len(c.before):]
					if _, err := io.WriteString(client, rest); err != nil {
						t.Fatal("the connection was closed before its request:", err)
					}
					if answer, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil || answer.StatusCode != 200 {
						t.Errorf("got %v, %v; want 200", answer, err)
					}
				}
				if err := <-served; err != nil {
					t.Error(err)
				}
				if took := time.Since(ended); took > c.ends {
					t.Errorf("ended after %v, want %v at most", took, c.ends)
				}
			})
		})
	}
}

// pipeListener returns the connections of a channel until it is closed.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
