package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestPollReturnsTheNewestSnapshotUnlessItIsKnown(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	update(t, b, alice, presence.Update{Session: "x", Seq: 1, Section: "a", Poll: true})
	update(t, a, bob, presence.Update{Section: "b"})
	reply := update(t, b, alice, presence.Update{Session: "x", Seq: 2, Section: "a", Poll: true}) // only renews
	if reply.Snapshot == nil || reply.Snapshot.Version != reply.Version || reply.Snapshot.Count != 2 {
		t.Fatalf("a poll through another node returns %+v; want both people at the version of the reply", reply.Snapshot)
	}
	again := update(t, b, alice, presence.Update{Session: "x", Seq: 3, Section: "a", Poll: true, Known: reply.Version})
	if again.Snapshot != nil || again.Version != reply.Version {
		t.Fatalf("a poll with known_version %d returns version %d, %+v; want no snapshot", reply.Version, again.Version, again.Snapshot)
	}
}

// People above the limit of listed occupants are left out of the list, but not of counts and conflicts.
func TestPeopleAboveTheListLimitCountAndConflict(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL())
	const people = presence.MaxListed + 1
	for i := range people {
		update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: fmt.Sprintf("Writer %04d", i)}, presence.Update{Section: presence.Section(fmt.Sprint(i))})
	}
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil || snapshot.Count != people || len(snapshot.Occupants) != presence.MaxListed {
		t.Fatalf("of %d people, %d are listed and %d counted, %v; want %d listed and all counted", people, len(snapshot.Occupants), snapshot.Count, err, presence.MaxListed)
	}
	reply := update(t, s, presence.User{ID: "a", Name: "A"}, presence.Update{Section: presence.Section(fmt.Sprint(people - 1)), Poll: true})
	if len(reply.Conflicts) != 1 || reply.Conflicts[0].User.Name != fmt.Sprintf("Writer %04d", people-1) {
		t.Fatalf("an update into the section of a person who is not listed has %d conflicts; want that person", len(reply.Conflicts))
	}
}

// Replies must not contain an older snapshot just because nothing visible has changed since.
func TestLastSeenInRepliesIsAtMostFiveSecondsOld(t *testing.T) { // ADR 11
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	ready(t, s)
	beat := func(user presence.User, poll bool) presence.Reply {
		return update(t, s, user, presence.Update{Session: "of " + user.Name, Section: "a", Poll: poll})
	}
	beat(alice, false)
	beat(bob, true)
	for range 10 {
		clock.Advance(presence.DefaultHeartbeat)
		beat(alice, false)
		reply := beat(bob, true)
		for _, o := range append(reply.Conflicts, reply.Snapshot.Occupants...) {
			if age := clock.Now().Sub(o.LastSeen); o.User.ID == alice.ID && age > 5*time.Second {
				t.Fatalf("last_seen of %s is %v old; the limit is 5 s", o.User.Name, age)
			}
		}
	}
}

// When Redis's clock goes back, a renewal grants a lease by the new time, and nothing longer.
func TestLeaseKeepsItsLengthWhenTheClockGoesBack(t *testing.T) { // rule 1
	server := redistest.Start(t)
	var before, after redisstore.Clock
	a, b := openWithClock(t, server.URL(), &before), openWithClock(t, server.URL(), &after)
	before.Advance(time.Hour)
	update(t, a, alice, presence.Update{Session: "x", Section: "a"})
	update(t, b, alice, presence.Update{Session: "x", Section: "a"})
	after.Advance(presence.DefaultLease - time.Second)
	if got := list(t, b); got != "Alice in a" {
		t.Errorf("a second before the end of the lease the list is %q; want Alice", got)
	}
	after.Advance(2 * time.Second)
	if got := list(t, b); got != "" {
		t.Errorf("a second after the end of the lease the list is %q; want nobody", got)
	}
}
