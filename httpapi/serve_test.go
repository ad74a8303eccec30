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

// serving runs httpserver.Serve in a bubble until stop is called, which gives its error.
func serving(h http.Handler) (l *servertest.PipeListener, end context.CancelFunc, served <-chan error) {
	l = servertest.NewPipeListener()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- httpserver.Serve(ctx, l, h, httpserver.Options{Log: slog.New(slog.DiscardHandler)}) }()
	return l, cancel, done
}

// presenceOn is the whole handler, for httpserver.Serve.
func presenceOn(t *testing.T) http.Handler {
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

func TestASlowBodyIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := serving(presenceOn(t))
		for _, path := range []string{"/writer/api/project/p/presence/update/", servertest.DevTokenPath} {
			c, _ := l.Dial()
			start := time.Now()
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"section\"", path)
			got, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("after %v a slow body got no answer: %v; due is 408", time.Since(start), err)
			}
			body, _ := io.ReadAll(got.Body)
			servertest.Response{Status: got.StatusCode, Header: got.Header, Body: string(body)}.ExpectError(t, 408, "timeout")
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("the answer came after %v, due is 5 s", took)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the connection stayed open")
			}
			c.Close()
		}
		end()
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
}

func TestASlowHeaderIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := serving(presenceOn(t))
		for _, sent := range []string{"", "P", "POST /writer/api/project/p/presence/update/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "} {
			c, _ := l.Dial()
			start := time.Now()
			io.WriteString(c, sent)
			// Of half a first line net/http says that it is none; of the rest nothing.
			if got, err := io.ReadAll(c); err != nil || len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 400 ") {
				t.Errorf("after %q came %q, %v; due is the end", sent, got, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("after %q the connection was held for %v, due is 5 s at most", sent, took)
			}
			c.Close()
		}
		end()
		<-served
	})
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := serving(presenceOn(t))
		c, _ := l.Dial()
		io.WriteString(c, "GET /writer/api/project/p/presence/list/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		r := bufio.NewReader(c)
		got, err := http.ReadResponse(r, nil)
		if err != nil || got.StatusCode != 200 {
			t.Fatalf("the list answered %v, %v", got, err)
		}
		io.Copy(io.Discard, got.Body)
		start := time.Now()
		if _, err := r.ReadByte(); err != io.EOF || time.Since(start) != 2*time.Minute {
			t.Errorf("the idle connection ended after %v with %v; due is 2 min, EOF", time.Since(start), err)
		}
		end()
		<-served
	})
}

func TestAHeaderOfAnySizeIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := serving(presenceOn(t))
		c, _ := l.Dial()
		go func() { // the server stops reading in the midst of it
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 1<<20))
		}()
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 1 MiB got %v, %v; due is 431", got, err)
		}
		c.Close()
		end()
		<-served
	})
}

func TestAtTheEndTheRequestInFlightIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, release := make(chan bool), make(chan bool)
		l, end, served := serving(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
			t.Errorf("Serve ended with %v; due is nil", err)
		}
	})
}

func TestTheEndDoesNotWaitForeverForAHangingRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan bool)
		l, end, served := serving(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			begun <- true
			<-r.Context().Done() // which the end of its connection ends
		}))
		c, _ := l.Dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		<-begun
		start := time.Now()
		end()
		if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Serve ended with %v; due is that a request was not finished in time", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the end took %v, due is 5 s", took)
		}
	})
}

func TestAListenerThatFailsEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := serving(http.NotFoundHandler())
		defer end()
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve ended with %v; due is the listener's error", err)
		}
	})
}
