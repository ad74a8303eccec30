package presence

import (
	"testing"
	"time"
)

// A store visits a roster only at the times that NextExpiry and NextForget say.
func TestRosterIsEmptyAfterVisitsAtNextExpiryAndNextForget(t *testing.T) { // rules 1, 8, 19, 23 and 24
	for name, fill := range map[string]func(*testRoster){
		"a session": func(r *testRoster) { r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}) },
		"its end":   func(r *testRoster) { r.leave(alice, Leave{Session: "x", Seq: 1}) },
		"a hidden page": func(r *testRoster) {
			r.update(alice, Update{Session: "x"})
			r.leave(alice, Leave{Session: "x", Hidden: true})
		},
		"a save": func(r *testRoster) { r.save(alice, "a", "1") },
		"a save of the host alone": func(r *testRoster) {
			r.Save(r.now, alice, Saved{Section: "a", Revision: "1"})
		},
		"two saves of the host": func(r *testRoster) {
			r.Save(r.now, alice, Saved{Section: "a", Revision: "1"})
			r.advance(time.Minute)
			r.Save(r.now, alice, Saved{Section: "b", Revision: "1"})
		},
		"a move": func(r *testRoster) {
			r.save(alice, "a", "1")
			r.advance(DefaultLease + Finality)
			if _, err := r.Move(r.now, "a", "b"); err != nil {
				t.Fatal(err)
			}
		},
		"a removal": func(r *testRoster) {
			if _, err := r.Remove(r.now, Removal{User: "1", Until: r.now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		},
		"a restored end":     func(r *testRoster) { r.Restore(r.now, Record{User: alice, Session: "x", LastSeen: r.now}) },
		"a restored save":    func(r *testRoster) { r.RestoreSave(Save{Saved: Saved{Section: "a", Revision: "1"}, At: r.now}) },
		"a restored move":    func(r *testRoster) { r.RestoreMove(Move{From: "a", To: "b", Version: uint64(r.now.UnixMilli())}) },
		"a restored removal": func(r *testRoster) { r.RestoreRemoval(Removal{User: "1", Until: r.now.Add(time.Minute)}) },
	} {
		r := newTestRoster(t)
		fill(r)
		for visits, empty := 0, false; !empty; visits++ {
			next, ok := r.NextExpiry()
			if forget, forgets := r.NextForget(); forgets && (!ok || forget.Before(next)) {
				next, ok = forget, true
			}
			if !ok || visits == 6 {
				t.Fatalf("%s: after %d visits the roster is not empty, and says that something is due: %v", name, visits, ok)
			}
			r.now = next.Add(time.Millisecond)
			empty = r.Forget(r.now)
		}
	}
}

func TestRosterSaysWhetherItHasSomethingToWrite(t *testing.T) {
	r := newTestRoster(t)
	step := func(what string, do func()) {
		t.Helper()
		do()
		if !r.HasUnwritten() {
			t.Errorf("after %s, HasUnwritten is false; want true", what)
		}
		if len(r.Records())+len(r.UnwrittenSaves())+len(r.UnwrittenRemovals()) == 0 {
			t.Errorf("after %s, nothing is returned to write", what)
		}
		if r.HasUnwritten() {
			t.Errorf("after %s was written, HasUnwritten is true; want false", what)
		}
	}
	step("an update", func() { r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}) })
	step("a renewal", func() { r.update(alice, Update{Session: "x", Seq: 2, Section: "a"}) })
	step("a move", func() { _, _ = r.Move(r.now, "a", "b") })
	step("a hidden leave", func() { r.leave(alice, Leave{Session: "x", Hidden: true}) })
	step("an expiry", func() { r.advance(time.Minute); r.Expire(r.now) })
	step("a save", func() { r.Save(r.now, alice, Saved{Section: "a", Revision: "1"}) })
	step("a removal", func() { _, _ = r.Remove(r.now, Removal{User: "1"}) })
	step("the end of a removal", func() { r.advance(removalKept + 1); r.Forget(r.now) })
	step("the end of a save", func() { r.advance(Finality + 1); r.Expire(r.now) })
}
