package httpapi_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLeavingIsAtOnceAndFinal(t *testing.T) { // rules 8 and 9, cases 2 and 3
	w := servertest.New(t)
	alice := w.As("alice", "1")
	before := alice.Update(`{"section":"s","session":"tab","seq":1}`)
	if got := alice.Leave(`{"session":"tab","seq":3}`); got.Stale || got.Version <= before.Version {
		t.Errorf("leaving came to %+v; due is a version above %d", got, before.Version)
	}
	w.ExpectListed("")
	got := alice.Update(`{"section":"s","session":"tab","seq":2}`)
	if !got.Stale || got.Activity != "" || got.You.Section != "" || got.You.Username != "alice" {
		t.Errorf("a heartbeat from before the leave came to %+v; due is stale, without activity and section", got)
	}
	w.ExpectListed("")
	if got := alice.Leave(`{"session":"tab","seq":3}`); !got.Stale {
		t.Errorf("leaving again with the same number came to %+v; due is stale", got)
	}
	if got := alice.Update(`{"section":"s","session":"tab","seq":4}`); got.Stale || got.Activity != "editing" {
		t.Errorf("a newer message came to %+v; due is a session anew", got)
	}
	w.ExpectListed("alice")
}

func TestTheClientOfTheNoteLeavesWithoutAName(t *testing.T) {
	w := servertest.New(t)
	alice := w.As("alice", "1")
	for range 2 { // twice is no error
		alice.Update(`{"section":"s"}`)
		for range 2 {
			alice.Leave(`{}`)
			w.ExpectListed("")
		}
	}
}

func TestALeaveThatOvertookItsUpdateIsFinalToo(t *testing.T) { // rule 8, case 2
	w := servertest.New(t)
	alice := w.As("alice", "1")
	alice.Leave(`{"session":"tab","seq":2}`)
	if got := alice.Update(`{"section":"s","session":"tab","seq":1}`); !got.Stale {
		t.Errorf("the update that was overtaken came to %+v; due is stale", got)
	}
	w.ExpectListed("")
}

func TestLeavingAHiddenPageWaitsThreeSeconds(t *testing.T) { // rule 9
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		before := alice.Update(`{"section":"s","session":"tab","seq":1}`)
		left := time.Now()
		alice.Leave(`{"session":"tab","seq":2,"hidden":true}`)
		time.Sleep(time.Until(left.Add(3 * time.Second)))
		if got := w.As("bob", "2").List(); servertest.Names(*got.Users) != "alice" || got.Version != before.Version {
			t.Errorf("3 s after a hidden leave %q are listed at version %d; due is alice, at %d still", servertest.Names(*got.Users), got.Version, before.Version)
		}
		time.Sleep(time.Nanosecond)
		w.ExpectListed("")
	})
}

func TestAPageThatReloadsDoesNotFlicker(t *testing.T) { // rule 9, case 7
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		before := alice.Update(`{"section":"s","session":"old","seq":1}`)
		alice.Leave(`{"session":"old","seq":2,"hidden":true}`)
		time.Sleep(time.Second)
		alice.Update(`{"section":"s","session":"new","seq":1}`)
		time.Sleep(time.Minute)
		if got := w.As("bob", "2").List(); servertest.Names(*got.Users) != "alice" || got.Version != before.Version {
			t.Errorf("after a reload %q are listed at version %d; due is alice, at %d still", servertest.Names(*got.Users), got.Version, before.Version)
		}
	})
}

func TestANewerMessageCallsAHiddenLeaveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s","session":"tab","seq":1}`)
		alice.Leave(`{"session":"tab","seq":2,"hidden":true}`)
		alice.Update(`{"section":"s","session":"tab","seq":1}`) // an older one does not
		time.Sleep(2 * time.Second)
		alice.Update(`{"section":"s","session":"tab","seq":3}`)
		time.Sleep(time.Minute)
		w.ExpectListed("alice")

		alice.Leave(`{"session":"tab","seq":5,"hidden":true}`)
		alice.Update(`{"section":"s","session":"tab","seq":4}`)
		time.Sleep(3*time.Second + time.Nanosecond)
		w.ExpectListed("")
	})
}

func TestWhoWasNeverKnownHasNothingToLeave(t *testing.T) {
	w := servertest.New(t)
	w.As("alice", "1").Update(`{"section":"s"}`)
	p := w.Anonymous()
	p.Post("leave", `{}`).ExpectError(t, 401, "unauthenticated")
	if p.SetCookie != nil {
		t.Errorf("the refused leave set the cookie %v", p.SetCookie)
	}
	w.ExpectListed("alice")
}
