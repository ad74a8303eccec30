package redisstore_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

const project = presence.Project("p")

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

func update(t *testing.T, s presence.Store, user presence.User, u presence.Update) presence.Reply {
	t.Helper()
	reply, err := s.Update(t.Context(), project, user, u)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// listed is who is where in the project, as a node has it.
func listed(t *testing.T, s presence.Store) string {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range snapshot.Occupants {
		all = append(all, fmt.Sprintf("%s in %s", o.User.Name, o.Section))
	}
	return strings.Join(all, ", ")
}

// watch watches the project until the end of the test: an element is in the channel if it was
// woken.
func watch(t *testing.T, s presence.Store) <-chan struct{} {
	woken := make(chan struct{}, 1)
	t.Cleanup(s.Watch(project, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}))
	return woken
}

// until waits for a condition that another process brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) { // which leaves the machine to the others
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("after 10 s it is not so that %s", what)
		}
	}
}

// ready waits until the nodes hear wake-ups.
func ready(t *testing.T, nodes ...*redisstore.Store) {
	t.Helper()
	for _, s := range nodes {
		until(t, "a node hears wake-ups", func() bool { return s.Ready(t.Context()) == nil })
	}
}

// calls counts the scripts that a server has run.
func calls(server *redistest.Server) string {
	return regexp.MustCompile(`cmdstat_evalsha:calls=\d+`).FindString(server.Do("INFO", "commandstats"))
}

func TestAListOfAQuietProjectCostsRedisNothing(t *testing.T) { // case 34
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	ready(t, a, b)
	update(t, a, alice, presence.Update{Section: "a"})
	listed(t, b)
	until(t, "the node keeps what it knows", func() bool {
		before := calls(server)
		for range 100 {
			if got := listed(t, b); got != "Alice in a" {
				t.Fatalf("listed: %s", got)
			}
		}
		return calls(server) == before
	})
	update(t, a, alice, presence.Update{Section: "b"})
	until(t, "a change on one node shows in the list of another", func() bool { return listed(t, b) == "Alice in b" })
}

func TestANodeShowsWhatItHasAnsweredItself(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ready(t, s)
	for i := range 200 {
		section := presence.Section(fmt.Sprint(i))
		reply := update(t, s, alice, presence.Update{Section: section})
		snapshot, err := s.Snapshot(t.Context(), project)
		if err != nil || snapshot.Version < reply.Version || snapshot.Occupants[0].Section != section {
			t.Fatalf("after the answer of version %d the list of the same node is %d, in %q: %v", reply.Version, snapshot.Version, snapshot.Occupants[0].Section, err)
		}
	}
}

func TestWhoeverWatchesOnAnotherNodeIsWoken(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	ready(t, a, b)
	woken := watch(t, b)
	for i := range 20 {
		due := fmt.Sprintf("Alice in %d", i)
		update(t, a, alice, presence.Update{Section: presence.Section(fmt.Sprint(i))})
		for listed(t, b) != due {
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Fatalf("nobody was woken, and listed is %s; due: %s", listed(t, b), due)
			}
		}
	}
}

// Every person above the limit of a list is counted, and met.
func TestMoreThanAreListedAreCountedAndMet(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	const people = presence.MaxListed + 1
	for i := range people {
		update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: fmt.Sprintf("Writer %04d", i)}, presence.Update{Section: presence.Section(fmt.Sprint(i))})
	}
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil || snapshot.Count != people || len(snapshot.Occupants) != presence.MaxListed {
		t.Fatalf("of %d, %d are listed and %d counted, %v; due: %d and all", people, len(snapshot.Occupants), snapshot.Count, err, presence.MaxListed)
	}
	reply := update(t, s, presence.User{ID: "a", Name: "A"}, presence.Update{Section: presence.Section(fmt.Sprint(people - 1)), Poll: true})
	if len(reply.Conflicts) != 1 || reply.Conflicts[0].User.Name != fmt.Sprintf("Writer %04d", people-1) {
		t.Fatalf("whoever enters where the last one edits, who is not listed, meets %d", len(reply.Conflicts))
	}
}

