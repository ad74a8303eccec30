package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/identity"
)

func TestAboveTheLimitOfAUserRenewalsStillSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct, func(p *plan) { p.UserRate = identity.Rate{PerSecond: 0.25, Burst: 2} })
		alice, bob := w.as("alice", "1"), w.as("bob", "2")
		began := time.Now()
		alice.update(`{"section":"s","session":"tab","seq":1}`)
		alice.update(`{"section":"t","session":"tab","seq":2}`)
		for name, got := range map[string]answer{
			"a move":    alice.post("update", `{"section":"s","session":"tab","seq":3}`),
			"a new tab": alice.post("update", `{"section":"t","session":"other","seq":1}`),
			"a list":    alice.get(),
		} {
			got.fails(t, 429, "too_many_requests")
			if after := got.header.Get("Retry-After"); after != "4" {
				t.Errorf("%s: Retry-After is %q; at one in 4 s and none left, due is 4", name, after)
			}
		}
		if got := alice.update(`{"section":"t","session":"tab","seq":3,"known_version":0}`); got.Stale || got.You.Section != "t" || got.Users == nil {
			t.Errorf("a renewal above the limit came to %+v; due is success, with the list", got)
		}
		bob.update(`{"section":"s"}`) // has a limit of his own

		time.Sleep(time.Until(began.Add(4*time.Second - time.Microsecond)))
		alice.get().fails(t, 429, "too_many_requests")
		time.Sleep(2 * time.Microsecond)
		if got := alice.update(`{"section":"s","session":"tab","seq":4}`); got.You.Section != "s" {
			t.Errorf("after the time in Retry-After the move came to %+v", got)
		}
		alice.leave(`{"session":"tab","seq":5}`) // no limit keeps anybody from leaving
		w.isListed("bob")
	})
}

func TestAboveTheLimitNobodyLivesOnByAskingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct, func(p *plan) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 1} })
		alice := w.as("alice", "1")
		alice.update(`{"section":"s"}`)
		for range 10 {
			time.Sleep(30 * time.Second)
			alice.update(`{"section":"s"}`)
		}
		w.isListed("alice") // by five minutes of renewals
		for range 4 {
			time.Sleep(30 * time.Second)
			alice.post("update", `{"section":"t"}`).fails(t, 429, "too_many_requests")
		}
		time.Sleep(time.Nanosecond)
		w2 := w.as("another watcher", "998")
		if got := names(*w2.list().Users); got != "" {
			t.Errorf("listed are %q; what was refused renewed the session", got)
		}
	})
}

func TestAnAddressHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct, func(p *plan) { p.AddressRate = identity.Rate{PerSecond: 1, Burst: 3} })
		for i := range 3 {
			p := w.newcomer()
			p.address = "192.0.2.1"
			p.update(fmt.Sprintf(`{"section":"s%d"}`, i))
		}
		p := w.newcomer()
		p.address = "192.0.2.1"
		for _, got := range []answer{p.post("update", `{}`), p.get()} {
			got.fails(t, 429, "too_many_requests")
			if after := got.header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After is %q, due is 1", after)
			}
		}
		if p.made != nil {
			t.Errorf("a request above the limit set the cookie %v", p.made)
		}
		for _, other := range []string{"192.0.2.2", "2001:db8::1"} {
			q := w.newcomer()
			q.address = other
			q.update(`{}`)
		}
		for i := range 3 { // one customer, who has as many addresses as there are
			q := w.newcomer()
			q.address = fmt.Sprintf("2001:db8:0:1::%d", i)
			q.update(`{}`)
		}
		neighbour := w.newcomer()
		neighbour.address = "2001:db8:0:1:ffff::"
		neighbour.get().fails(t, 429, "too_many_requests")
		mapped := w.newcomer()
		mapped.address = "::ffff:192.0.2.1" // the same, as a socket of both families tells it
		mapped.get().fails(t, 429, "too_many_requests")
		time.Sleep(time.Second)
		p.update(`{}`)
	})
}

func TestAnAddressHasALimitOfNewVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct, func(p *plan) { p.Visitors = &identity.Visitors{Rate: identity.Rate{PerSecond: 0.5, Burst: 2}} })
		known := w.newcomer()
		known.update(`{"section":"s"}`)
		w.newcomer().update(`{"section":"s"}`)
		p := w.newcomer()
		got := p.post("update", `{"section":"s"}`)
		got.fails(t, 429, "too_many_visitors")
		if after := got.header.Get("Retry-After"); after != "2" || p.made != nil {
			t.Errorf("Retry-After is %q with the cookie %v; due is 2, and none", after, p.made)
		}
		p.list()                        // looking makes no visitor, so it is free
		known.update(`{"section":"t"}`) // who is known is no new visitor
		w.as("alice", "1").update(`{}`) // and who has a token is none
		elsewhere := w.newcomer()
		elsewhere.address = "192.0.2.9"
		elsewhere.update(`{}`)
		time.Sleep(2 * time.Second)
		p.update(`{}`)
	})
}

func TestTheTwentyFirstTabIsRefusedWhileTheTwentyGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		tab := func(n int) string { return fmt.Sprintf(`{"section":"s%02d","session":"tab-%d"}`, n, n) }
		for n := range 20 {
			alice.update(tab(n))
		}
		before := alice.get().body
		got := alice.post("update", tab(20))
		got.fails(t, 429, "too_many_sessions")
		if got.header.Get("Retry-After") == "" {
			t.Error("the refusal has no Retry-After")
		}
		if after := alice.get().body; after != before {
			t.Errorf("the refused tab changed the list\nfrom %s\nto   %s", before, after)
		}
		time.Sleep(time.Minute)
		for n := range 20 {
			if r := alice.update(tab(n)); len(r.You.Sections) != 20 {
				t.Fatalf("the renewal of tab %d found %d sections, due is 20", n, len(r.You.Sections))
			}
		}
		alice.update(`{"section":"moved","session":"tab-3"}`) // may move, too
		w.as("bob", "2").update(tab(20))
		alice.leave(`{"session":"tab-7"}`)
		alice.update(tab(20))

		time.Sleep(2*time.Minute + time.Nanosecond)
		alice.update(tab(21)) // what has lapsed does not count
	})
}
