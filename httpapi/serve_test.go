package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// startServing runs httpserver.Serve in a synctest bubble until stop is called, which returns its error.
func startServing(h http.Handler) (l *servertest.PipeListener, end context.CancelFunc, served <-chan error) {
	l = servertest.NewPipeListener()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- httpserver.Serve(ctx, l, h, httpserver.Options{Log: slog.New(slog.DiscardHandler)}) }()
	return l, cancel, done
}

// newHandler returns a whole handler for httpserver.Serve.
func newHandler(t *testing.T) http.Handler {
	w := servertest.New(t, servertest.Direct)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.URL.Host, r.URL.Scheme, r.RequestURI = "127.0.0.1", "http", ""
		got := w.Send(r)
		for name, values := range got.Header {
			rw.Header()[name] = values
		}
		rw.WriteHeader(got.StatusCode)
		io.Copy(rw, got.Body)
	})
}

func TestFirstRequestOfAConnectionIsAnsweredDuringTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(newHandler(t))
		c, _ := l.Dial()
		synctest.Wait() // until the server waits for a request
		end()
		synctest.Wait()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if got, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || got.StatusCode != 200 || !got.Close {
			t.Errorf("got %v, %v; want 200, and the last answer of the connection", got, err)
		}
		c.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// Browsers open connections before they have a request. A restart must not wait for those.
func TestDrainClosesConnectionWithoutARequestAfterASecond(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	for name, c := range map[string]struct {
		before int // bytes of the request that are sent before the drain
		pause  time.Duration
		most   time.Duration // that the drain takes
	}{
		"no request":                {0, time.Hour, 1250 * time.Millisecond}, // a second, and a sweep
		"a request within a second": {0, time.Second / 2, time.Second},
		"half a request":            {20, 3 * time.Second, 3500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, end, served := startServing(newHandler(t))
				conn, _ := l.Dial()
				defer conn.Close()
				io.WriteString(conn, request[:c.before])
				synctest.Wait()
				began := time.Now()
				end()
				if c.pause < time.Minute {
					time.Sleep(c.pause)
					io.WriteString(conn, request[c.before:])
					if got, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || got.StatusCode != 200 {
						t.Errorf("got %v, %v; want 200", got, err)
					}
					conn.Close()
				}
				if err := <-served; err != nil || time.Since(began) > c.most {
					t.Errorf("after %v Serve returned %v, want nil within %v", time.Since(began), err, c.most)
				}
			})
		})
	}
}

func TestSlowBodyGets408(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(newHandler(t))
		for _, path := range []string{"/writer/api/project/p/presence/update/", servertest.DevTokenPath} {
			c, _ := l.Dial()
			start := time.Now()
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"section\"", path)
			got, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("after %v a slow body got no answer: %v, want 408", time.Since(start), err)
			}
			body, _ := io.ReadAll(got.Body)
			servertest.Response{Status: got.StatusCode, Header: got.Header, Body: string(body)}.ExpectError(t, 408, "timeout")
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("the response came after %v, want 5 s", took)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the connection stayed open")
			}
			c.Close()
		}
		end()
		if err := <-served; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestConnectionWithASlowHeaderIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(newHandler(t))
		for _, sent := range []string{"", "P", "POST /writer/api/project/p/presence/update/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "} {
			c, _ := l.Dial()
			start := time.Now()
			io.WriteString(c, sent)
			// net/http answers an incomplete first line with 400, and the other cases with nothing.
			if got, err := io.ReadAll(c); err != nil || len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 400 ") {
				t.Errorf("after %q came %q, %v, want the end", sent, got, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("after %q the connection stayed open for %v, want 5 s at most", sent, took)
			}
			c.Close()
		}
		end()
		<-served
	})
}

func TestIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(newHandler(t))
		c, _ := l.Dial()
		io.WriteString(c, "GET /writer/api/project/p/presence/list/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		r := bufio.NewReader(c)
		got, err := http.ReadResponse(r, nil)
		if err != nil || got.StatusCode != 200 {
			t.Fatalf("the list: got %v, %v", got, err)
		}
		io.Copy(io.Discard, got.Body)
		start := time.Now()
		if _, err := r.ReadByte(); err != io.EOF || time.Since(start) != 2*time.Minute {
			t.Errorf("the idle connection ended after %v with %v, want 2 min, EOF", time.Since(start), err)
		}
		end()
		<-served
	})
}

func TestOversizedHeaderGets431(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(newHandler(t))
		c, _ := l.Dial()
		go func() { // the server stops reading before the end
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 1<<20))
		}()
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 1 MiB got %v, %v, want 431", got, err)
		}
		c.Close()
		end()
		<-served
	})
}

func TestHeaderOf64KiBIsAccepted(t *testing.T) {
	for size, want := range map[int]int{64 << 10: http.StatusOK, 64<<10 + 4<<10 + 1: http.StatusRequestHeaderFieldsTooLarge} { // net/http adds 4 KiB
		synctest.Test(t, func(t *testing.T) {
			l, end, served := startServing(newHandler(t))
			c, _ := l.Dial()
			line, cookies := "GET /writer/api/project/p/presence/list/ HTTP/1.1\r\n", ""
			for rest := size - len("Host: 127.0.0.1\r\n\r\n"); rest > 0; {
				const name = "Cookie: a=\r\n"
				n := min(rest, 4096)
				if rest-n < len(name) {
					n = rest
				}
				cookies += "Cookie: a=" + strings.Repeat("x", n-len(name)) + "\r\n"
				rest -= n
			}
			go func() { io.WriteString(c, line+"Host: 127.0.0.1\r\n"+cookies+"\r\n") }() // the server may stop reading before the end
			got, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || got.StatusCode != want {
				t.Errorf("a header of %d bytes: got %v, %v, want %d", size, got, err, want)
			}
			c.Close()
			end()
			<-served
		})
	}
}

func TestShutdownFinishesTheRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, release := make(chan bool), make(chan bool)
		l, end, served := startServing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begun <- true
			<-release
			io.WriteString(w, "finished")
		}))
		c, _ := l.Dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		<-begun
		end()
		time.Sleep(5 * time.Second)
		if _, ok := l.Dial(); ok {
			t.Error("a server that ends took a new connection")
		}
		select {
		case err := <-served:
			t.Fatalf("Serve returned (%v) before the request was finished", err)
		default:
		}
		close(release)
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("the request in flight was cut off: %v", err)
		}
		if body, err := io.ReadAll(got.Body); err != nil || string(body) != "finished" {
			t.Errorf("the request in flight got %q, %v", body, err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve returned %v, want nil", err)
		}
	})
}

func TestShutdownDoesNotWaitForAHangingRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan bool)
		l, end, served := startServing(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			begun <- true
			<-r.Context().Done() // ends when the connection is closed
		}))
		c, _ := l.Dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		<-begun
		start := time.Now()
		end()
		if err := <-served; err != nil && !errors.Is(err, context.DeadlineExceeded) { // nil if its answer timeout came first
			t.Errorf("Serve returned %v, want nil or that a request was not finished in time", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the end took %v, want 10 s", took)
		}
	})
}

func TestServeReturnsTheErrorOfItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(http.NotFoundHandler())
		defer end()
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v, want the listener's error", err)
		}
	})
}
