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

// pageName is the name of a session that nobody could guess.
const pageName = "abcdefghijklmnop"

// shown returns all that the project's snapshot shows but times, as text.
func shown(t testing.TB, s presence.Store) string {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range snapshot.Occupants {
		line := fmt.Sprintf("%s in %s", o.User.Name, o.Section)
		if len(o.Unsaved) > 0 {
			line += fmt.Sprintf(", unsaved %s", o.Unsaved)
		}
		if o.WaitingFor != "" {
			line += fmt.Sprintf(", waits for %s", o.WaitingFor)
		}
		if o.User.Agent {
			line += fmt.Sprintf(", agent with %s", o.User.AvatarURL)
		}
		all = append(all, line)
	}
	for _, save := range snapshot.Saves {
		all = append(all, fmt.Sprintf("%s %s by %s", save.Section, save.Revision, save.Name))
	}
	return strings.Join(all, "; ")
}

// fields returns the names of the project's fields in Redis that begin with one of the prefixes, with
// their values unless they are packed, sorted.
func fields(server *redistest.Server, prefixes string) string {
	return server.Do("EVAL", `local all, found = redis.call('HGETALL', KEYS[1]), {}
		for i = 1, #all, 2 do
			local kind, value = all[i]:sub(1, 1), all[i + 1]
			if kind == 'u' or kind == 's' or kind == 'r' or all[i] == 'oldest' then value = '…' end
			if all[i] == 'owners' then value = value:gsub('\n%x%x%x%x%x%x%x%x', ' '):gsub('\n', '') end
			if ARGV[1]:find(kind, 1, true) then found[#found + 1] = all[i] .. '=' .. value end
		end
		table.sort(found)
		return table.concat(found, ' ')`, "1", redisstore.ProjectKey(project), prefixes)
}

func TestClaimsAndSavesAppearOnOtherNodes(t *testing.T) { // rules 7 and 18 to 21
	server := redistest.Start(t)
	a, b, c := open(t, server.URL()), open(t, server.URL()), open(t, server.URL())
	ready(t, a, b, c)
	agent := presence.User{ID: "3", Name: "Corrector", Agent: true, AvatarURL: "https://example.org/corrector.png"}
	const others = "; Corrector in c, agent with https://example.org/corrector.png"
	for _, step := range []struct {
		node presence.Store
		user presence.User
		u    presence.Update
		want string
	}{
		{c, agent, presence.Update{Section: "c"}, others[2:]},
		{a, alice, presence.Update{Session: pageName, Seq: 1, Section: "a", Activity: presence.Idle, Unsaved: true}, "Alice in a, unsaved [a]" + others},
		{b, bob, presence.Update{Section: "a", UnlessOccupied: true, WaitingFor: "a"}, "Alice in a, unsaved [a]; Bob in a, waits for a" + others},
		{c, alice, presence.Update{Session: pageName, Seq: 2, Section: "a", Saved: presence.Saved{Section: "a", Revision: "7"}}, "Alice in a; Bob in a, waits for a" + others + "; a 7 by Alice"},
		{b, alice, presence.Update{Session: pageName, Seq: 3, Section: "b", Saved: presence.Saved{Section: "a", Revision: "8"}}, "Alice in b; Bob in a, waits for a" + others + "; a 8 by Alice"},
		{c, presence.User{ID: "4", Name: "Anna"}, presence.Update{Session: pageName, Seq: 4, Section: "b"}, "Anna in b; Bob in a, waits for a" + others + "; a 8 by Alice"},
		{b, bob, presence.Update{Section: "a", UnlessOccupied: true, WaitingFor: "a"}, "Anna in b; Bob in a" + others + "; a 8 by Alice"},
	} {
		if reply := update(t, step.node, step.user, step.u); step.u.WaitingFor != "" && (len(reply.Conflicts) > 0) != (strings.Contains(step.want, "waits")) {
			t.Errorf("at %q the careful one has %d conflicts", step.want, len(reply.Conflicts))
		}
		for i, node := range []presence.Store{a, b, c} {
			until(t, fmt.Sprintf("node %d shows %s", i, step.want), func() bool { return shown(t, node) == step.want })
		}
	}
	if reply := update(t, a, alice, presence.Update{Session: pageName, Seq: 4, Section: "a"}); !reply.Stale {
		t.Error("an older update under the former identity took the session back")
	}
	if _, err := a.Leave(t.Context(), project, bob, presence.Leave{Session: pageName, Seq: 5}); err != nil {
		t.Fatal(err)
	}
	until(t, "the leave under another identity appears", func() bool { return shown(t, b) == "Bob in a"+others+"; a 8 by Alice" })
}

