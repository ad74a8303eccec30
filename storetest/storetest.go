// Package storetest tells whether a store keeps the contract of [presence.Store]. One
// suite for every store: what it asks of one it asks of all.
package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

// Subject is a store under test, with nothing in it.
type Subject struct {
	presence.Store
	// Volatile says that no change is durable: what this store is kept in may lose it.
	Volatile bool
	// Lease of its sessions.
	Lease time.Duration
	// Now is the time by the store's clock, and Pass lets it pass. A call may take up to
	// half of Grain.
	Now   func() time.Time
	Pass  func(time.Duration)
	Grain time.Duration
	// Restart ends the store after all that was acknowledged, without letting it do
	// anything more, and gives another one on the same data.
	Restart func() presence.Store
	// Renews says that a restart gives the living a whole lease: of a store that hears
	// nobody until it is back.
	Renews bool
}

// Run runs the suite. The function is called for each test, with what to do with a
// fresh subject.
func Run(t *testing.T, with func(t *testing.T, test func(*testing.T, *Subject))) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Subject)
	}{
		{"listed until the end of the lease, and not after", leaseEnds},
		{"looking renews nothing", lookingRenewsNothing},
		{"what is almost a renewal is more", almostRenewals},
		{"a leave is final for older messages and not for newer", leaveIsFinal},
		{"a leave that overtakes the first update is final", leaveOvertakes},
		{"a hidden leave waits for its grace", hiddenLeave},
		{"a page that comes back has not left", hiddenAndBack},
		{"a broken connection leaves its session a while, unless another one spoke last", brokenConnection},
		{"access lost on a connection ends the session at once, unless another connection spoke last", lostAccess},
		{"whoever watches is woken by every visible change, and by nothing else", watched},
		{"whoever watches is woken when somebody lapses", watchedLapse},
		{"leaving what is not there is no error", leaveNothing},
		{"a leave above a limit is stale unless the session was alive", leaveOnlyLiving},
		{"of those who enter at once, each is told of all before it", enterAtOnce},
		{"two careful entrants at once: one edits", carefulAtOnce},
		{"versions grow with what is visible, and over restarts", versionsGrow},
		{"a project that nobody entered is empty", emptyProject},
		{"projects are apart", projectsAreApart},
		{"the limit of sessions refuses new ones only", sessionLimit},
		{"above a limit only renewals succeed", onlyRenew},
		{"what was acknowledged is there after a restart", survivesRestart},
		{"an end is final over a restart", endSurvivesRestart},
		{"the newest ends are those that a restart remembers", newestEndsSurvive},
		{"no older message brings a session back, however many have ended", manyEnds},
		{"a restart gives the living a whole lease, once, or takes nothing from it", restartRenews},
		{"names and sections are data", namesAreData},
		{"random histories go as the roster has them", randomHistories},
	} {
		t.Run(c.name, func(t *testing.T) { with(t, c.test) })
	}
}

const project = presence.Project("p")

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

type tester interface {
	Helper()
	Fatalf(string, ...any)
	Context() context.Context
}

func (s *Subject) update(t tester, u presence.User, message presence.Update) presence.Reply {
	t.Helper()
	reply, err := s.Update(t.Context(), project, u, message)
	if err != nil {
		t.Fatalf("update of %s: %v", u.Name, err)
	}
	return reply
}

func (s *Subject) leave(t tester, u presence.User, message presence.Leave) presence.Reply {
	t.Helper()
	reply, err := s.Leave(t.Context(), project, u, message)
	if err != nil {
		t.Fatalf("leave of %s: %v", u.Name, err)
	}
	return reply
}

func (s *Subject) snapshot(t tester) *presence.Snapshot {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return snapshot
}

// shows fails unless the list says so: name, activity and sections of each.
func (s *Subject) shows(t tester, due ...string) {
	t.Helper()
	if seen := lines(s.snapshot(t).Occupants); !slices.Equal(seen, due) {
		t.Fatalf("listed:\n  %s\ndue:\n  %s", strings.Join(seen, "\n  "), strings.Join(due, "\n  "))
	}
}