func TestEveryKeyExpiresAndIsBuiltOfNoText(t *testing.T) { // invariants 11 and 12
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	for _, name := range []presence.Project{"p", "a.b~c_d-e", "{x}", "p}:{q", "a b\r\nFLUSHALL"} { // the last ones do not get through the tracker
		for _, text := range []string{"__proto__", "a:b", "{x}", "u1", "e", "\x00", "'; return redis.call('FLUSHALL') --"} {
			if _, err := s.Update(t.Context(), name, presence.User{ID: presence.UserID(text), Name: text}, presence.Update{Session: "s", Section: presence.Section(text)}); err != nil {
				t.Fatal(err)
			}
		}
		snapshot, err := s.Snapshot(t.Context(), name)
		if err != nil || snapshot.Count != 7 {
			t.Fatalf("%q: %d of 7 are there, %v", name, snapshot.Count, err)
		}
		key := redisstore.KeyOf(name)
		if ttl := server.Do("PTTL", key); strings.HasPrefix(ttl, "-") || ttl == "" {
			t.Errorf("%q expires in %s ms", key, ttl)
		}
	}
	if keys := server.Do("KEYS", "*"); strings.Count(keys, "writer-presence:") != 5+1+1 {
		t.Errorf("the keys are %s; due: one for each project, one that the start tried, and the marker of the data", keys)
	}
}

func TestARoomThatNobodyUsesIsLetGo(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	ready(t, s)
	stop := s.Watch(project, func() {})
	listed(t, s)
	if s.Rooms() != 1 {
		t.Fatalf("%d rooms", s.Rooms())
	}
	clock.Pass(time.Hour)
	if s.Rooms() != 1 {
		t.Fatal("a room that is watched was let go")
	}
	stop()
	clock.Pass(time.Hour)
	clock.Pass(0)
	if s.Rooms() != 0 {
		t.Fatal("a room that nobody uses is kept")
	}
	until(t, "Redis is told that nobody listens", func() bool {
		return !strings.Contains(server.Do("PUBSUB", "CHANNELS"), redisstore.KeyOf(project))
	})
}

// What lapses is news within a second also where wake-ups come, so that nobody looks for
// want of them.
func TestALapseWakesWhoeverWatches(t *testing.T) { // rule 1
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	ready(t, s)
	update(t, s, alice, presence.Update{Section: "a"})
	clock.Pass(presence.DefaultLease - time.Second)
	woken := make(chan struct{}, 100)
	stop := s.Watch(project, func() { woken <- struct{}{} })
	defer stop()
	clock.Pass(0)
	for len(woken) > 0 {
		<-woken
	}
	clock.Pass(time.Second)
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		t.Fatal("Alice has lapsed, and nobody was woken")
	}
}

// A key lives for as long as somebody is there, and longer than any end is remembered.
func TestAKeyIsKeptAliveByRenewals(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Section: "a"})
	server.Do("PERSIST", redisstore.KeyOf(project))
	for begun := clock.Now(); clock.Now().Sub(begun) < presence.Finality+4*presence.DefaultLease; clock.Pass(presence.DefaultHeartbeat) {
		update(t, s, alice, presence.Update{Section: "a"})
	}
	if ttl, _ := strconv.Atoi(server.Do("PTTL", redisstore.KeyOf(project))); time.Duration(ttl)*time.Millisecond < presence.Finality+presence.DefaultLease {
		t.Fatalf("after many renewals the key expires in %d ms", ttl)
	}
}

func TestAPollIsAnsweredWithTheNewest(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	update(t, b, alice, presence.Update{Session: "x", Seq: 1, Section: "a", Poll: true})
	update(t, a, bob, presence.Update{Section: "b"})
	reply := update(t, b, alice, presence.Update{Session: "x", Seq: 2, Section: "a", Poll: true}) // a mere renewal
	if reply.Snapshot == nil || reply.Snapshot.Version != reply.Version || reply.Snapshot.Count != 2 {
		t.Fatalf("a poll through another node is answered with %+v", reply.Snapshot)
	}
	again := update(t, b, alice, presence.Update{Session: "x", Seq: 3, Section: "a", Poll: true, Known: reply.Version})
	if again.Snapshot != nil || again.Version != reply.Version {
		t.Fatalf("a poll that knows version %d is answered with version %d, %+v", reply.Version, again.Version, again.Snapshot)
	}
}

