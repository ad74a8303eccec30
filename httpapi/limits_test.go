package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestAboveTheLimitOfAUserRenewalsStillSucceed(t *testing.T) { // rule 16, case 40
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.25, Burst: 2} })
		alice, bob := w.As("alice", "1"), w.As("bob", "2")
		began := time.Now()
		alice.Update(`{"section":"s","session":"tab","seq":1}`)
		alice.Update(`{"section":"t","session":"tab","seq":2}`)
		for name, got := range map[string]servertest.Response{
			"a move":    alice.Post("update", `{"section":"s","session":"tab","seq":3}`),
			"a new tab": alice.Post("update", `{"section":"t","session":"other","seq":1}`),
			"a list":    alice.GetList(),
		} {
			got.ExpectError(t, 429, "too_many_requests")
			if after := got.Header.Get("Retry-After"); after != "4" {
				t.Errorf("%s: Retry-After is %q; at one in 4 s and none left, due is 4", name, after)
			}
		}
		if got := alice.Update(`{"section":"t","session":"tab","seq":3,"known_version":0}`); got.Stale || got.You.Section != "t" || got.Users == nil {
			t.Errorf("a renewal above the limit came to %+v; due is success, with the list", got)
		}
		bob.Update(`{"section":"s"}`) // has a limit of his own

		time.Sleep(time.Until(began.Add(4*time.Second - time.Microsecond)))
		alice.GetList().ExpectError(t, 429, "too_many_requests")
		time.Sleep(2 * time.Microsecond)
		if got := alice.Update(`{"section":"s","session":"tab","seq":4}`); got.You.Section != "s" {
			t.Errorf("after the time in Retry-After the move came to %+v", got)
		}
		alice.Leave(`{"session":"tab","seq":5}`) // no limit keeps anybody from leaving
		w.ExpectListed("bob")
	})
}

func TestAboveTheLimitNobodyLivesOnByAskingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 1} })
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s"}`)
		for range 10 {
			time.Sleep(30 * time.Second)
			alice.Update(`{"section":"s"}`)
		}
		w.ExpectListed("alice") // by five minutes of renewals
		for range 4 {
			time.Sleep(30 * time.Second)
			alice.Post("update", `{"section":"t"}`).ExpectError(t, 429, "too_many_requests")
		}
		time.Sleep(time.Nanosecond)
		w2 := w.As("another watcher", "998")
		if got := servertest.Names(*w2.List().Users); got != "" {
			t.Errorf("listed are %q; what was refused renewed the session", got)
		}
	})
}

func TestAnAddressHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.AddressRate = identity.Rate{PerSecond: 1, Burst: 3} })
		for i := range 3 {
			p := w.Anonymous()
			p.Address = "192.0.2.1"
			p.Update(fmt.Sprintf(`{"section":"s%d"}`, i))
		}
		p := w.Anonymous()
		p.Address = "192.0.2.1"
		for _, got := range []servertest.Response{p.Post("update", `{}`), p.GetList()} {
			got.ExpectError(t, 429, "too_many_requests")
			if after := got.Header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After is %q, due is 1", after)
			}
		}
		if p.SetCookie != nil {
			t.Errorf("a request above the limit set the cookie %v", p.SetCookie)
		}
		for _, other := range []string{"192.0.2.2", "2001:db8::1"} {
			q := w.Anonymous()
			q.Address = other
			q.Update(`{}`)
		}
		for i := range 3 { // one customer, who has as many addresses as there are
			q := w.Anonymous()
			q.Address = fmt.Sprintf("2001:db8:0:1::%d", i)
			q.Update(`{}`)
		}
		neighbour := w.Anonymous()
		neighbour.Address = "2001:db8:0:1:ffff::"
		neighbour.GetList().ExpectError(t, 429, "too_many_requests")
		mapped := w.Anonymous()
		mapped.Address = "::ffff:192.0.2.1" // the same, as a socket of both families tells it
		mapped.GetList().ExpectError(t, 429, "too_many_requests")
		time.Sleep(time.Second)
		p.Update(`{}`)
	})
}

func TestAnAddressHasALimitOfNewVisitors(t *testing.T) { // rule 16
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.Visitors = &identity.Visitors{Rate: identity.Rate{PerSecond: 0.5, Burst: 2}}
		})
		known := w.Anonymous()
		known.Update(`{"section":"s"}`)
		w.Anonymous().Update(`{"section":"s"}`)
		p := w.Anonymous()
		got := p.Post("update", `{"section":"s"}`)
		got.ExpectError(t, 429, "too_many_visitors")
		if after := got.Header.Get("Retry-After"); after != "2" || p.SetCookie != nil {
			t.Errorf("Retry-After is %q with the cookie %v; due is 2, and none", after, p.SetCookie)
		}
		p.List()                        // looking makes no visitor, so it is free
		known.Update(`{"section":"t"}`) // who is known is no new visitor
		w.As("alice", "1").Update(`{}`) // and who has a token is none
		elsewhere := w.Anonymous()
		elsewhere.Address = "192.0.2.9"
		elsewhere.Update(`{}`)
		time.Sleep(2 * time.Second)
		p.Update(`{}`)
	})
}

func TestTheTwentyFirstTabIsRefusedWhileTheTwentyGoOn(t *testing.T) { // rule 16, case 40
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		tab := func(n int) string { return fmt.Sprintf(`{"section":"s%02d","session":"tab-%d"}`, n, n) }
		for n := range 20 {
			alice.Update(tab(n))
		}
		before := alice.GetList().Body
		got := alice.Post("update", tab(20))
		got.ExpectError(t, 429, "too_many_sessions")
		if got.Header.Get("Retry-After") == "" {
			t.Error("the refusal has no Retry-After")
		}
		if after := alice.GetList().Body; after != before {
			t.Errorf("the refused tab changed the list\nfrom %s\nto   %s", before, after)
		}
		time.Sleep(time.Minute)
		for n := range 20 {
			if r := alice.Update(tab(n)); len(r.You.Sections) != 20 {
				t.Fatalf("the renewal of tab %d found %d sections, due is 20", n, len(r.You.Sections))
			}
		}
		alice.Update(`{"section":"moved","session":"tab-3"}`) // may move, too
		w.As("bob", "2").Update(tab(20))
		alice.Leave(`{"session":"tab-7"}`)
		alice.Update(tab(20))

		time.Sleep(2*time.Minute + time.Nanosecond)
		alice.Update(tab(21)) // what has lapsed does not count
	})
}