func lines(occupants []*presence.Occupant) []string {
	var all []string
	for _, o := range occupants {
		all = append(all, fmt.Sprintf("%s %s %q of %q", o.User.Name, o.Activity, o.Section, o.Sections))
	}
	return all
}

func leaseEnds(t *testing.T, s *Subject) { // rule 1, case 5, invariant 1
	s.update(t, alice, presence.Update{Section: "a"})
	s.Pass(s.Lease - s.Grain)
	s.shows(t, `Alice editing "a" of ["a"]`)
	s.Pass(2*s.Grain + 1)
	s.shows(t)
}

func lookingRenewsNothing(t *testing.T, s *Subject) { // rule 10, case 24
	s.update(t, alice, presence.Update{Section: "a"})
	s.Pass(s.Lease / 2)
	s.snapshot(t)
	s.Pass(s.Lease/2 - s.Grain)
	s.update(t, bob, presence.Update{Section: "a"})
	s.snapshot(t)
	s.Pass(2*s.Grain + 1)
	s.shows(t, `Bob editing "a" of ["a"]`)
}

func almostRenewals(t *testing.T, s *Subject) { // rule 10
	mary := presence.User{ID: "1", Name: "Mary"}
	visitor := presence.User{ID: "1", Name: "Mary", Visitor: true}
	s.update(t, alice, presence.Update{Session: "x", Seq: 5, Section: "a", Activity: presence.Idle})
	for _, c := range []struct {
		user    presence.User
		message presence.Update
		due     string
	}{
		{alice, presence.Update{Session: "x", Section: "a"}, `Alice editing "a" of ["a"]`}, // not numbered
		{alice, presence.Update{Session: "x", Seq: 5, Section: "b"}, `Alice editing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Seq: 6, Section: "a", Activity: presence.Viewing}, `Alice viewing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Seq: 7, Section: "a"}, `Alice editing "a" of ["a"]`},
		{alice, presence.Update{Session: "x", Section: "a"}, `Alice editing "a" of ["a"]`}, // not numbered
		{alice, presence.Update{Session: "x", Seq: 7, Section: "b"}, `Alice editing "a" of ["a"]`},
		{mary, presence.Update{Session: "x", Seq: 8, Section: "a"}, `Mary editing "a" of ["a"]`},
		{visitor, presence.Update{Session: "x", Seq: 9, Section: "a"}, `Mary editing "a" of ["a"]`},
		{visitor, presence.Update{Session: "y", Seq: 1, Section: "a"}, `Mary editing "a" of ["a"]`},
	} {
		s.update(t, c.user, c.message)
		s.shows(t, c.due)
		if shown := s.snapshot(t).Occupants[0].User; shown.Visitor != c.user.Visitor {
			t.Fatalf("shown is %v; due: %v", shown, c.user)
		}
	}
}

func leaveIsFinal(t *testing.T, s *Subject) { // rule 8, cases 1 to 3, invariant 4
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 3})
	for seq := range uint64(3) {
		if reply := s.update(t, alice, presence.Update{Session: "x", Seq: seq + 1, Section: "a"}); !reply.Stale {
			t.Errorf("message %d after a leave with number 3 is not stale", seq+1)
		}
		s.shows(t)
	}
	s.update(t, alice, presence.Update{Session: "x", Seq: 4, Section: "b"})
	s.shows(t, `Alice editing "b" of ["b"]`)
}

func leaveOvertakes(t *testing.T, s *Subject) { // rule 8, case 2, invariant 4
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2})
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.shows(t)
}

