// Package storetest is the conformance suite for [presence.Store]. It has the same tests for every store.
//
//	func TestMyStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
//			store := open(t) // a new one for each test
//			test(t, &storetest.Subject{Store: store, Lease: lease, Now: time.Now, Pass: time.Sleep, Grain: grain, Restart: restart})
//		})
//	}
//
// With testing/synctest, as in the example of [Run], the minutes of a lease pass in no time.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Subject is an empty store under test.
type Subject struct {
	presence.Store
	// Volatile says that the store's replies must not be Durable, since its data may be lost.
	Volatile bool
	// Lease is the lease of the store's sessions.
	Lease time.Duration
	// Now returns the time of the store's clock. Pass advances that clock, or waits. A call may take
	// up to half of Grain.
	Now   func() time.Time
	Pass  func(time.Duration)
	Grain time.Duration
	// Restart kills the store after everything acknowledged, and returns another one on the same data.
	Restart func() presence.Store
	// Renews says that a restart grants living sessions a full lease, as it must where clients cannot
	// reach the store until it is back.
	Renews bool
}

// Run runs the suite on a store. For each test it calls with, which must call test once with a new
// Subject.
func Run(t *testing.T, with func(t *testing.T, test func(*testing.T, *Subject))) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Subject)
	}{
		{"rule 1: a session is listed until its lease expires", leaseExpires},
		{"rule 10: a snapshot renews nothing", snapshotRenewsNothing},
		{"an update that differs from a renewal is recorded", almostRenewals},
		{"rule 8: a leave is final for older updates and not for newer ones", leaveIsFinal},
		{"rule 8: a leave before the first update is final", leaveBeforeFirstUpdate},
		{"rule 9: a hidden leave takes effect after its grace", hiddenLeave},
		{"rule 9: a page that is back within the grace has not left", backWithinGrace},
		{"rule 9: a broken connection ends its session after 15 s unless another one updated it", brokenConnection},
		{"rule 14: lost access ends the session at once unless another connection updated it", lostAccess},
		{"a watcher is woken by visible changes only", watchWakes},
		{"a watcher is woken within a second of an expiry", watchExpiry},
		{"leaving an unknown session is no error", leaveUnknown},
		{"rule 16: a leave over a rate limit is stale unless the session is alive", leaveOnlyLiving},
		{"rule 5: of concurrent entrants, each reply names all before it", enterAtOnce},
		{"rule 6: of concurrent careful entrants, one edits", carefulAtOnce},
		{"rule 7: an unguessable session moves to its page's new identity", sessionMoves},
		{"rules 7 and 16: sessions that move to a user and leave are bounded", movedSessionsAreBounded},
		{"rule 18: unsaved work claims its section until its lease expires", unsavedClaims},
		{"rule 19: the newest save of each section is in the snapshot", newestSaves},
		{"rule 19: saves end ten minutes after the last person", savesEnd},
		{"rules 16 and 19: the number of saves is bounded", savesAreBounded},
		{"rule 20: waiting ends with entering", waitingEnds},
		{"rule 19: a save of the host needs no session", hostSaves},
		{"rule 23: a section moves with its people, waits and saves", sectionMoves},
		{"rule 23: an update that was under way follows the moves", lateUpdateFollowsMoves},
		{"rules 16 and 23: a move that would make a path too long changes nothing", tooLongMove},
		{"rules 16 and 23: the moves are bounded in number and time", movesAreBounded},
		{"rule 23: in an empty project there is nothing to move", emptyMove},
		{"rule 24: a removal ends all sessions of the user", removalEndsSessions},
		{"rule 24: a removal rejects updates until it is over", removalRejectsUpdates},
		{"rule 24: a removal of everybody ends all sessions and saves", removalOfEverybody},
		{"rules 16 and 24: the number of removals is bounded", removalsAreBounded},
		{"rule 1: an update can have a shorter lease", shorterLease},
		{"the living sessions of a project are listed", sessionsAreListed},
		{"active projects are listed, those of a user or a prefix too", activeProjects},
		{"versions grow with visible changes, and over restarts", versionsGrow},
		{"an unknown project is empty", emptyProject},
		{"projects are separate", projectsAreSeparate},
		{"rule 16: the session limit rejects new sessions only", sessionLimit},
		{"rule 16: over a rate limit only renewals succeed", onlyRenew},
		{"a durable change survives a restart", survivesRestart},
		{"saves, unsaved work, waits and sessions that moved survive a restart", claimsSurviveRestart},
		{"rule 23: a moved section survives a restart", sectionMoveSurvivesRestart},
		{"rule 8: a leave is final after a restart", endSurvivesRestart},
		{"rule 8: a restart keeps the newest ends", newestEndsSurviveRestart},
		{"rule 8: older updates do not undo a leave, however many sessions have ended", manyEnds},
		{"a restart grants living sessions a full lease, or leaves their lease as it is", restartRenews},
		{"names and sections are data", namesAreData},
		{"events of a project have one sender at a time", withEvents(oneClaim)},
		{"what was announced survives a restart", withEvents(announcementSurvivesRestart)},
		{"projects with changes to announce are listed", withEvents(unannouncedProjects)},
		{"changes are notified", withEvents(changesAreNotified)},
		{"the log of events continues after an event", withEvents(eventLog)},
		{"random histories have the same result as on a roster", randomHistories},
	} {
		t.Run(c.name, func(t *testing.T) { with(t, c.test) })
	}
}

