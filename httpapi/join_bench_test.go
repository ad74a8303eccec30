//go:build unix

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

// staticStore is a store without changes, so that the benchmark measures connections only.
type staticStore struct{ snapshot *presence.Snapshot }

func (s staticStore) Update(context.Context, presence.Project, presence.User, presence.Update) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s staticStore) Leave(context.Context, presence.Project, presence.User, presence.Leave) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s staticStore) Remove(context.Context, presence.Project, presence.Removal) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s staticStore) Sessions(context.Context, presence.Project) (*presence.Snapshot, []presence.Record, error) {
	return s.snapshot, nil, nil
}
func (s staticStore) Projects(context.Context, presence.ProjectFilter, string, int) ([]presence.ActiveProject, string, error) {
	return nil, "", nil
}
func (s staticStore) Move(context.Context, presence.Project, presence.Section, presence.Section) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s staticStore) Save(context.Context, presence.Project, presence.User, presence.Saved) (presence.Reply, error) {
	return presence.Reply{Version: s.snapshot.Version, Durable: true}, nil
}
func (s staticStore) Snapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	return s.snapshot, nil
}
func (s staticStore) FreshSnapshot(context.Context, presence.Project) (*presence.Snapshot, error) {
	return s.snapshot, nil
}
func (s staticStore) Watch(presence.Project, func()) (stop func()) { return func() {} }

// tokenIsID uses the token as the id of the user.
type tokenIsID struct{}

func (tokenIsID) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	if r.Token == "" {
		return identity.Principal{}, identity.ErrNobody
	}
	return identity.Principal{User: presence.User{ID: presence.UserID(r.Token), Name: "writer"}}, nil
}

// joinRoom opens a live connection and says hello. It returns the connection and the time from the hello to the ack.
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

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJoins lets 10,000 users join one room, 64 at a time, while other users join another room one by one. One
// operation is all 10,000. It reports the time from hello to ack of the other users, and the CPU time of server and
// clients.
func BenchmarkJoins(b *testing.B) {
	const users, atOnce = 10_000, 64
	var waits []time.Duration
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		l := servertest.NewPipeListener()
		h, err := httpapi.New(httpapi.Options{
			Service: presence.NewService(staticStore{&presence.Snapshot{Version: 1}}), Authenticator: tokenIsID{},
			UserRate: identity.NoLimit, AddressRate: identity.NoLimit, Log: slog.New(slog.DiscardHandler),
			AddressConnections: -1, // all clients have one address
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
