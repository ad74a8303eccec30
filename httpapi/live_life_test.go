package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// late is how late news may be: the store looks for what has lapsed four times a second.
const late = time.Second

// ofTwo is a world in which bob watches alice, who is in a section. The number of her last
// message is 1, or none.
func ofTwo(t *testing.T, numbered bool, test func(w *liveWorld, alice, bob *socket, p *person)) {
	t.Helper()
	inLive(t, func(t *testing.T, w *liveWorld) {
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b"`)
		p := w.as("alice", "1")
		hello := `"session": "a", "section": "s"`
		if numbered {
			hello += `, "seq": 1`
		}
		alice, _, _ := w.enter(p, hello)
		bob.all()
		test(w, alice, bob, p)
	})
}

func TestLiveRule9ABrokenConnectionLeavesItsSessionFifteenSeconds(t *testing.T) {
	for _, numbered := range []bool{true, false} {
		ofTwo(t, numbered, func(w *liveWorld, alice, bob *socket, _ *person) {
			alice.conn.Close()
			if took := bob.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
				t.Errorf("the connection broke, and alice left after %v; due is 15 s", took)
			}
			w.isListed("bob")
		})
	}
}

func TestLiveRule9AConnectionThatRepeatsAHelloTakesNothingFromTheOneBefore(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		zoe, _, _ := w.enter(w.as("zoe", "9"), `"session": "z"`)
		p := w.as("alice", "1")
		first, _, _ := w.enter(p, `"session": "a", "seq": 1`)
		zoe.next("delta")
		second := w.come(p)
		second.say("hello", `"session": "a", "seq": 1`)
		if ack := second.next("ack"); !ack.Stale {
			t.Errorf("a repeated hello was answered %s", ack.text)
		}
		second.conn.Close()
		time.Sleep(time.Second)
		first.conn.Close()
		if took := zoe.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("both connections broke, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AClosedTabIsABrokenConnection(t *testing.T) { // a page that could not say leave
	ofTwo(t, true, func(_ *liveWorld, alice, bob *socket, _ *person) {
		alice.frame(0x88, []byte{0x03, 0xe9}) // 1001
		alice.ends(1001)
		if took := bob.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("the connection was closed, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9WhoComesBackInTimeShowsOnNobodysScreen(t *testing.T) { // case 7
	for _, overHTTP := range []bool{true, false} {
		ofTwo(t, true, func(w *liveWorld, alice, bob *socket, p *person) {
			alice.conn.Close()
			bob.quiet(14 * time.Second)
			if overHTTP {
				p.update(`{"session": "a", "seq": 2, "section": "s"}`)
			} else {
				w.enter(p, `"session": "a", "seq": 2, "section": "s"`)
			}
			bob.quiet(time.Minute + 30*time.Second)
			w.isListed("alice bob")
		})
	}
}

func TestLiveRule9AnOldConnectionThatBreaksEndsNoSessionThatHasANewOne(t *testing.T) {
	for _, numbered := range []bool{true, false} {
		ofTwo(t, numbered, func(w *liveWorld, alice, bob *socket, p *person) {
			hello := `"session": "a", "section": "s"`
			if numbered {
				hello += `, "seq": 2`
			}
			w.enter(p, hello)
			time.Sleep(time.Second)
			alice.conn.Close()
			t.Logf("numbered: %v", numbered)
			bob.quiet(time.Minute)
		})
	}
}

// Without numbers only the connection itself tells which of two was the last to speak; the two
// may be on two nodes, which share a store and nothing else.
func TestLiveRule9ASessionWithoutNumbersOutlivesAConnectionThatAnotherWayReplaced(t *testing.T) {
	for name, takeOver := range map[string]func(w, other *liveWorld, p *person){
		"a connection to another node": func(_, other *liveWorld, p *person) { other.enter(p, `"session": "a", "section": "s"`) },
		"an update over HTTP":          func(w, _ *liveWorld, p *person) { p.update(`{"session": "a", "section": "s"}`) },
		"an update over HTTP, elsewhere": func(_, other *liveWorld, p *person) {
			(&person{w: other.world, address: p.address, token: p.token}).update(`{"session": "a", "section": "s"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var shared presence.Store
			inLive(t, func(t *testing.T, w *liveWorld) {
				other := w.beside(shared)
				bob, _, _ := other.enter(w.as("bob", "2"), `"session": "b"`)
				p := w.as("alice", "1")
				alice, _, _ := w.enter(p, `"session": "a", "section": "s"`)
				bob.all()
				takeOver(w, other, p)
				time.Sleep(time.Second)
				alice.conn.Close()
				bob.quiet(time.Minute)
				w.isListed("alice bob")
			}, func(p *plan) { p.Store = func(s presence.Store) presence.Store { shared = s; return s } })
		})
	}
}

func TestLiveRule9AnOldConnectionThatGoesOnAfterTheNewOneBrokeIsTheSessionsAgain(t *testing.T) {
	ofTwo(t, true, func(w *liveWorld, alice, bob *socket, p *person) {
		again, _, _ := w.enter(p, `"session": "a", "seq": 2, "section": "s"`)
		again.conn.Close()
		time.Sleep(5 * time.Second)
		alice.say("update", `"seq": 3, "section": "s"`)
		if ack := alice.next("ack"); ack.Stale {
			t.Fatalf("a newer message was answered %s", ack.text)
		}
		bob.quiet(20 * time.Second)
		alice.conn.Close()
		if took := bob.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("the connection broke, and alice left after %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AConnectionThatSaidTheSameLaterEndsNoSessionThatSaidItOverHTTP(t *testing.T) {
	ofTwo(t, true, func(_ *liveWorld, alice, bob *socket, p *person) {
		p.update(`{"session": "a", "seq": 5, "section": "s"}`)
		alice.say("update", `"seq": 5, "section": "s"`)
		if ack := alice.next("ack"); !ack.Stale {
			t.Fatalf("the same message again was answered %s", ack.text)
		}
		alice.conn.Close()
		bob.quiet(time.Minute)
	})
}

func TestLiveAnOlderLeaveEndsTheConnectionAndNotTheSession(t *testing.T) { // rule 8
	ofTwo(t, true, func(w *liveWorld, alice, bob *socket, p *person) {
		alice.say("update", `"seq": 5, "section": "s"`)
		alice.next("ack")
		alice.say("leave", `"seq": 3`)
		if ack := alice.next("ack"); !ack.Stale {
			t.Errorf("an older leave was answered %s", ack.text)
		}
		alice.ends(1000)
		if took := bob.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("without its connection alice's session lasted %v; due is 15 s", took)
		}
	})
}

func TestLiveRule9AHiddenLeaveWaitsThreeSecondsAndAnotherNone(t *testing.T) {
	for hidden, due := range map[bool]time.Duration{true: 3 * time.Second, false: 0} {
		ofTwo(t, true, func(w *liveWorld, alice, bob *socket, _ *person) {
			began := time.Now()
			alice.say("leave", fmt.Sprintf(`"seq": 2, "hidden": %v`, hidden))
			if ack := alice.skip("ack"); ack.Seq != 2 || ack.You != nil || ack.Version == 0 {
				t.Errorf("the leave was answered %s", ack.text)
			}
			alice.ends(1000)
			bob.leaves("alice", 1.0, time.Minute)
			if took := time.Since(began); took < due || took > due+late {
				t.Errorf("a leave, hidden %v, took effect after %v; due is %v", hidden, took, due)
			}
			bob.quiet(20 * time.Second)
		})
	}
}

func TestLiveRule9AReloadShowsOnNobodysScreen(t *testing.T) { // case 7
	ofTwo(t, true, func(w *liveWorld, alice, bob *socket, p *person) {
		alice.say("leave", `"seq": 2, "hidden": true`)
		alice.ends(1000)
		time.Sleep(2 * time.Second)
		w.enter(p, `"session": "a2", "seq": 1, "section": "s"`)
		bob.quiet(time.Minute)
	})
}

func TestLiveRule11AnOpenConnectionRenewsNothing(t *testing.T) { // case 8
	ofTwo(t, true, func(w *liveWorld, alice, bob *socket, _ *person) {
		began := time.Now()
		time.Sleep(time.Minute)
		bob.say("update", "")
		bob.next("ack")
		alice.frame(0x89, nil) // a ping is no sign of life either
		if delta := bob.take1(time.Minute + late); len(delta.Left) != 1 || delta.Left[0] != 1.0 {
			t.Errorf("bob was told %s; due is that alice left", delta.text)
		}
		if took := time.Since(began); took < 2*time.Minute-late || took > 2*time.Minute+late {
			t.Errorf("alice lapsed after %v; due is 2 min", took)
		}
		alice.all() // is told so, too
		alice.ends(0)
		if took := time.Since(began); took > 2*time.Minute+26*time.Second {
			t.Errorf("the connection of a session that lapsed ended after %v; due is 25 s after it at most", took)
		}
		if n := len(alice.pings); n < 4 || n > 6 {
			t.Errorf("there came %d pings in 2 min; due is one in 25 s", n)
		}
		bob.quiet(20 * time.Second)
	})
}

func TestLiveWhoDoesNotAnswerPingsIsTakenForDeadAtTheNextOne(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b"`)
		alice := w.come(w.as("alice", "1"))
		alice.mute = true
		alice.say("hello", `"session": "a", "section": "s"`)
		alice.next("ack")
		alice.next("snapshot")
		bob.all()
		first := <-alice.pings
		alice.ends(0)
		if took := time.Since(first); took != 25*time.Second {
			t.Errorf("a connection that answers no ping ended after %v; due is 25 s", took)
		}
		if took := bob.leaves("alice", 1.0, time.Minute); took < 15*time.Second || took > 15*time.Second+late {
			t.Errorf("alice left %v after her connection was given up; due is 15 s", took)
		}
	})
}

func TestLiveAWordIsAsGoodAsAPong(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice := w.come(w.as("alice", "1"))
		alice.mute = true
		alice.say("hello", `"session": "a", "section": "s"`)
		for range 20 {
			time.Sleep(15 * time.Second)
			alice.say("update", `"section": "s"`)
			alice.skip("ack")
		}
	})
}

func TestLivePingsAreSpread(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		var all []*socket
		for i := range 5 {
			s, _, _ := w.enter(w.as("alice", "1"), fmt.Sprintf(`"session": "%d"`, i))
			all = append(all, s)
		}
		time.Sleep(25 * time.Second)
		seen := map[time.Time]bool{}
		for _, s := range all {
			first := <-s.pings
			seen[first.Truncate(100*time.Millisecond)] = true
			if second := <-s.pings; second.Sub(first) != 25*time.Second {
				t.Errorf("between two pings there are %v; due is 25 s", second.Sub(first))
			}
		}
		if len(seen) != len(all) {
			t.Errorf("%d connections are pinged at %d times", len(all), len(seen))
		}
	})
}

