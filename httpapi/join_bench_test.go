package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// still is a store in which nothing happens, so that a benchmark measures the connections.
type still struct{ snapshot *presence.Snapshot }

func (s still) Update(context.Context, presence.Project, presence.User, presence.Update) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s still) Leave(context.Context, presence.Project, presence.User, presence.Leave) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s still) Snapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	return s.snapshot, nil
}
func (s still) FreshSnapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	return s.snapshot, nil
}
func (s still) Watch(presence.Project, func()) (stop func()) { return func() {} }

// byToken takes the token for the id of the user.
type byToken struct{}

func (byToken) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	if r.Token == "" {
		return identity.Principal{}, identity.ErrNobody
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(r.Token), Name: "writer"}}, nil
}

// joinRoom opens a live connection and says hello on it. It returns the connection and the time
// from the hello to the ack.
func joinRoom(l *servertest.PipeListener, room, user string) (net.Conn, time.Duration, error) {
	conn, ok := l.Dial()
	if !ok {
		return nil, 0, errors.New("nobody listens")
	}
	go io.WriteString(conn, servertest.HandshakeRequest("127.0.0.1:8080", "/writer/api/project/"+room+"/presence/live/"))
	in := bufio.NewReaderSize(conn, 512)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return nil, 0, err
		}
	}
	began := time.Now()
	go conn.Write(servertest.MaskedFrame(0x81, fmt.Appendf(nil, `{"type":"hello","session":"s","seq":1,"token":"%s","known_version":1}`, user)))
	for {
		_, payload, err := servertest.ReadFrame(in)
		if err != nil {
			return nil, 0, err
		}
		if bytes.Contains(payload, []byte(`"ack"`)) {
			took := time.Since(began)
			go io.Copy(io.Discard, in)
			return conn, took, nil
		}
		if bytes.Contains(payload, []byte(`"error"`)) {
			return nil, 0, errors.New(string(payload))
		}
	}
}

// cpuTime is the CPU time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJoins has 10,000 users join one room, 64 at a time, while others join another room
// one after the other. An operation is all 10,000. It reports how long those others wait from
// their hello to its ack, and the CPU time of all, clients too.
func BenchmarkJoins(b *testing.B) {
	const users, atOnce = 10_000, 64
	var waits []time.Duration
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		l := servertest.NewPipeListener()
		h, err := httpapi.New(httpapi.Options{
			Service: presence.NewService(still{&presence.Snapshot{Version: 1}}), Authenticator: byToken{},
			UserRate: identity.NoLimit, AddressRate: identity.NoLimit, Log: slog.New(slog.DiscardHandler),
			AddressConnections: -1, // all come from one
		})
		if err != nil {
			b.Fatal(err)
		}
		ctx, end := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		serving.Go(func() { h.Serve(ctx, l) })
		serving.Go(func() { h.Run(ctx) })
		conns := make([]net.Conn, users)
		var joining, probing sync.WaitGroup
		joined := make(chan struct{})
		next := make(chan int)
		before := cpuTime()
		b.StartTimer()
		for range atOnce {
			joining.Go(func() {
				for i := range next {
					var err error
					if conns[i], _, err = joinRoom(l, "large", fmt.Sprint(i+1)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		probing.Go(func() {
			for {
				select {
				case <-joined:
					return
				default:
				}
				conn, took, err := joinRoom(l, "other", "1")
				if err != nil {
					b.Error(err)
					return
				}
				waits = append(waits, took)
				conn.Close()
			}
		})
		for i := range users {
			next <- i
		}
		close(next)
		joining.Wait()
		close(joined)
		b.StopTimer()
		cpu += cpuTime() - before
		probing.Wait()
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
		end()
		serving.Wait()
		b.StartTimer()
	}
	slices.Sort(waits)
	of := func(share float64) float64 {
		return float64(waits[int(share*float64(len(waits)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(of(0.5), "ms-other-p50")
	b.ReportMetric(of(0.99), "ms-other-p99")
	b.ReportMetric(of(1), "ms-other-max")
}