// The shortcut for renewals must compare all that an update states.
func TestUpdateThatDiffersFromARenewalInOneThingIsRecorded(t *testing.T) { // rules 10 and 18 to 21
	server := redistest.Start(t)
	s := open(t, server.URL())
	agent := presence.User{ID: "1", Name: "Alice", Agent: true}
	pictured := presence.User{ID: "1", Name: "Alice", Agent: true, AvatarURL: "https://example.org/a.png"}
	for _, c := range []struct {
		user presence.User
		u    presence.Update
		want string
	}{
		{alice, presence.Update{Section: "a"}, "Alice in a"},
		{alice, presence.Update{Section: "a", Unsaved: true}, "Alice in a, unsaved [a]"},
		{alice, presence.Update{Section: "a"}, "Alice in a"},
		{alice, presence.Update{Section: "a", WaitingFor: "a"}, "Alice in a"},
		{alice, presence.Update{Section: "a", WaitingFor: "b"}, "Alice in a, waits for b"},
		{alice, presence.Update{Section: "a", WaitingFor: "c"}, "Alice in a, waits for c"},
		{agent, presence.Update{Section: "a", WaitingFor: "c"}, "Alice in a, waits for c, agent with "},
		{pictured, presence.Update{Section: "a", WaitingFor: "c"}, "Alice in a, waits for c, agent with https://example.org/a.png"},
		{agent, presence.Update{Section: "a", WaitingFor: "c"}, "Alice in a, waits for c, agent with "},
		{alice, presence.Update{Section: "a", WaitingFor: "c"}, "Alice in a, waits for c"},
		{alice, presence.Update{Section: "a", WaitingFor: "c", Saved: presence.Saved{Section: "a", Revision: "1"}}, "Alice in a, waits for c; a 1 by Alice"},
		{alice, presence.Update{Section: "a"}, "Alice in a; a 1 by Alice"},
	} {
		for range 2 { // the second one only renews
			update(t, s, c.user, c.u)
			if got := shown(t, s); got != c.want {
				t.Errorf("after %+v of %+v the list is %q; want %q", c.u, c.user, got, c.want)
			}
		}
	}
}

// writeOld writes a project as commit 500274a did: four elements of a member, nine of a session, no
// owners. Alice edits a in the session pageName, and Bob looks at b.
func writeOld(server *redistest.Server, now time.Time) {
	server.Do("EVAL", `local key, now, lease = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
		local clock = math.floor(now / 1000)
		local function member(name, session, section, activity, ended)
			return cmsgpack.pack({ name, false, { { session, 3, section, activity, now, now + lease, clock, false, 0 } }, ended })
		end
		redis.call('HSET', key, 'u1', member('Alice', ARGV[3], 'a', 'editing', { { 'gone', 7, now } }), 'ea', 1,
			'u2', member('Bob', 'x', 'b', 'viewing', {}), 'roster', struct.pack('>dddd', clock, clock, now + lease, now + 10 * lease))
		redis.call('PEXPIRE', key, 1000000)`, "1", redisstore.ProjectKey(project), fmt.Sprint(now.UnixMicro()), fmt.Sprint(presence.DefaultLease.Microseconds()), pageName)
}