func TestLiveALapseOfSomebodyWhoPolledIsToldToo(t *testing.T) { // rule 1, case 5
	inLive(t, func(t *testing.T, w *liveWorld) {
		bob, _, _ := w.enter(w.as("bob", "2"), `"session": "b"`)
		w.as("alice", "1").update(`{"section": "s"}`)
		began := time.Now()
		bob.all()
		time.Sleep(time.Minute)
		bob.say("update", "")
		bob.next("ack")
		bob.leaves("alice", 1.0, 2*time.Minute)
		if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+late {
			t.Errorf("bob was told after %v; due is 2 min, and a second at most", took)
		}
	})
}

func TestLiveAnotherLeaseIsKept(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a"`)
		began := time.Now()
		alice.ends(0)
		if took := time.Since(began); took < 40*time.Second || took > 66*time.Second {
			t.Errorf("with a lease of 40 s a silent connection ended after %v", took)
		}
	}, func(p *plan) { p.Lease = 40 * time.Second })
}

func TestLiveNewsAtTheMomentOfATurnCutNobodyOff(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		var all []*socket
		for i := range 30 {
			s, _, _ := w.enter(w.as(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+1))), `"session": "a"`)
			all = append(all, s)
		}
		p := w.as("zoe", "99")
		first := <-all[0].pings
		for round := 1; round <= 60; round++ {
			time.Sleep(time.Until(first.Add(time.Duration(round)*25*time.Second + time.Duration(round%30)*100*time.Millisecond)))
			p.update(fmt.Sprintf(`{"section": "s%d"}`, round))
			for i, s := range all {
				if s.over() {
					t.Fatalf("round %d: the connection of writer %d, who reads and answers pings, was cut off", round, i)
				}
				s.say("update", "")
			}
		}
	})
}