func hiddenLeave(t *testing.T, s *Subject) { // rule 9
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, bob, presence.Update{Session: "y", Seq: 1, Section: "b"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2, Hidden: true})
	s.leave(t, bob, presence.Leave{Session: "y", Seq: 2, Hidden: true})
	s.Pass(presence.HiddenGrace - s.Grain)
	s.shows(t, `Alice editing "a" of ["a"]`, `Bob editing "b" of ["b"]`)
	s.update(t, bob, presence.Update{Session: "y", Seq: 3, Section: "b"})
	s.Pass(2*s.Grain + 1)
	s.shows(t, `Bob editing "b" of ["b"]`)
}

func hiddenAndBack(t *testing.T, s *Subject) { // rule 9, case 7
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 2, Hidden: true})
	s.update(t, alice, presence.Update{Session: "x", Seq: 3, Section: "a"})
	s.update(t, alice, presence.Update{Session: "y", Seq: 1, Section: "b"})
	s.shows(t, `Alice editing "b" of ["a" "b"]`)
	s.leave(t, alice, presence.Leave{Session: "y", Seq: 2, Hidden: true})
	s.update(t, alice, presence.Update{Session: "z", Seq: 1, Section: "c"}) // y, reloaded
	s.shows(t, `Alice editing "c" of ["a" "c"]`)
}

func brokenConnection(t *testing.T, s *Subject) { // rule 9
	for i, last := range []presence.Update{
		{Connection: 1},                                  // which breaks
		{Connection: presence.MaxSafe},                   // a newer one
		{Connection: presence.MaxSafe - 1, Section: "b"}, // a newer one, and more than a renewal
		{Seq: 2}, // over HTTP
		{Seq: 1, Connection: 1, Activity: presence.Editing}, // repeats an older message
	} {
		user := somebody(i)
		s.update(t, user, presence.Update{Session: "x", Connection: 1, Section: "a"})
		if last.Seq == 1 {
			s.update(t, user, presence.Update{Session: "x", Section: "a", Seq: 1})
		}
		last.Session = "x"
		last.Section = cmp.Or(last.Section, "a")
		s.update(t, user, last)
	}
	for i := range 5 {
		if reply := s.leave(t, somebody(i), presence.Leave{Session: "x", Connection: 1, Broken: true}); reply.Stale != (i > 0) {
			t.Errorf("the loss of connection 1 after update %d is answered stale %v; due is %v", i, reply.Stale, i > 0)
		}
	}
	others := []string{`Writer 01 editing "a" of ["a"]`, `Writer 02 editing "b" of ["b"]`, `Writer 03 editing "a" of ["a"]`, `Writer 04 editing "a" of ["a"]`}
	s.Pass(presence.BrokenGrace - s.Grain)
	s.shows(t, append([]string{`Writer 00 editing "a" of ["a"]`}, others...)...)
	s.Pass(2 * s.Grain)
	s.shows(t, others...)
}

func lostAccess(t *testing.T, s *Subject) { // rule 14, case 38
	for i, newest := range []uint64{0, 1, 2} { // over HTTP, the same connection, another one
		user := somebody(i)
		s.update(t, user, presence.Update{Session: "x", Connection: 1, Section: "a"})
		s.update(t, user, presence.Update{Session: "x", Connection: newest, Section: "a"})
		s.leave(t, user, presence.Leave{Session: "x", Connection: 1})
	}
	s.shows(t, `Writer 02 editing "a" of ["a"]`)
}

// woken counts the calls of a watch.
func (s *Subject) woken() (count func() int, stop func()) {
	var mu sync.Mutex
	n := 0
	stop = s.Watch(project, func() {
		mu.Lock()
		defer mu.Unlock()
		n++
	})
	return func() int {
		s.Pass(s.Grain) // for one that is on its way
		mu.Lock()
		defer mu.Unlock()
		return n
	}, stop
}

