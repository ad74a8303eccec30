package presence

import (
	"testing"
	"time"
)

func TestRule9HiddenLeaveTakesEffectAfterThreeSeconds(t *testing.T) { // case 7
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.advance(HiddenGrace)
	r.wantList(`Alice editing "a" of ["a"]`)
	r.advance(1)
	r.wantList()
}

func TestRule9ReloadDoesNotChangeTheVersion(t *testing.T) { // rule 9, case 7
	r := newTestRoster(t)
	version := r.update(alice, Update{Session: "x", Seq: 1, Section: "a"}).Version
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.advance(time.Second)
	r.update(alice, Update{Session: "y", Seq: 1, Section: "a"})
	for range 5 {
		r.advance(time.Second)
		if got := r.Snapshot(r.now).Version; got != version {
			t.Fatalf("a reload raises the version from %d to %d", version, got)
		}
	}
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule9NewSessionInASectionEndsLeavingSessions(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.update(alice, Update{Session: "w", Seq: 1, Section: "c"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "y", Seq: 1}) // no section yet
	r.wantList(`Alice editing "c" of ["a" "c"]`)
	r.update(alice, Update{Session: "z", Seq: 1, Section: "b"})
	r.wantList(`Alice editing "b" of ["b" "c"]`)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.wantList(`Alice editing "b" of ["b" "c"]`)
}

func TestRule9UpdateWithinTheGraceCancelsTheLeave(t *testing.T) { // case 8
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.update(alice, Update{Session: "x", Seq: 3, Section: "a"})
	r.advance(DefaultLease)
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule9HiddenLeaveDoesNotExtendTheLease(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	r.advance(DefaultLease - time.Second)
	r.leave(alice, Leave{Session: "x", Seq: 2, Hidden: true})
	r.advance(time.Second + 1)
	r.wantList()
}

func TestRule9BrokenConnectionEndsItsSessionAfterFifteenSeconds(t *testing.T) { // rule 9
	for _, seq := range []uint64{0, 7} {
		r := newTestRoster(t)
		r.update(alice, Update{Session: "x", Seq: seq, Section: "a", Connection: 1})
		r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
		r.advance(BrokenGrace)
		r.wantList(`Alice editing "a" of ["a"]`)
		r.advance(1)
		r.wantList()
	}
}

func TestRule9OnlyTheConnectionOfTheNewestUpdateEndsTheSession(t *testing.T) { // rule 9
	for name, next := range map[string]Update{
		"numbered, over HTTP":                {Seq: 8},
		"not numbered, over HTTP":            {},
		"numbered, over a connection":        {Seq: 8, Connection: 2},
		"not numbered, over a connection":    {Connection: 2},
		"an older number, over connection 1": {Seq: 7, Connection: 1},
		"not numbered, over HTTP, and idle":  {Activity: Idle},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRoster(t)
			r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 2})
			next.Session, next.Section = "x", "a"
			r.update(alice, next)
			if reply := r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true}); !reply.Stale {
				t.Error("the loss of connection 1 is not stale, though the newest update came another way")
			}
			r.advance(DefaultLease)
			if n := r.Snapshot(r.now).Count; n != 1 {
				t.Errorf("%d users are listed at the end of the lease; want 1", n)
			}
		})
	}
}

func TestRule9SessionThatReturnsToItsFirstConnectionEndsWithIt(t *testing.T) { // rule 9
	r := newTestRoster(t)
	for _, connection := range []uint64{1, 0, 2, 1} {
		r.update(alice, Update{Session: "x", Section: "a", Connection: connection})
	}
	r.leave(alice, Leave{Session: "x", Connection: 2, Broken: true})
	r.advance(BrokenGrace + 1)
	r.wantList(`Alice editing "a" of ["a"]`)
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.advance(BrokenGrace + 1)
	r.wantList()
}

func TestRule9BrokenWithoutConnectionEndsNothing(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	for _, session := range []string{"x", "unknown"} {
		if reply := r.leave(alice, Leave{Session: session, Broken: true}); !reply.Stale {
			t.Errorf("Broken without a Connection changes session %q", session)
		}
	}
	r.advance(DefaultLease)
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule14LostAccessEndsTheSessionUnlessAnotherConnectionUpdatedIt(t *testing.T) { // rule 14
	for newest, listed := range map[uint64]int{0: 0, 1: 0, 2: 1} {
		r := newTestRoster(t)
		r.update(alice, Update{Session: "x", Section: "a", Connection: 1})
		r.update(alice, Update{Session: "x", Section: "a", Connection: newest})
		r.leave(alice, Leave{Session: "x", Connection: 1})
		if n := r.Snapshot(r.now).Count; n != listed {
			t.Errorf("after the newest update over connection %d and lost access on connection 1, %d users are listed; want %d", newest, n, listed)
		}
	}
}

func TestRule9UpdateAfterABrokenConnectionGrantsAFullLease(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 1})
	version := r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true}).Version
	r.advance(10 * time.Second)
	if reply := r.update(alice, Update{Session: "x", Seq: 8, Section: "a"}); reply.Version != version {
		t.Error("the version changes, though Alice is back within the grace")
	}
	r.advance(DefaultLease)
	r.wantList(`Alice editing "a" of ["a"]`)
}

func TestRule9BrokenConnectionNeitherExtendsAGraceNorEndsOtherTabs(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Seq: 7, Section: "a", Connection: 1})
	r.leave(alice, Leave{Session: "x", Seq: 8, Hidden: true})
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.leave(alice, Leave{Session: "y", Connection: 1, Broken: true}) // an unknown session
	r.advance(HiddenGrace)
	r.wantList(`Alice editing "a" of ["a"]`)
	r.advance(1)
	r.wantList()
	r.update(alice, Update{Session: "x", Seq: 9, Section: "a", Connection: 1})
	r.leave(alice, Leave{Session: "x", Connection: 1, Broken: true})
	r.update(alice, Update{Session: "z", Seq: 1, Section: "b"}) // another tab does not end one whose connection broke
	r.wantList(`Alice editing "b" of ["a" "b"]`)
}
