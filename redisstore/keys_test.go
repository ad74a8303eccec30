package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestEveryKeyExpiresWhateverTheNamesContain(t *testing.T) { // invariants 11 and 12
	server := redistest.Start(t)
	s := open(t, server.URL())
	for _, name := range []presence.Project{"p", "a.b~c_d-e", "{x}", "p}:{q", "a b\r\nFLUSHALL"} { // Service rejects the last ones
		for _, text := range []string{"__proto__", "a:b", "{x}", "u1", "e", "\x00", "'; return redis.call('FLUSHALL') --"} {
			if _, err := s.Update(t.Context(), name, presence.User{ID: presence.UserID(text), Name: text}, presence.Update{Session: "s", Section: presence.Section(text)}); err != nil {
				t.Fatal(err)
			}
		}
		snapshot, err := s.Snapshot(t.Context(), name)
		if err != nil || snapshot.Count != 7 {
			t.Fatalf("%q lists %d people, %v; want 7", name, snapshot.Count, err)
		}
		key := redisstore.ProjectKey(name)
		if ttl := server.Do("PTTL", key); strings.HasPrefix(ttl, "-") || ttl == "" {
			t.Errorf("%q has a TTL of %s ms", key, ttl)
		}
	}
	if keys := server.Do("KEYS", "*"); strings.Count(keys, "writer-presence:") != 5+1+1 {
		t.Errorf("the keys are %s; want one for each project, that of the check by Open, and the marker", keys)
	}
}

// A key must outlive the sessions in it, and the time for which ended sessions are remembered.
func TestRenewalsKeepTheKeyAlive(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Section: "a"})
	server.Do("PERSIST", redisstore.ProjectKey(project))
	for began := clock.Now(); clock.Now().Sub(began) < presence.Finality+4*presence.DefaultLease; clock.Advance(presence.DefaultHeartbeat) {
		update(t, s, alice, presence.Update{Section: "a"})
	}
	if ttl, _ := strconv.Atoi(server.Do("PTTL", redisstore.ProjectKey(project))); time.Duration(ttl)*time.Millisecond < presence.Finality+presence.DefaultLease {
		t.Fatalf("after many renewals the key has a TTL of %d ms; it is too short", ttl)
	}
}

// Leaves of sessions that never were there are remembered, too, and must be forgotten like others.
func TestEndedSessionsAreForgottenInEmptyProjects(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	for round := range 3 {
		for i := range 50 {
			user := presence.User{ID: presence.UserID(fmt.Sprint(round, "-", i)), Name: "N"}
			if _, err := s.Leave(t.Context(), project, user, presence.Leave{Session: "x", Seq: 1}); err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(presence.Finality + time.Minute)
	}
	list(t, s)
	if n, _ := strconv.Atoi(server.Do("HLEN", redisstore.ProjectKey(project))); n > 51 {
		t.Errorf("the hash has %d fields after 150 leaves in three rounds; want those of the last round", n)
	}
}

// Reading or watching a project, and a leave above a rate limit, must not create a key.
func TestReadsOfUnknownProjectsWriteNothing(t *testing.T) { // rule 10
	server := redistest.Start(t)
	s := open(t, server.URL())
	waitForMarker(t, server)
	before := keys(server)
	for i := range 100 {
		project := presence.Project(fmt.Sprint("unknown-", i))
		if _, err := s.Snapshot(t.Context(), project); err != nil {
			t.Fatal(err)
		}
		s.Watch(project, func() {})()
		if reply, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: "x", Seq: 1, OnlyLiving: true}); err != nil || !reply.Stale {
			t.Fatalf("a leave above a limit returns %+v, %v; want stale", reply, err)
		}
	}
	if after := keys(server); after != before {
		t.Errorf("Redis has the keys %q after the reads; want those from before: %q", after, before)
	}
}

// keys returns the names of all keys of a server, sorted.
func keys(server *redistest.Server) string {
	return server.Do("EVAL", "local keys = redis.call('KEYS', '*') table.sort(keys) return table.concat(keys, ' ')", "0")
}

func TestKeyOutlivesItsRemovals(t *testing.T) { // rule 24
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	if _, err := s.Remove(t.Context(), project, presence.Removal{User: "7", Until: clock.Now().Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * presence.Finality) // the next commit sets the TTL again
	update(t, s, alice, presence.Update{Section: "a"})
	if ttl, _ := strconv.Atoi(server.Do("PTTL", redisstore.ProjectKey(project))); time.Duration(ttl)*time.Millisecond < 24*time.Hour-2*presence.Finality {
		t.Errorf("a key with a removal of 24 hours has a TTL of %d ms", ttl)
	}
}