func watched(t *testing.T, s *Subject) {
	count, stop := s.woken()
	defer stop()
	for _, c := range []struct {
		what   string
		do     func()
		change bool
	}{
		{"an arrival", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"}) }, true},
		{"a renewal", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 2, Section: "a"}) }, false},
		{"a move", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 3, Section: "b"}) }, true},
		{"an older message", func() { s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "c"}) }, false},
		{"an activity", func() {
			s.update(t, alice, presence.Update{Session: "x", Seq: 4, Section: "b", Activity: presence.Idle})
		}, true},
		{"a look", func() { s.snapshot(t) }, false},
		{"another project", func() {
			if _, err := s.Update(t.Context(), "other", bob, presence.Update{Section: "a"}); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a leave", func() { s.leave(t, alice, presence.Leave{Session: "x", Seq: 5}) }, true},
	} {
		before := count()
		c.do()
		if now := count(); now > before != c.change {
			t.Errorf("%s woke %d times; due: %v that it does", c.what, now-before, c.change)
		}
	}
	stop()
	before := count()
	s.update(t, alice, presence.Update{Session: "x", Seq: 6, Section: "a"})
	if now := count(); now != before {
		t.Errorf("after the end of the watch it was woken %d times", now-before)
	}
}

func watchedLapse(t *testing.T, s *Subject) { // rule 1
	s.update(t, alice, presence.Update{Section: "a"})
	count, stop := s.woken()
	defer stop()
	s.Pass(s.Lease - 2*s.Grain)
	before := count()
	s.Pass(time.Second)
	if now := count(); now == before {
		t.Error("Alice lapsed, nobody looked, and whoever watches was not woken within a second")
	}
}

func leaveNothing(t *testing.T, s *Subject) {
	s.leave(t, alice, presence.Leave{Session: "x"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 1})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 1, Hidden: true})
	s.shows(t)
}

func leaveOnlyLiving(t *testing.T, s *Subject) {
	isStale := func(what string, due bool, l presence.Leave) {
		t.Helper()
		l.OnlyLiving = true
		if reply := s.leave(t, alice, l); reply.Stale != due {
			t.Fatalf("leave of %s: stale is %v, want %v", what, reply.Stale, due)
		}
	}
	isStale("an unknown session", true, presence.Leave{Session: "x", Seq: 5})
	isStale("an unknown session, without seq", true, presence.Leave{Session: "x"})
	s.update(t, alice, presence.Update{Session: "x", Seq: 1}) // the leave with seq 5 is not remembered
	s.shows(t, `Alice viewing "" of []`)
	isStale("a living session", false, presence.Leave{Session: "x", Seq: 2})
	s.shows(t)
	isStale("an ended session", true, presence.Leave{Session: "x", Seq: 4})
	s.update(t, alice, presence.Update{Session: "x", Seq: 3}) // older than the end, which is remembered
	s.shows(t)
	s.update(t, alice, presence.Update{Session: "y"})
	isStale("a living session, hidden", false, presence.Leave{Session: "y", Hidden: true})
	isStale("a living session, without seq", false, presence.Leave{Session: "y"})
	s.shows(t)
}

func enterAtOnce(t *testing.T, s *Subject) { // rule 5, case 21, invariant 5
	const people = 20
	told := make([]int, people)
	atOnce(people, func(i int) {
		told[i] = len(s.update(fatal{t}, somebody(i), presence.Update{Section: "a"}).Conflicts)
	})
	slices.Sort(told)
	for i, n := range told {
		if n != i {
			t.Fatalf("of %d who entered at once, the numbers of others that they were told of are %v; due: 0, 1, 2, …", people, told)
		}
	}
}

func carefulAtOnce(t *testing.T, s *Subject) { // rule 6
	const people = 20
	recorded := make([]presence.Activity, people)
	atOnce(people, func(i int) {
		recorded[i] = s.update(fatal{t}, somebody(i), presence.Update{Section: "a", UnlessOccupied: true}).Activity
	})
	editing := 0
	for _, a := range recorded {
		if a == presence.Editing {
			editing++
		}
	}
	if editing != 1 {
		t.Fatalf("of %d careful entrants, %d edit; due: 1", people, editing)
	}
}