func TestRecordsOfAnOlderVersionAreRead(t *testing.T) {
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	writeOld(server, clock.Now())
	if got := shown(t, s); got != "Alice in a; Bob in b" {
		t.Fatalf("the list is %q; want Alice in a; Bob in b", got)
	}
	version := update(t, s, alice, presence.Update{Session: pageName, Seq: 4, Section: "a"}).Version
	if renewed := update(t, s, alice, presence.Update{Session: pageName, Seq: 5, Section: "a", Connection: 5}).Version; renewed != version {
		t.Errorf("a renewal changes the version from %d to %d", version, renewed)
	}
	if reply := update(t, s, alice, presence.Update{Session: "gone", Seq: 7, Section: "c"}); !reply.Stale {
		t.Error("an update older than a kept end is not stale")
	}
	if reply := update(t, s, bob, presence.Update{Session: "x", Seq: 4, Section: "b", Unsaved: true, WaitingFor: "a"}); reply.Stale || shown(t, s) != "Alice in a; Bob in b, unsaved [b], waits for a" {
		t.Errorf("after an update of an old session the list is %q", shown(t, s))
	}
	if reply := update(t, s, bob, presence.Update{Session: "x", Seq: 5, Section: "a", UnlessOccupied: true}); len(reply.Conflicts) != 1 || reply.Activity != presence.Viewing {
		t.Errorf("beside an old session that edits, Bob is %s with %d conflicts; want viewing, 1", reply.Activity, len(reply.Conflicts))
	}
	clock.Advance(presence.DefaultLease - 10*time.Second)
	update(t, s, alice, presence.Update{Session: pageName, Seq: 6, Section: "a"})
	clock.Advance(time.Minute) // Bob's session ends, so all members are read
	shown(t, s)
	update(t, s, bob, presence.Update{Session: pageName, Seq: 7, Section: "a"})
	if got := shown(t, s); got != "Bob in a" {
		t.Errorf("after the page of an old session has another identity, the list is %q; want Bob in a", got)
	}
}

// Until they are replaced, older nodes decode what newer ones wrote: exactly four elements of a member,
// and at least seven of a session, the first seven of which keep their meaning.
func TestOlderVersionCanReadMembers(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL())
	agent := presence.User{ID: "1", Name: "Alice", Agent: true, AvatarURL: "https://example.org/a.png"}
	lengths := func() string {
		return server.Do("EVAL", `local m = cmsgpack.unpack(redis.call('HGET', KEYS[1], 'u1'))
			return #m .. ' ' .. #m[3][1] .. ' ' .. m[3][1][3] .. ' ' .. m[3][1][4] .. ' ' .. type(m[3][1][7])`, "1", redisstore.ProjectKey(project))
	}
	for _, c := range []struct {
		user presence.User
		u    presence.Update
		want string
	}{
		{alice, presence.Update{Section: "a"}, "4 9 a editing number"},
		{agent, presence.Update{Section: "a", Unsaved: true, WaitingFor: "b"}, "4 13 a editing number"},
		{agent, presence.Update{Section: "a", Unsaved: true, WaitingFor: "b"}, "4 13 a editing number"}, // only renews
		{alice, presence.Update{Section: "a"}, "4 9 a editing number"},
	} {
		update(t, s, c.user, c.u)
		if got := lengths(); got != c.want {
			t.Errorf("after %+v the member has %q; want %q", c.u, got, c.want)
		}
	}
}

// Older nodes end a session with unsaved changes without subtracting it from the claims, and any session
// without removing its owner.
func TestClaimsOfOlderNodesAreCountedAgain(t *testing.T) { // rule 18
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Session: pageName, Section: "a", Activity: presence.Idle, Unsaved: true})
	clock.Advance(presence.DefaultLease / 2)
	update(t, s, bob, presence.Update{Session: pageName + "2", Section: "b"})
	key := redisstore.ProjectKey(project)
	server.Do("HSET", key, "ea", "3", "ec", "1", "owners", "\n01234567u1\n")
	server.Do("HDEL", key, "eb")
	clock.Advance(presence.DefaultLease/2 + time.Second)
	shown(t, s)
	if got, want := fields(server, "eo"), "eb=1 owners= u2"; got != want {
		t.Errorf("after an expiry the hash has %q; want %q", got, want)
	}
	if reply := update(t, s, alice, presence.Update{Section: "a", UnlessOccupied: true}); reply.Activity != presence.Editing {
		t.Errorf("in a section that nobody claims, Alice is %s; want editing", reply.Activity)
	}
}