// Whoever watches is told that nothing is known, though nobody asks (rule 13).
func TestWhoeverWatchesIsWokenWhenRedisIsGone(t *testing.T) { // rule 13
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ready(t, s)
	update(t, s, alice, presence.Update{Section: "a"})
	unknown := watch(t, s)
	listed(t, s)
	server.Kill()
	for {
		select {
		case <-unknown:
		case <-time.After(5 * time.Second):
			t.Fatal("Redis is gone, and nobody who watches has heard of it for five seconds")
		}
		if _, err := s.Snapshot(t.Context(), project); errors.Is(err, presence.ErrUnavailable) {
			return
		}
	}
}

// Who leaves by one node for the sake of a hidden page is gone in time on the screens of
// another, too, and from the lists of the same one (rule 9).
func TestALeaveThatWaitsIsInTimeOnAllNodes(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]presence.Leave{
		"hidden": {Session: "x", Seq: 2, Hidden: true},
		"broken": {Session: "x", Connection: 1, Broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
			ready(t, a, b)
			stop := a.Watch(project, func() {})
			defer stop()
			update(t, b, alice, presence.Update{Session: "x", Seq: 1, Section: "a", Connection: 1})
			until(t, "both nodes list Alice", func() bool { return listed(t, a) == "Alice in a" && listed(t, b) == "Alice in a" })
			begun, grace := time.Now(), presence.HiddenGrace
			if leave.Broken {
				grace = presence.BrokenGrace
			}
			if _, err := b.Leave(t.Context(), project, alice, leave); err != nil {
				t.Fatal(err)
			}
			woken := make(chan struct{}, 10)
			stop = a.Watch(project, func() { woken <- struct{}{} })
			defer stop()
			select {
			case <-woken:
			case <-time.After(grace + 3*time.Second):
				t.Fatalf("%v after the leave nobody was woken on the other node", time.Since(begun))
			}
			if now := listed(t, b); now != "" {
				t.Errorf("listed by the node itself: %s", now)
			}
		})
	}
}

// Redis's clock may go back. Then people who renew are there for a lease by that clock, like all
// others, and not until the old one would have ended them.
func TestALeaseIsALeaseThoughTheClockGoesBack(t *testing.T) { // rule 1
	server := redistest.Start(t)
	var before, after redisstore.Clock
	a, b := open(t, server.URL(), &before), open(t, server.URL(), &after)
	before.Pass(time.Hour)
	update(t, a, alice, presence.Update{Session: "x", Section: "a"})
	update(t, b, alice, presence.Update{Session: "x", Section: "a"})
	after.Pass(presence.DefaultLease - time.Second)
	if got := listed(t, b); got != "Alice in a" {
		t.Errorf("a second before her lease is over: %q", got)
	}
	after.Pass(2 * time.Second)
	if got := listed(t, b); got != "" {
		t.Errorf("a second after her lease was over: %q", got)
	}
}

// What an update is answered is no older than a list may be, however long nothing visible has
// changed.
func TestSignsOfLifeInAnswersAreOfTheLastSeconds(t *testing.T) { // ADR 11
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	ready(t, s)
	beat := func(user presence.User, poll bool) presence.Reply {
		return update(t, s, user, presence.Update{Session: "of " + user.Name, Section: "a", Poll: poll})
	}
	beat(alice, false)
	beat(bob, true)
	for range 10 {
		clock.Pass(presence.DefaultHeartbeat)
		beat(alice, false)
		reply := beat(bob, true)
		for _, o := range append(reply.Conflicts, reply.Snapshot.Occupants...) {
			if age := clock.Now().Sub(o.LastSeen); o.User.ID == alice.ID && age > 5*time.Second {
				t.Fatalf("%s was seen %v ago, as it is told, and has given a sign of life just now", o.User.Name, age)
			}
		}
	}
}

// What only leaves is forgotten, too, where it is many who do.
func TestEndsAreForgottenWhereNobodyLives(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := open(t, server.URL(), &clock)
	for round := range 3 {
		for i := range 50 {
			who := presence.User{ID: presence.UserID(fmt.Sprint(round, "-", i)), Name: "N"}
			if _, err := s.Leave(t.Context(), project, who, presence.Leave{Session: "x", Seq: 1}); err != nil {
				t.Fatal(err)
			}
		}
		clock.Pass(presence.Finality + time.Minute)
	}
	listed(t, s)
	if n, _ := strconv.Atoi(server.Do("HLEN", redisstore.KeyOf(project))); n > 51 {
		t.Errorf("of 150 who left in three rounds, %d fields are kept", n)
	}
}