func versionsGrow(t *testing.T, s *Subject) { // invariant 8
	version := s.snapshot(t).Version
	step := func(what string, visible bool, do func() uint64) {
		t.Helper()
		told := do()
		got := s.snapshot(t).Version
		if grown := got > version; grown != visible || got < version || told > got {
			t.Fatalf("%s: the version went from %d to %d, and the reply said %d", what, version, got, told)
		}
		version = got
	}
	update := func(u presence.Update) func() uint64 {
		return func() uint64 { return s.update(t, alice, u).Version }
	}
	step("arrival", true, update(presence.Update{Session: "x", Seq: 1, Section: "a"}))
	step("heartbeat", false, update(presence.Update{Session: "x", Seq: 2, Section: "a"}))
	step("older message", false, update(presence.Update{Session: "x", Seq: 1, Section: "b"}))
	step("move", true, update(presence.Update{Session: "x", Seq: 3, Section: "b"}))
	step("idle", true, update(presence.Update{Session: "x", Seq: 4, Section: "b", Activity: presence.Idle}))
	step("lapse", true, func() uint64 { s.Pass(s.Lease + s.Grain + 1); return 0 })
	step("arrival again", true, update(presence.Update{Session: "x", Seq: 5, Section: "b"}))
	step("leave", true, func() uint64 { return s.leave(t, alice, presence.Leave{Session: "x", Seq: 6}).Version })
	s.Pass(2 * presence.Finality) // nothing is left to remember, but the version
	step("an arrival long after", true, update(presence.Update{Session: "y", Seq: 1}))
	s.Store = s.Restart()
	if got := s.snapshot(t).Version; got < version {
		t.Fatalf("over a restart the version went from %d to %d", version, got)
	}
	version = s.snapshot(t).Version
	step("a move after a restart", true, update(presence.Update{Session: "y", Seq: 2, Section: "c"}))
}

func emptyProject(t *testing.T, s *Subject) {
	snapshot := s.snapshot(t)
	if len(snapshot.Occupants) != 0 || snapshot.Count != 0 {
		t.Fatalf("an empty project lists %v, count %d", snapshot.Occupants, snapshot.Count)
	}
}

func projectsAreApart(t *testing.T, s *Subject) { // invariant 9
	s.update(t, alice, presence.Update{Session: "x", Seq: 5, Section: "a"})
	reply, err := s.Update(t.Context(), "q", alice, presence.Update{Session: "x", Seq: 1, Section: "b"})
	if err != nil || reply.Stale {
		t.Fatalf("the same session in another project: stale %v, %v", reply.Stale, err)
	}
	if reply, err := s.Update(t.Context(), "q", bob, presence.Update{Section: "a"}); err != nil || len(reply.Conflicts) != 0 {
		t.Fatalf("conflicts with %q of another project, %v", lines(reply.Conflicts), err)
	}
	if _, err := s.Leave(t.Context(), "q", alice, presence.Leave{Session: "x", Seq: 9}); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []presence.Project{"a.example/p", "b.example/p", "[2001:db8::1]:8080/p"} { // see identity.Request.Key
		if reply, err := s.Update(t.Context(), tenant, bob, presence.Update{Section: "a"}); err != nil || len(reply.Conflicts) != 0 {
			t.Fatalf("conflicts in %s with %q of another tenant, %v", tenant, lines(reply.Conflicts), err)
		}
		if snapshot, err := s.Snapshot(t.Context(), tenant); err != nil || len(snapshot.Occupants) != 1 {
			t.Fatalf("in %s are %v, %v; due is Bob alone", tenant, snapshot, err)
		}
	}
	s.shows(t, `Alice editing "a" of ["a"]`)
}

func sessionLimit(t *testing.T, s *Subject) { // rule 16, case 40
	for i := range presence.MaxSessions {
		s.update(t, alice, presence.Update{Session: fmt.Sprint(i)})
	}
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Session: "one more"}); !errors.Is(err, presence.ErrTooManySessions) {
		t.Fatalf("one session more than %d: %v; due: %v", presence.MaxSessions, err, presence.ErrTooManySessions)
	}
	s.update(t, alice, presence.Update{Session: "0", Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "1"})
	s.update(t, alice, presence.Update{Session: "one more"})
}