// RunHistories runs only the random histories of the suite, on the stores of several processes that share
// their data: each call goes to one of them at random. Subject.Store and Restart are not used.
func RunHistories(t *testing.T, s Subject, stores ...presence.Store) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s.Store = &spread{stores, rand.New(rand.NewPCG(seed, 0))}
	randomHistories(t, &s)
}

// spread is a store that passes each call to one of several stores. It is not safe for concurrent use.
type spread struct {
	stores []presence.Store
	random *rand.Rand
}

func (s *spread) any() presence.Store { return s.stores[s.random.IntN(len(s.stores))] }

func (s *spread) Update(ctx context.Context, p presence.Project, user presence.User, u presence.Update) (presence.Reply, error) {
	return s.any().Update(ctx, p, user, u)
}

func (s *spread) Leave(ctx context.Context, p presence.Project, user presence.User, l presence.Leave) (presence.Reply, error) {
	return s.any().Leave(ctx, p, user, l)
}

func (s *spread) Remove(ctx context.Context, p presence.Project, r presence.Removal) (presence.Reply, error) {
	return s.any().Remove(ctx, p, r)
}

func (s *spread) Sessions(ctx context.Context, p presence.Project) (*presence.Snapshot, []presence.Record, error) {
	return s.any().Sessions(ctx, p)
}

func (s *spread) Projects(ctx context.Context, f presence.ProjectFilter, cursor string, limit int) ([]presence.ActiveProject, string, error) {
	return s.any().Projects(ctx, f, cursor, limit)
}

func (s *spread) Move(ctx context.Context, p presence.Project, from, to presence.Section) (presence.Reply, error) {
	return s.any().Move(ctx, p, from, to)
}

func (s *spread) Save(ctx context.Context, p presence.Project, user presence.User, saved presence.Saved) (presence.Reply, error) {
	return s.any().Save(ctx, p, user, saved)
}

// Snapshot includes the changes of all processes, since the histories make no concurrent calls.
func (s *spread) Snapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	return s.any().FreshSnapshot(ctx, p)
}

func (s *spread) FreshSnapshot(ctx context.Context, p presence.Project) (*presence.Snapshot, error) {
	return s.any().FreshSnapshot(ctx, p)
}

func (s *spread) Watch(p presence.Project, wake func()) (stop func()) { return s.any().Watch(p, wake) }

const project = presence.Project("p")

// unguessable is a session name that moves between identities.
const unguessable = "0123456789abcdef"

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

// tester is what *testing.T, *rapid.T and goroutine have in common.
type tester interface {
	Helper()
	Fatalf(string, ...any)
	Context() context.Context
}

// goroutine lets a goroutine that is not the test's own fail the test.
type goroutine struct{ *testing.T }

func (g goroutine) Fatalf(format string, args ...any) { g.Errorf(format, args...) }

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

// wantList fails unless the snapshot lists want: username, activity and sections of each occupant.
func (s *Subject) wantList(t tester, want ...string) {
	t.Helper()
	if seen := lines(s.snapshot(t).Occupants); !slices.Equal(seen, want) {
		t.Fatalf("listed:\n  %s\nwant:\n  %s", strings.Join(seen, "\n  "), strings.Join(want, "\n  "))
	}
}

func lines(occupants []*presence.Occupant) []string {
	var all []string
	for _, o := range occupants {
		all = append(all, fmt.Sprintf("%s %s %q of %q", o.User.Name, o.Activity, o.Section, o.Sections))
	}
	return all
}

func writer(i int) presence.User {
	return presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: fmt.Sprintf("Writer %02d", i)}
}

// concurrently starts n calls at the same moment and waits for all.
func concurrently(n int, call func(i int)) {
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
