package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestLiveAtTheEndEverybodyIsToldWhenToComeBackAndStaysListed(t *testing.T) { // case 33
	inLive(t, func(t *testing.T, w *liveWorld) {
		var all []*socket
		for i := range 20 {
			s, _, _ := w.enter(w.as(fmt.Sprintf("writer-%02d", i), presence.UserID(fmt.Sprint(i+1))), `"session": "a"`)
			all = append(all, s)
		}
		all = append(all, w.come(w.as("late", "99"))) // has not said hello
		for _, s := range all {
			s.all()
		}
		before := names(*w.as("watcher", "999").list().Users)
		began := time.Now()
		w.end()
		times := map[float64]bool{}
		for _, s := range all {
			m := s.next("error")
			if m.Code != "draining" || m.RetryAfter < 0.5 || m.RetryAfter > 20.5 {
				t.Errorf("at the end there came %s", m.text)
			}
			times[m.RetryAfter] = true
			s.ends(1012)
		}
		if len(times) < 18 { // of up to a thousand
			t.Errorf("%d connections are told %d times to come back", len(all), len(times))
		}
		<-w.ended
		if took := time.Since(began); took > time.Second {
			t.Errorf("the end took %v", took)
		}
		got := w.do("GET", livePath, nil, upgrading(w, "Authorization", "Bearer "+w.as("alice", "1").token)...)
		got.fails(t, 503, "draining")
		if got.header.Get("Retry-After") == "" {
			t.Error("who comes to the end is not told when to come back")
		}
		time.Sleep(90 * time.Second)
		w.isListed(before)
		if logged := w.logs.String(); logged != "" {
			t.Errorf("the log is %q; an end is no failure", logged)
		}
	})
}

func TestLiveTheEndDoesNotWaitForWhoeverDoesNotRead(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		deaf, _, _ := w.enter(w.as("deaf", "1"), `"session": "a"`)
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b"`)
		bob.all()
		deaf.deaf()
		began := time.Now()
		w.end()
		bob.next("error")
		bob.ends(1012)
		if took := time.Since(began); took > time.Second {
			t.Errorf("bob was told after %v", took)
		}
		<-w.ended
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the end took %v; a last word may take 1 s", took)
		}
		time.Sleep(time.Minute)
		w.isListed("bob deaf")
	})
}