func onlyRenew(t *testing.T, s *Subject) { // rule 16, case 40
	s.update(t, alice, presence.Update{Section: "a"})
	s.update(t, alice, presence.Update{Section: "a", OnlyRenew: true})
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Section: "b", OnlyRenew: true}); !errors.Is(err, presence.ErrTooManyChanges) {
		t.Fatalf("a move above the limit: %v; due: %v", err, presence.ErrTooManyChanges)
	}
	s.shows(t, `Alice editing "a" of ["a"]`)
}

func survivesRestart(t *testing.T, s *Subject) { // invariant 6
	for i := range 30 {
		for session := range 3 {
			reply := s.update(t, somebody(i), presence.Update{Session: fmt.Sprint(session), Seq: 1, Section: presence.Section(fmt.Sprintf("s%d/%d", i, session))})
			if reply.Durable == s.Volatile {
				t.Fatalf("the reply is durable: %v; due: %v", reply.Durable, !s.Volatile)
			}
		}
	}
	due := lines(s.snapshot(t).Occupants)
	s.Store = s.Restart()
	s.shows(t, due...)
}

func endSurvivesRestart(t *testing.T, s *Subject) { // rule 8, invariant 4
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.update(t, bob, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.leave(t, alice, presence.Leave{Session: "x", Seq: 3})
	s.leave(t, bob, presence.Leave{Session: "x", Seq: 3, Hidden: true})
	s.Store = s.Restart()
	s.Pass(presence.HiddenGrace + s.Grain)
	s.shows(t)
	s.update(t, alice, presence.Update{Session: "x", Seq: 2, Section: "a"})
	s.update(t, bob, presence.Update{Session: "x", Seq: 2, Section: "a"})
	s.shows(t)
}

func newestEndsSurvive(t *testing.T, s *Subject) {
	const ends = presence.MaxSessions + 5
	for i := range ends {
		name := fmt.Sprint((i * 7) % ends) // so that their order is not that of their names
		s.update(t, alice, presence.Update{Session: name, Seq: 1, Section: "a"})
		s.Pass(s.Grain)
		s.leave(t, alice, presence.Leave{Session: name, Seq: 3})
	}
	s.Store = s.Restart()
	for i := 5; i < ends; i++ {
		name := fmt.Sprint((i * 7) % ends)
		if reply := s.update(t, alice, presence.Update{Session: name, Seq: 2, Section: "a"}); !reply.Stale {
			t.Fatalf("session %s, the end number %d of %d, came back by an older message after a restart", name, i+1, ends)
		}
	}
}

// manyEnds ends more sessions than are remembered one by one, in the middle and at the end
// of which older messages arrive.
func manyEnds(t *testing.T, s *Subject) { // rule 8, invariant 4
	name := func(i int) string { return fmt.Sprint("s", i) }
	replay := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			for seq := range uint64(3) {
				_, err := s.Update(t.Context(), project, alice, presence.Update{Session: name(i), Seq: seq + 1, Section: "a"})
				if err != nil && !errors.Is(err, presence.ErrTooManyChanges) {
					t.Fatal(err)
				}
			}
		}
		s.shows(t)
	}
	s.update(t, alice, presence.Update{Session: name(0), Seq: 1, Section: "a"})
	for i := range presence.MaxEnded {
		s.leave(t, alice, presence.Leave{Session: name(i), Seq: 4})
	}
	replay(0, 3)
	replay(presence.MaxEnded/2, presence.MaxEnded/2+3)
	replay(presence.MaxEnded-presence.MaxSessions-1, presence.MaxEnded-presence.MaxSessions+2)
	s.update(t, alice, presence.Update{Session: "new", Seq: 1, Section: "a"})
	s.update(t, alice, presence.Update{Session: name(1), Seq: 5, Section: "b"})
	s.shows(t, `Alice editing "b" of ["a" "b"]`)
	s.leave(t, alice, presence.Leave{Session: name(1), Seq: 6})
	s.leave(t, alice, presence.Leave{Session: "new", Seq: 2})
	s.leave(t, alice, presence.Leave{Session: name(presence.MaxEnded), Seq: 4})

	replay(0, 5) // the first of them are not remembered any more
	if _, err := s.Update(t.Context(), project, alice, presence.Update{Session: "newer", Seq: 1}); !errors.Is(err, presence.ErrTooManyChanges) {
		t.Fatalf("an unknown session, when ends are forgotten: %v; due: %v", err, presence.ErrTooManyChanges)
	}
	s.leave(t, alice, presence.Leave{Session: name(0), Seq: 2})
	s.update(t, alice, presence.Update{Session: "", Section: "c"})
	s.shows(t, `Alice editing "c" of ["c"]`)
	s.leave(t, alice, presence.Leave{})
	replay(0, 5)
	s.Store = s.Restart()
	replay(0, 5)
	replay(presence.MaxEnded-2, presence.MaxEnded)
}