func TestNothingIsKeptOfSavesAndOwnersAfterTheirEnd(t *testing.T) { // rule 16, invariant 11
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	for i := range presence.MaxSaves + 150 {
		update(t, s, alice, presence.Update{Session: pageName, Section: "a", Unsaved: true, Saved: presence.Saved{Section: presence.Section(fmt.Sprint(i)), Revision: "1"}})
	}
	if n := strings.Count(fields(server, "s"), "="); n != presence.MaxSaves {
		t.Fatalf("Redis has %d saves; want %d", n, presence.MaxSaves)
	}
	if got, want := fields(server, "coe"), "count=1000 ea=1 oldest=… owners= u1"; got != want {
		t.Fatalf("the hash has %q; want %q", got, want)
	}
	if _, err := s.Leave(t.Context(), project, alice, presence.Leave{Session: pageName}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(presence.DefaultLease + time.Second)
	list(t, s)
	if got, want := fields(server, "coe"), "count=1000 oldest=…"; got != want {
		t.Fatalf("after the leave the hash has %q; want %q", got, want)
	}
	clock.Advance(presence.Finality)
	list(t, s)
	if got, want := fields(server, "coesur"), "roster=…"; got != want {
		t.Errorf("ten minutes after the leave the hash has %q; want %q", got, want)
	}
}

func TestEndOfSavesWakesWatchers(t *testing.T) { // rule 19
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	ready(t, s)
	update(t, s, alice, presence.Update{Section: "a", Saved: presence.Saved{Section: "a", Revision: "1"}})
	stop := s.Watch(project, func() {})
	clock.Advance(presence.DefaultLease + time.Second)
	stop()
	clock.Advance(presence.Finality - 2*time.Second)
	woken := watch(t, s)
	clock.Advance(0)
	if got := shown(t, s); got != "a 1 by Alice" {
		t.Fatalf("before their end the list is %q; want a 1 by Alice", got)
	}
	for len(woken) > 0 {
		<-woken
	}
	clock.Advance(2 * time.Second)
	select {
	case <-woken:
	case <-time.After(maxCall):
		t.Fatal("the last save ended, and the watcher was not woken")
	}
	if got := shown(t, s); got != "" {
		t.Errorf("after their end the list is %q; want nothing", got)
	}
}

// A project with saves only is missing if Redis lost it, but not if its key expired.
func TestLossOfSavesIsNoticed(t *testing.T) { // rules 13 and 19, invariant 8
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	update(t, s, alice, presence.Update{Section: "a", Saved: presence.Saved{Section: "a", Revision: "1"}})
	// Redis removes the key by its own clock, which the test does not advance.
	server.Do("PEXPIRE", redisstore.ProjectKey(project), fmt.Sprint((presence.Finality + 2*presence.DefaultLease).Milliseconds()))
	clock.Advance(presence.DefaultLease + time.Second)
	list(t, s)
	ttl, _ := strconv.Atoi(server.Do("PTTL", redisstore.ProjectKey(project)))
	if left := time.Duration(ttl) * time.Millisecond; left < 2*presence.Finality+presence.DefaultLease {
		t.Errorf("after the last session ended, the key has a TTL of %v; want ten minutes more than its save is kept", left)
	}
	clock.Advance(5 * time.Minute)
	if got := shown(t, s); got != "a 1 by Alice" {
		t.Fatalf("the list is %q; want a 1 by Alice", got)
	}
	before, err := s.FreshSnapshot(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(3 * time.Minute)
	server.Do("FLUSHALL")
	if after, err := s.FreshSnapshot(t.Context(), project); err != nil || !after.Partial || after.Version <= before.Version {
		t.Errorf("after version %d the list without the lost save has version %d, partial: %v, %v; want a higher one, partial", before.Version, after.Version, after.Partial, err)
	}
}

// Nodes without rule 7 recorded a session under each identity that its page had.
func TestSessionsThatOlderNodesLeftOfOnePageEnd(t *testing.T) { // rule 7, case 46
	server := redistest.Start(t)
	var clock redisstore.Clock
	s := openWithClock(t, server.URL(), &clock)
	const heartbeats = 24
	for i := range heartbeats {
		visitor := presence.User{ID: presence.UserID(fmt.Sprint("visitor-", i)), Name: "Visitor", Visitor: true}
		reply := update(t, s, visitor, presence.Update{Session: pageName, Seq: uint64(i + 1), Section: "a"})
		if i < heartbeats/3 {
			server.Do("HDEL", redisstore.ProjectKey(project), "owners") // which older nodes do not write
		} else if i > heartbeats*2/3 && len(reply.Conflicts) > 0 {
			t.Fatalf("at heartbeat %d the page conflicts with %d sessions of its own", i+1, len(reply.Conflicts))
		}
		clock.Advance(presence.DefaultHeartbeat)
	}
}
