package live_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestOpenConnectionDoesNotRenew(t *testing.T) { // rule 11, case 8
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
		began := time.Now()
		time.Sleep(time.Minute)
		bob.Send("update", "")
		bob.Next("ack")
		alice.SendFrame(0x89, nil) // a ping does not renew
		if delta := bob.NextWithin(time.Minute + late); len(delta.Left) != 1 || delta.Left[0] != 1.0 {
			t.Errorf("got %s, want alice in left", delta.Text)
		}
		if took := time.Since(began); took < 2*time.Minute-late || took > 2*time.Minute+late {
			t.Errorf("alice's session expired after %v, want 2 min", took)
		}
		alice.Pending()
		alice.ExpectClose(0)
		if took := time.Since(began); took > 2*time.Minute+6*time.Second {
			t.Errorf("the connection of an expired session ended after %v, want 5 s after it at most", took)
		}
		if n := len(alice.Pings); n != 3 {
			t.Errorf("got %d pings in 2 min, want one after each 31 to 36 s of silence", n)
		}
		bob.ExpectNothing(20 * time.Second)
	})
}

func TestConnectionWithoutPongIsClosed(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice := w.ConnectAs(w.As("alice", "1"))
		alice.IgnorePings = true
		alice.Send("hello", `"session": "a", "section": "s"`)
		alice.Next("ack")
		alice.Next("snapshot")
		bob.Pending()
		first := <-alice.Pings
		alice.ExpectClose(0)
		if took := time.Since(first); took != 20*time.Second {
			t.Errorf("connection without pongs ended %v after the first ping, want 20 s", took)
		}
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after her connection was closed, want 15 s", took)
		}
	})
}

func TestClientWithHeartbeatsIsNotPinged(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		for range 20 {
			time.Sleep(30 * time.Second)
			alice.Send("update", "")
			alice.Next("ack")
		}
		if n := len(alice.Pings); n != 0 {
			t.Errorf("got %d pings in ten minutes of heartbeats, want none", n)
		}
	})
}

func TestMessageCountsAsPong(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice := w.ConnectAs(w.As("alice", "1"))
		alice.IgnorePings = true
		alice.Send("hello", `"session": "a", "section": "s"`)
		for range 20 {
			<-alice.Pings
			time.Sleep(19 * time.Second)
			alice.Send("update", `"section": "s"`)
			alice.SkipTo("ack")
			for len(alice.Pings) > 0 {
				<-alice.Pings
			}
		}
	})
}

func TestPingsAreSpread(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		var all []*servertest.Socket
		for i := range 5 {
			s, _, _ := w.Join(w.As("alice", "1"), fmt.Sprintf(`"session": "%d"`, i))
			all = append(all, s)
		}
		seen := map[time.Time]bool{}
		for _, s := range all {
			first := <-s.Pings
			seen[first.Truncate(100*time.Millisecond)] = true
			if second := <-s.Pings; second.Sub(first) != 35*time.Second {
				t.Errorf("time between two pings: got %v, want 35 s", second.Sub(first))
			}
		}
		if len(seen) != len(all) {
			t.Errorf("%d connections: got pings at %d times, want each at its own", len(all), len(seen))
		}
	})
}

// Messages wait while clients are pinged. Clients that connected at once, after a restart, are silent at once.
func TestAtMost20ClientsArePingedWithoutAPause(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		const n = 500
		var all []*servertest.Socket
		for i := range n {
			s := w.ConnectTo(strings.Replace(servertest.LivePath, "/p/", fmt.Sprintf("/p%d/", i%25), 1))
			s.Send("hello", fmt.Sprintf(`"token": "%s", "session": "a"`, w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+1))).Token))
			all = append(all, s)
		}
		pinged := map[time.Time]int{}
		for _, s := range all {
			pinged[<-s.Pings]++
		}
		for at, n := range pinged {
			if n > 20 {
				t.Errorf("%d clients were pinged at %v, want 20 at most", n, at)
			}
		}
	})
}

func TestConfiguredLeaseIsUsed(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		began := time.Now()
		alice.ExpectClose(0)
		if took := time.Since(began); took < 40*time.Second || took > 66*time.Second {
			t.Errorf("a silent connection with a lease of 40 s ended after %v, want 40 to 66 s", took)
		}
	}, func(p *servertest.Config) { p.Lease = 40 * time.Second })
}

func TestChangeDuringPingRoundClosesNobody(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		var all []*servertest.Socket
		for i := range 30 {
			s, _, _ := w.Join(w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+1))), `"session": "a"`)
			all = append(all, s)
		}
		p := w.As("zoe", "99")
		first := <-all[0].Pings
		for round := 1; round <= 60; round++ {
			time.Sleep(time.Until(first.Add(time.Duration(round)*35*time.Second + time.Duration(round%30)*100*time.Millisecond)))
			p.Update(fmt.Sprintf(`{"section": "s%d"}`, round))
			for i, s := range all {
				if s.Closed() {
					t.Fatalf("round %d: the connection of writer %d was closed, though it reads and answers pings", round, i)
				}
				if round%2 == 0 { // within the lease, and seldom enough for pings
					s.Send("update", "")
				}
			}
		}
	})
}
