package live_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// late is how late a change may arrive; the store checks for expired sessions four times a second.
const late = time.Second

// ofTwo runs a test with live connections of bob and of alice, who is in section s. If numbered, the seq of her
// hello is 1.
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

func TestBrokenConnectionLeavesSessionFor15Seconds(t *testing.T) { // rule 9
	for _, numbered := range []bool{true, false} {
		ofTwo(t, numbered, func(w *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
			alice.Conn.Close()
			if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
				t.Errorf("alice left %v after the break, want 15 s", took)
			}
			w.ExpectListed("bob")
		})
	}
}

func TestRepeatedHelloDoesNotTakeOverTheSession(t *testing.T) { // rule 9
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		zoe, _, _ := w.Join(w.As("zoe", "9"), `"session": "z"`)
		p := w.As("alice", "1")
		first, _, _ := w.Join(p, `"session": "a", "seq": 1`)
		zoe.Next("delta")
		second := w.ConnectAs(p)
		second.Send("hello", `"session": "a", "seq": 1`)
		if ack := second.Next("ack"); !ack.Stale {
			t.Errorf("repeated hello: got %s, want stale", ack.Text)
		}
		second.Conn.Close()
		time.Sleep(time.Second)
		first.Conn.Close()
		if took := zoe.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after both connections broke, want 15 s", took)
		}
	})
}

func TestClose1001LeavesSessionFor15Seconds(t *testing.T) { // rule 9
	ofTwo(t, true, func(_ *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
		alice.SendFrame(0x88, []byte{0x03, 0xe9}) // 1001
		alice.ExpectClose(1001)
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after the close, want 15 s", took)
		}
	})
}

func TestReturnWithin15SecondsSendsNothing(t *testing.T) { // rule 9, case 7
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

func TestOldConnectionBreakKeepsSessionWithNewConnection(t *testing.T) { // rule 9
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

// Without seq only the connection itself shows which was the last to send. The two may be on different nodes.
func TestSessionWithoutSeqSurvivesReplacedConnection(t *testing.T) { // rule 9
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

func TestOldConnectionRegainsSessionWithNewerUpdate(t *testing.T) { // rule 9
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		again, _, _ := w.Join(p, `"session": "a", "seq": 2, "section": "s"`)
		again.Conn.Close()
		time.Sleep(5 * time.Second)
		alice.Send("update", `"seq": 3, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale {
			t.Fatalf("newer message: got %s, want not stale", ack.Text)
		}
		bob.ExpectNothing(20 * time.Second)
		alice.Conn.Close()
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after the break, want 15 s", took)
		}
	})
}

func TestStaleLiveUpdateDoesNotTakeSessionFromHTTP(t *testing.T) { // rule 9
	ofTwo(t, true, func(_ *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		p.Update(`{"session": "a", "seq": 5, "section": "s"}`)
		alice.Send("update", `"seq": 5, "section": "s"`)
		if ack := alice.Next("ack"); !ack.Stale {
			t.Fatalf("repeated message: got %s, want stale", ack.Text)
		}
		alice.Conn.Close()
		bob.ExpectNothing(time.Minute)
	})
}

func TestOlderLeaveEndsConnectionButNotSession(t *testing.T) { // rule 8
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		alice.Send("update", `"seq": 5, "section": "s"`)
		alice.Next("ack")
		alice.Send("leave", `"seq": 3`)
		if ack := alice.Next("ack"); !ack.Stale {
			t.Errorf("older leave: got %s, want stale", ack.Text)
		}
		alice.ExpectClose(1000)
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after her connection closed, want 15 s", took)
		}
	})
}

func TestHiddenLeaveWaits3Seconds(t *testing.T) { // rule 9
	for hidden, want := range map[bool]time.Duration{true: 3 * time.Second, false: 0} {
		ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, _ *servertest.Client) {
			began := time.Now()
			alice.Send("leave", fmt.Sprintf(`"seq": 2, "hidden": %v`, hidden))
			if ack := alice.SkipTo("ack"); ack.Seq != 2 || ack.You != nil || ack.Version == 0 {
				t.Errorf("leave: got %s, want an ack of seq 2 with a version and without a user", ack.Text)
			}
			alice.ExpectClose(1000)
			bob.ExpectLeft("alice", 1.0, time.Minute)
			if took := time.Since(began); took < want || took > want+late {
				t.Errorf("leave with hidden %v: took effect after %v, want %v", hidden, took, want)
			}
			bob.ExpectNothing(20 * time.Second)
		})
	}
}

func TestReloadSendsNothing(t *testing.T) { // rule 9, case 7
	ofTwo(t, true, func(w *servertest.LiveServer, alice, bob *servertest.Socket, p *servertest.Client) {
		alice.Send("leave", `"seq": 2, "hidden": true`)
		alice.ExpectClose(1000)
		time.Sleep(2 * time.Second)
		w.Join(p, `"session": "a2", "seq": 1, "section": "s"`)
		bob.ExpectNothing(time.Minute)
	})
}

func TestExpiryOfPollingSessionIsSent(t *testing.T) { // rule 1, case 5
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
			t.Errorf("delta for bob: got it after %v, want 2 min and a second at most", took)
		}
	})
}
