package live_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// late is how late news may be: the store looks for what has lapsed four times a second.
const late = time.Second

// ofTwo is a world in which bob watches alice, who is in a section. The number of her last
// message is 1, or none.
func ofTwo(t *testing.T, numbered bool, test func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client)) {
	t.Helper()
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		p := w.As("alice", "1")
		hello := `"session": "a", "section": "s"`
		if numbered {
			hello += `, "seq": 1`
		}
		alice, _, _ := w.Join(p, hello)
		bob.Pending()
		test(w, alice, bob, p)
	})
}

func TestLiveRule9ABrokenConnectionLeavesItsSessionFifteenSeconds(t *testing.T) { // rule 9
	for _, numbered := range []bool{true, false} {
		ofTwo(t, numbered, func(w *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
			alice.Conn.Close()
			if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
				t.Errorf("the connection broke, and alice left after %v; due is 15 s", took)
			}
			w.ExpectListed("bob")
		})
	}
}

func TestLiveRule9AConnectionThatRepeatsAHelloTakesNothingFromTheOneBefore(t *testing.T) { // rule 9
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		zoe, _, _ := w.Join(w.As("zoe", "9"), `"session": "z"`)
		p := w.As("alice", "1")
		first, _, _ := w.Join(p, `"session": "a", "seq": 1`)
		zoe.Next("delta")
		second := w.ConnectAs(p)
		second.Send("hello", `"session": "a", "seq": 1`)
		if ack := second.Next("ack"); !ack.Stale {
			t.Errorf("a repeated hello was answered %s", ack.Text)
		}
		second.Conn.Close()
		time.Sleep(time.Second)
		first.Conn.Close()
		if took := zoe.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("both connections broke, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AClosedTabIsABrokenConnection(t *testing.T) { // a page that could not say leave
	ofTwo(t, true, func(_ *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
		alice.SendFrame(0x88, []byte{0x03, 0xe9}) // 1001
		alice.ExpectClose(1001)
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("the connection was closed, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9WhoComesBackInTimeShowsOnNobodysScreen(t *testing.T) { // rule 9, case 7
	for _, overHTTP := range []bool{true, false} {
		ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
			alice.Conn.Close()
			bob.ExpectNothing(14 * time.Second)
			if overHTTP {
				p.Update(`{"session": "a", "seq": 2, "section": "s"}`)
			} else {
				w.Join(p, `"session": "a", "seq": 2, "section": "s"`)
			}
			bob.ExpectNothing(time.Minute + 30*time.Second)
			w.ExpectListed("alice bob")
		})
	}
}

func TestLiveRule9AnOldConnectionThatBreaksEndsNoSessionThatHasANewOne(t *testing.T) { // rule 9
	for _, numbered := range []bool{true, false} {
		ofTwo(t, numbered, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
			hello := `"session": "a", "section": "s"`
			if numbered {
				hello += `, "seq": 2`
			}
			w.Join(p, hello)
			time.Sleep(time.Second)
			alice.Conn.Close()
			t.Logf("numbered: %v", numbered)
			bob.ExpectNothing(time.Minute)
		})
	}
}

// Without numbers only the connection itself tells which of two was the last to speak; the two
// may be on two nodes, which share a store and nothing else.
func TestLiveRule9ASessionWithoutNumbersOutlivesAConnectionThatAnotherWayReplaced(t *testing.T) { // rule 9
	for name, takeOver := range map[string]func(w, other *servertest.LiveServer, p *servertest.Client){
		"a connection to another node": func(_, other *servertest.LiveServer, p *servertest.Client) {
			other.Join(p, `"session": "a", "section": "s"`)
		},
		"an update over HTTP": func(w, _ *servertest.LiveServer, p *servertest.Client) { p.Update(`{"session": "a", "section": "s"}`) },
		"an update over HTTP, elsewhere": func(_, other *servertest.LiveServer, p *servertest.Client) {
			(&servertest.Client{Server: other.Server, Address: p.Address, Token: p.Token}).Update(`{"session": "a", "section": "s"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var shared presence.Store
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				other := w.AnotherNode(shared)
				bob, _, _ := other.Join(w.As("bob", "2"), `"session": "b"`)
				p := w.As("alice", "1")
				alice, _, _ := w.Join(p, `"session": "a", "section": "s"`)
				bob.Pending()
				takeOver(w, other, p)
				time.Sleep(time.Second)
				alice.Conn.Close()
				bob.ExpectNothing(time.Minute)
				w.ExpectListed("alice bob")
			}, func(p *servertest.Config) {
				p.WrapStore = func(s presence.Store) presence.Store { shared = s; return s }
			})
		})
	}
}

func TestLiveRule9AnOldConnectionThatGoesOnAfterTheNewOneBrokeIsTheSessionsAgain(t *testing.T) { // rule 9
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		again, _, _ := w.Join(p, `"session": "a", "seq": 2, "section": "s"`)
		again.Conn.Close()
		time.Sleep(5 * time.Second)
		alice.Send("update", `"seq": 3, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale {
			t.Fatalf("a newer message was answered %s", ack.Text)
		}
		bob.ExpectNothing(20 * time.Second)
		alice.Conn.Close()
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("the connection broke, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AConnectionThatSaidTheSameLaterEndsNoSessionThatSaidItOverHTTP(t *testing.T) { // rule 9
	ofTwo(t, true, func(_ *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		p.Update(`{"session": "a", "seq": 5, "section": "s"}`)
		alice.Send("update", `"seq": 5, "section": "s"`)
		if ack := alice.Next("ack"); !ack.Stale {
			t.Fatalf("the same message again was answered %s", ack.Text)
		}
		alice.Conn.Close()
		bob.ExpectNothing(time.Minute)
	})
}

func TestLiveAnOlderLeaveEndsTheConnectionAndNotTheSession(t *testing.T) { // rule 8
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		alice.Send("update", `"seq": 5, "section": "s"`)
		alice.Next("ack")
		alice.Send("leave", `"seq": 3`)
		if ack := alice.Next("ack"); !ack.Stale {
			t.Errorf("an older leave was answered %s", ack.Text)
		}
		alice.ExpectClose(1000)
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("without its connection alice's session lasted %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AHiddenLeaveWaitsThreeSecondsAndAnotherNone(t *testing.T) { // rule 9
	for hidden, due := range map[bool]time.Duration{true: 3 * time.Second, false: 0} {
		ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
			began := time.Now()
			alice.Send("leave", fmt.Sprintf(`"seq": 2, "hidden": %v`, hidden))
			if ack := alice.SkipTo("ack"); ack.Seq != 2 || ack.You != nil || ack.Version == 0 {
				t.Errorf("the leave was answered %s", ack.Text)
			}
			alice.ExpectClose(1000)
			bob.ExpectLeft("alice", 1.0, time.Minute)
			if took := time.Since(began); took < due || took > due+late {
				t.Errorf("a leave, hidden %v, took effect after %v; due is %v", hidden, took, due)
			}
			bob.ExpectNothing(20 * time.Second)
		})
	}
}

func TestLiveRule9AReloadShowsOnNobodysScreen(t *testing.T) { // rule 9, case 7
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		alice.Send("leave", `"seq": 2, "hidden": true`)
		alice.ExpectClose(1000)
		time.Sleep(2 * time.Second)
		w.Join(p, `"session": "a2", "seq": 1, "section": "s"`)
		bob.ExpectNothing(time.Minute)
	})
}

func TestLiveALapseOfSomebodyWhoPolledIsToldToo(t *testing.T) { // rule 1, case 5
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		w.As("alice", "1").Update(`{"section": "s"}`)
		began := time.Now()
		bob.Pending()
		time.Sleep(time.Minute)
		bob.Send("update", "")
		bob.Next("ack")
		bob.ExpectLeft("alice", 1.0, 2*time.Minute)
		if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+late {
			t.Errorf("bob was told after %v; due is 2 min, and a second at most", took)
		}
	})
}
