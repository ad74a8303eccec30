package live_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

func TestLiveAtTheEndEverybodyIsToldWhenToComeBackAndStaysListed(t *testing.T) { // case 33
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		var all []*servertest.Socket
		for i := range 20 {
			s, _, _ := w.Join(w.As(fmt.Sprintf("writer-%02d", i), presence.UserID(fmt.Sprint(i+1))), `"session": "a"`)
			all = append(all, s)
		}
		all = append(all, w.ConnectAs(w.As("late", "99"))) // has not said hello
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
				t.Errorf("at the end there came %s", m.Text)
			}
			times[m.RetryAfter] = true
			s.ExpectClose(1012)
		}
		if len(times) < 18 { // of up to a thousand
			t.Errorf("%d connections are told %d times to come back", len(all), len(times))
		}
		<-w.Stopped
		if took := time.Since(began); took > time.Second {
			t.Errorf("the end took %v", took)
		}
		got := w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer "+w.As("alice", "1").Token)...)
		got.ExpectError(t, 503, "draining")
		if got.Header.Get("Retry-After") == "" {
			t.Error("who comes to the end is not told when to come back")
		}
		time.Sleep(90 * time.Second)
		w.ExpectListed(before)
		if logged := w.Logs.String(); logged != "" {
			t.Errorf("the log is %q; an end is no failure", logged)
		}
	})
}

func TestLiveTheEndDoesNotWaitForWhoeverDoesNotRead(t *testing.T) {
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
			t.Errorf("bob was told after %v", took)
		}
		<-w.Stopped
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the end took %v; a last word may take 1 s", took)
		}
		time.Sleep(time.Minute)
		w.ExpectListed("bob deaf")
	})
}
