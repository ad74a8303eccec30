//go:build unix

package httpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkRequest is the measurement behind the sweep: net/http with timeouts of its own, and without any, are
// the yardsticks. cpu-ns/op is the CPU time of both sides.
func BenchmarkRequest(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok")
	})
	for _, server := range []struct {
		name  string
		serve func(context.Context, net.Listener)
	}{
		{"sweep", func(ctx context.Context, l net.Listener) {
			Serve(ctx, l, handler, Options{Log: slog.New(slog.DiscardHandler)})
		}},
		{"net/http timeouts", func(ctx context.Context, l net.Listener) {
			serveStandard(ctx, l, &http.Server{Handler: handler, ReadTimeout: readTimeout, WriteTimeout: 2 * time.Minute, IdleTimeout: idleTimeout})
		}},
		{"net/http without", func(ctx context.Context, l net.Listener) { serveStandard(ctx, l, &http.Server{Handler: handler}) }},
	} {
		b.Run(server.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { server.serve(ctx, l); close(ended) }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			request := strings.NewReplacer("\n", "\r\n").Replace("POST / HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}")
			r := bufio.NewReader(conn)
			began := cpuTime()
			for b.Loop() {
				io.WriteString(conn, request)
				answer, err := http.ReadResponse(r, nil)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
			conn.Close()
			stop()
			<-ended
		})
	}
}

// serveStandard serves until ctx ends.
func serveStandard(ctx context.Context, l net.Listener, s *http.Server) {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	s.Serve(l)
}

// cpuTime returns the CPU time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