func restartRenews(t *testing.T, s *Subject) { // invariant 1
	s.update(t, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.Pass(s.Lease - s.Grain)
	if !s.Renews {
		s.Store = s.Restart()
		s.shows(t, `Alice editing "a" of ["a"]`)
		s.Pass(2*s.Grain + 1)
		s.shows(t)
		return
	}
	s.Store = s.Restart()
	s.Pass(s.Lease - s.Grain)
	s.shows(t, `Alice editing "a" of ["a"]`)
	s.Pass(2*s.Grain + 1)
	s.shows(t)
}

func namesAreData(t *testing.T, s *Subject) { // cases 19 and 43, invariant 12
	texts := []string{"__proto__", "'; DROP TABLE writer_presence; --", "a:b", "a{b}c", "*", "名前", "a|b", "constructor", `"\`, "a b"}
	for _, text := range texts {
		s.update(t, presence.User{ID: presence.UserID(text), Name: text}, presence.Update{Section: presence.Section(text)})
	}
	slices.SortFunc(texts, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	var due []string
	for _, text := range texts {
		due = append(due, fmt.Sprintf("%s editing %q of [%q]", text, text, text))
	}
	s.shows(t, due...)
}

// randomHistories sends the same random messages to the store and to a roster, and
// holds the replies and lists against each other.
func randomHistories(t *testing.T, s *Subject) { // rules 1 and 3 to 9, invariants 1 to 4
	history := 0
	// A test in its own time has no deadline that rapid could ask for.
	rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
		history++
		where := presence.Project(fmt.Sprintf("history-%d", history))
		roster := presence.NewRoster(s.Lease, 1) // a version that nobody knows
		type tab struct {
			user    presence.UserID
			session string
		}
		seqs := map[tab]uint64{}          // the highest so far
		said := map[tab]presence.Update{} // what it said last
		var version, rosterVersion uint64 // as last seen
		people := 0
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			// Moments at which something ends are avoided by some grains: the roster's
			// own tests are about those.
			pass := rapid.SampledFrom([]time.Duration{0, 0, 4 * s.Grain, presence.HiddenGrace + 4*s.Grain, presence.BrokenGrace + 4*s.Grain, s.Lease * 3 / 8, s.Lease + 4*s.Grain}).Draw(t, "passes")
			s.Pass(pass)
			now := s.Now()
			user := somebody(rapid.IntRange(0, 2).Draw(t, "user"))
			if rapid.IntRange(0, 7).Draw(t, "renamed") == 0 {
				user.Name, user.Visitor = "Another "+user.Name, rapid.Bool().Draw(t, "visitor")
			}
			session := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "session")
			of := tab{user.ID, session}
			seq := seqs[of] + 1
			if rapid.IntRange(0, 3).Draw(t, "numbered at random") == 0 {
				seq = rapid.Uint64Range(0, seq+2).Draw(t, "seq")
			}
			seqs[of] = max(seqs[of], seq)
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				l := presence.Leave{Session: session, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), OnlyLiving: rapid.Bool().Draw(t, "only living")}
				l.Broken = rapid.IntRange(0, 3).Draw(t, "broken") == 0
				if l.Broken || rapid.IntRange(0, 3).Draw(t, "lost access") == 0 {
					l.Connection = rapid.Uint64Range(0, 2).Draw(t, "connection")
				}
				due, _ := roster.Leave(now, user, l)
				got, err := s.Leave(t.Context(), where, user, l)
				if err != nil || got.Stale != due.Stale {
					t.Fatalf("leave is answered stale %v, %v; due: %v", got.Stale, err, due.Stale)
				}
			} else {
				u := presence.Update{
					Session: session, Seq: seq,
					Section:        rapid.SampledFrom([]presence.Section{"", "a", "b"}).Draw(t, "section"),
					Activity:       rapid.SampledFrom([]presence.Activity{"", presence.Editing, presence.Viewing, presence.Idle}).Draw(t, "activity"),
					UnlessOccupied: rapid.Bool().Draw(t, "careful"),
					OnlyRenew:      rapid.IntRange(0, 3).Draw(t, "only renew") == 0,
					Poll:           rapid.Bool().Draw(t, "poll"),
				}
				if last, ok := said[of]; ok && rapid.Bool().Draw(t, "heartbeat") { // as most are
					u = last
					u.Seq = seq
				}
				u.Connection = rapid.Uint64Range(0, 2).Draw(t, "connection")
				said[of] = u
				due, _, refused := roster.Update(now, user, u)
				got, err := s.Update(t.Context(), where, user, u)
				if !errors.Is(err, refused) || err != nil && refused == nil {
					t.Fatalf("update is answered %v; due: %v", err, refused)
				}
				if refused == nil && told(got) != told(due) {
					t.Fatalf("update is answered\n  %s\ndue:\n  %s", told(got), told(due))
				}
			}
			snapshot, err := s.Snapshot(t.Context(), where)
			if err != nil {
				t.Fatal(err)
			}
			model := roster.Snapshot(s.Now())
			if seen, due := lines(snapshot.Occupants), lines(model.Occupants); !slices.Equal(seen, due) {
				t.Fatalf("listed:\n  %s\ndue:\n  %s", strings.Join(seen, "\n  "), strings.Join(due, "\n  "))
			}
			differs := (snapshot.Version > version) != (model.Version > rosterVersion)
			if version > 0 && differs && model.Count+people > 0 || snapshot.Version < version { // where nobody is, it may be another at each look
				t.Fatalf("the version goes from %d to %d, where that of the roster goes from %d to %d", version, snapshot.Version, rosterVersion, model.Version)
			}
			version, rosterVersion, people = snapshot.Version, model.Version, model.Count
		}
	})
}

func told(r presence.Reply) string {
	listed := "no list"
	if r.Snapshot != nil {
		listed = fmt.Sprintf("%q, %d", lines(r.Snapshot.Occupants), r.Snapshot.Count)
	}
	return fmt.Sprintf("stale %v, %q, you %q, conflicts %q, %s", r.Stale, r.Activity, lines([]*presence.Occupant{r.You}), lines(r.Conflicts), listed)
}

func somebody(i int) presence.User {
	return presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: fmt.Sprintf("Writer %02d", i)}
}

// atOnce starts n calls at the same moment, and waits for all.
func atOnce(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			call(i)
		})
	}
	done.Wait()
}

// fatal lets other goroutines than the test's own fail it.
type fatal struct{ *testing.T }

func (f fatal) Fatalf(format string, args ...any) { f.Errorf(format, args...) }
