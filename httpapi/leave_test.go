package httpapi_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLeavingIsAtOnceAndFinal(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	before := alice.update(`{"section":"s","session":"tab","seq":1}`)
	if got := alice.leave(`{"session":"tab","seq":3}`); got.Stale || got.Version <= before.Version {
		t.Errorf("leaving came to %+v; due is a version above %d", got, before.Version)
	}
	w.isListed("")
	got := alice.update(`{"section":"s","session":"tab","seq":2}`)
	if !got.Stale || got.Activity != "" || got.You.Section != "" || got.You.Username != "alice" {
		t.Errorf("a heartbeat from before the leave came to %+v; due is stale, without activity and section", got)
	}
	w.isListed("")
	if got := alice.leave(`{"session":"tab","seq":3}`); !got.Stale {
		t.Errorf("leaving again with the same number came to %+v; due is stale", got)
	}
	if got := alice.update(`{"section":"s","session":"tab","seq":4}`); got.Stale || got.Activity != "editing" {
		t.Errorf("a newer message came to %+v; due is a session anew", got)
	}
	w.isListed("alice")
}

func TestTheClientOfTheNoteLeavesWithoutAName(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	for range 2 { // twice is no error
		alice.update(`{"section":"s"}`)
		for range 2 {
			alice.leave(`{}`)
			w.isListed("")
		}
	}
}

func TestALeaveThatOvertookItsUpdateIsFinalToo(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	alice.leave(`{"session":"tab","seq":2}`)
	if got := alice.update(`{"section":"s","session":"tab","seq":1}`); !got.Stale {
		t.Errorf("the update that was overtaken came to %+v; due is stale", got)
	}
	w.isListed("")
}

func TestLeavingAHiddenPageWaitsThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		before := alice.update(`{"section":"s","session":"tab","seq":1}`)
		left := time.Now()
		alice.leave(`{"session":"tab","seq":2,"hidden":true}`)
		time.Sleep(time.Until(left.Add(3 * time.Second)))
		if got := w.as("bob", "2").list(); names(*got.Users) != "alice" || got.Version != before.Version {
			t.Errorf("3 s after a hidden leave %q are listed at version %d; due is alice, at %d still", names(*got.Users), got.Version, before.Version)
		}
		time.Sleep(time.Nanosecond)
		w.isListed("")
	})
}

func TestAPageThatReloadsDoesNotFlicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		before := alice.update(`{"section":"s","session":"old","seq":1}`)
		alice.leave(`{"session":"old","seq":2,"hidden":true}`)
		time.Sleep(time.Second)
		alice.update(`{"section":"s","session":"new","seq":1}`)
		time.Sleep(time.Minute)
		if got := w.as("bob", "2").list(); names(*got.Users) != "alice" || got.Version != before.Version {
			t.Errorf("after a reload %q are listed at version %d; due is alice, at %d still", names(*got.Users), got.Version, before.Version)
		}
	})
}

func TestANewerMessageCallsAHiddenLeaveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		alice.update(`{"section":"s","session":"tab","seq":1}`)
		alice.leave(`{"session":"tab","seq":2,"hidden":true}`)
		alice.update(`{"section":"s","session":"tab","seq":1}`) // an older one does not
		time.Sleep(2 * time.Second)
		alice.update(`{"section":"s","session":"tab","seq":3}`)
		time.Sleep(time.Minute)
		w.isListed("alice")

		alice.leave(`{"session":"tab","seq":5,"hidden":true}`)
		alice.update(`{"section":"s","session":"tab","seq":4}`)
		time.Sleep(3*time.Second + time.Nanosecond)
		w.isListed("")
	})
}

func TestWhoWasNeverKnownHasNothingToLeave(t *testing.T) {
	w := newWorld(t)
	w.as("alice", "1").update(`{"section":"s"}`)
	p := w.newcomer()
	p.post("leave", `{}`).fails(t, 401, "unauthenticated")
	if p.made != nil {
		t.Errorf("the refused leave set the cookie %v", p.made)
	}
	w.isListed("alice")
}
