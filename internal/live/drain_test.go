package live_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

func TestShutdownSendsRetryAfterAndKeepsSessions(t *testing.T) { // case 33
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		var all []*servertest.Socket
		for i := range 20 {
			s, _, _ := w.Join(w.As(fmt.Sprintf("writer-%02d", i), presence.UserID(fmt.Sprint(i+1))), `"session": "a"`)
			all = append(all, s)
		}
		all = append(all, w.ConnectAs(w.As("late", "99"))) // before its hello
		for _, s := range all {
			s.Pending()
		}
		before := servertest.Names(*w.As("watcher", "999").List().Users)
		began := time.Now()
		w.Shutdown()
		times := map[float64]bool{}
		for _, s := range all {
			m := s.Next("error")
			if m.Code != "draining" || m.RetryAfter < 0.5 || m.RetryAfter > 20.5 {
				t.Errorf("got %s, want draining with a retry_after from 0.5 to 20.5", m.Text)
			}
			times[m.RetryAfter] = true
			s.ExpectClose(1012)
		}
		if len(times) < 18 { // random values may collide
			t.Errorf("%d connections: got %d different retry_after, want at least 18", len(all), len(times))
		}
		<-w.Stopped
		if took := time.Since(began); took > time.Second {
			t.Errorf("shutdown took %v, want 1s at most", took)
		}
		got := w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer "+w.As("alice", "1").Token)...)
		got.ExpectError(t, 503, "draining")
		if got.Header.Get("Retry-After") == "" {
			t.Error("handshake during shutdown: got no Retry-After, want one")
		}
		time.Sleep(90 * time.Second)
		w.ExpectListed(before)
		if logged := w.Logs.String(); logged != "" {
			t.Errorf("log: got %q, want nothing", logged)
		}
	})
}

func TestShutdownDoesNotWaitForBlockedReaders(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		deaf, _, _ := w.Join(w.As("deaf", "1"), `"session": "a"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		bob.Pending()
		deaf.StopReading()
		began := time.Now()
		w.Shutdown()
		bob.Next("error")
		bob.ExpectClose(1012)
		if took := time.Since(began); took > time.Second {
			t.Errorf("bob's error: got it after %v, want 1s at most", took)
		}
		<-w.Stopped
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("shutdown took %v, want 2s at most", took)
		}
		time.Sleep(time.Minute)
		w.ExpectListed("bob deaf")
	})
}
