package httpapi_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
)

const aliceText = `{"user_id":1,"username":"alice","section":"manuscript/abstract","sections":["manuscript/abstract"],` +
	`"activity":"editing","last_seen":"2000-01-01T00:00:00Z","avatar_color":"#f59e0b","initials":"AL","visitor":false}`

func TestTheBodyOfTheNoteRecordsEditing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is midnight of 2000-01-01
		w := newWorld(t, direct)
		got := w.as("alice", "1").post("update", `{"section": "manuscript/abstract"}`)
		due := `{"success":true,"version":946684800001,"activity":"editing","you":` + aliceText + `,"conflicts":[]}`
		if got.status != 200 || got.body != due {
			t.Errorf("answered %d %s\ndue is 200 %s", got.status, got.body, due)
		}
	})
}

func TestAnUpdateWithoutASectionIsOnlineWithoutOne(t *testing.T) {
	for _, body := range []string{
		`{}`, ` { } `, `{"section": ""}`, `{"section": null}`, `{"section":null,"session":null,"seq":null,"activity":null,"unless_occupied":null,"known_version":null}`,
	} {
		w := newWorld(t)
		got := w.as("alice", "1").update(body)
		if got.Activity != "viewing" || got.You.Section != "" || len(got.You.Sections) != 0 || got.Users != nil {
			t.Errorf("%s came to %+v; due is viewing, without a section", body, got)
		}
		w.isListed("alice")
	}
}

func TestAnEntryNamesTheOthersWhoAreEditingThere(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.as("alice", "1"), w.as("bob", "2"), w.as("carol", "3")
	alice.update(`{"section":"a/b","session":"one"}`)
	if got := alice.update(`{"section":"a/b","session":"two"}`); len(got.Conflicts) != 0 {
		t.Errorf("alice conflicts with %q: with herself", names(got.Conflicts))
	}
	if got := bob.update(`{"section":"a/b"}`); got.Activity != "editing" || names(got.Conflicts) != "alice" {
		t.Errorf("bob is %s with conflicts %q; due is editing, and alice once", got.Activity, names(got.Conflicts))
	}
	if got := carol.update(`{"section":"a"}`); len(got.Conflicts) != 0 {
		t.Errorf("conflicts in another section: %q", names(got.Conflicts))
	}
	if got := carol.update(`{"section":"a/b","activity":"viewing"}`); got.Activity != "viewing" || names(got.Conflicts) != "alice bob" {
		t.Errorf("carol is %s with conflicts %q; due is viewing, and alice and bob", got.Activity, names(got.Conflicts))
	}
}

func TestACarefulEntryIntoAnOccupiedSectionIsViewing(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.as("alice", "1"), w.as("bob", "2")
	if got := alice.update(`{"section":"s","unless_occupied":true}`); got.Activity != "editing" {
		t.Errorf("a careful entry into a free section is %q, due is editing", got.Activity)
	}
	if got := bob.update(`{"section":"s","unless_occupied":true}`); got.Activity != "viewing" || names(got.Conflicts) != "alice" {
		t.Errorf("a careful entry is %q with conflicts %q; due is viewing, and alice", got.Activity, names(got.Conflicts))
	}
	if got := bob.update(`{"section":"s"}`); got.Activity != "editing" || names(got.Conflicts) != "alice" {
		t.Errorf("a plain entry is %q with conflicts %q; due is editing, and alice", got.Activity, names(got.Conflicts))
	}
	if got := bob.update(`{"section":"s","unless_occupied":true}`); got.Activity != "editing" {
		t.Errorf("whoever edits already is %q after a careful update, due is editing", got.Activity)
	}
}

func TestAnUpdateThatKnowsAnotherVersionIsAWholePoll(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.as("alice", "1"), w.as("bob", "2")
	first := alice.update(`{"section":"s","known_version":0}`)
	if first.Users == nil || names(*first.Users) != "alice" {
		t.Fatalf("a poll that knows nothing got users %v, due is alice", first.Users)
	}
	same := alice.update(`{"section":"s","known_version":` + number(first.Version) + `}`)
	if same.Users != nil || same.Version != first.Version {
		t.Errorf("a poll that knows the version got %+v; due is no users, and version %d", same, first.Version)
	}
	bob.update(`{"section":"s"}`)
	if next := alice.update(`{"section":"s","known_version":` + number(first.Version) + `}`); next.Users == nil || names(*next.Users) != "alice bob" || next.Version <= first.Version {
		t.Errorf("a poll that knows an older version got %+v; due is alice and bob, and a version above %d", next, first.Version)
	}
	if ahead := alice.update(`{"section":"s","known_version":9007199254740991}`); ahead.Users == nil {
		t.Error("a poll that knows another version got no users")
	}
	if none := alice.update(`{"section":"s"}`); none.Users != nil {
		t.Error("an update that asks for no list got one")
	}
}

func TestAMessageThatIsNotNewerChangesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	now := alice.update(`{"section":"new","session":"tab","seq":5}`)
	for _, body := range []string{`{"section":"old","session":"tab","seq":5}`, `{"section":"old","session":"tab","seq":4}`} {
		if got := alice.update(body); !got.Stale || got.Version != now.Version || got.You.Section != "new" || got.Activity != "editing" {
			t.Errorf("%s after seq 5 came to %+v; due is stale, and the session as it was", body, got)
		}
	}
	if got := alice.update(`{"section":"newer","session":"tab","seq":6}`); got.Stale || got.You.Section != "newer" {
		t.Errorf("a newer message came to %+v", got)
	}
	if got := alice.update(`{"section":"newest","session":"tab","seq":9007199254740991}`); got.Stale || got.You.Section != "newest" {
		t.Errorf("the greatest seq came to %+v", got)
	}
	if got := alice.update(`{"section":"unnumbered","session":"tab","seq":0}`); got.Stale || got.You.Section != "unnumbered" {
		t.Errorf("a message without a number came to %+v; due is that it counts as it arrives", got)
	}
}

func TestTwoTabsAreOnePersonWithBothSections(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	alice.update(`{"section":"b","session":"one"}`)
	got := alice.update(`{"section":"a","session":"two"}`)
	if got.You.Section != "a" || strings.Join(got.You.Sections, " ") != "a b" {
		t.Errorf("alice is in %q of %q; due is a of a and b", got.You.Section, got.You.Sections)
	}
	w.isListed("alice")
	alice.leave(`{"session":"two"}`)
	if users := *alice.list().Users; len(users) != 1 || strings.Join(users[0].Sections, " ") != "b" {
		t.Errorf("after one tab was closed the list is %+v; due is alice in b", users)
	}
}

func TestWhatABodySaysOfThePersonHasNoEffect(t *testing.T) {
	w := newWorld(t)
	for body, due := range map[string]string{
		`{"section":"s","user_id":2,"username":"bob","avatar_color":"#000000","visitor":true,"initials":"XX","last_seen":"1999-01-01T00:00:00Z","user":{"user_id":2}}`: "alice",
		`{"user_id":"visitor-x","id":2,"name":"bob","sub":"2","__proto__":{"user_id":2},"constructor":null}`:                                                           "alice",
	} {
		got := w.as("alice", "1").update(body)
		if got.You.Username != due || got.You.ID != 1.0 || got.You.Color != "#f59e0b" || got.You.Initials != "AL" || got.You.Visitor {
			t.Errorf("%s came to %+v; due is alice as she is", body, got.You)
		}
	}
	w.isListed("alice")
}

func TestTheSessionOfSomebodyElseIsOutOfReach(t *testing.T) {
	w := newWorld(t)
	alice, mallory := w.as("alice", "1"), w.as("mallory", "3")
	before := alice.update(`{"section":"s","session":"tab","seq":7}`)
	if got := mallory.leave(`{"session":"tab","seq":1000}`); got.Version != before.Version {
		t.Errorf("leaving somebody else's session made version %d of %d", got.Version, before.Version)
	}
	w.isListed("alice")
	mallory.update(`{"section":"elsewhere","session":"tab","seq":2000}`)
	w.isListed("alice mallory")
	if got := alice.update(`{"section":"s","session":"tab","seq":8}`); got.Stale || got.You.Section != "s" {
		t.Errorf("after somebody else used her session's name, alice got %+v", got)
	}
	mallory.leave(`{"session":"tab"}`)
	w.isListed("alice")
}

func TestALapsedSessionIsMadeAnewByItsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		first := alice.update(`{"section":"s","session":"tab","seq":1}`)
		time.Sleep(2 * time.Minute)
		w.isListed("alice") // at exactly two minutes still
		time.Sleep(time.Nanosecond)
		w.isListed("")
		got := alice.update(`{"section":"s","session":"tab","seq":2}`)
		if got.Stale || got.Version <= first.Version || got.You.Section != "s" || got.Activity != "editing" {
			t.Errorf("the heartbeat came to %+v; due is a whole session, at a version above %d", got, first.Version)
		}
		w.isListed("alice")
	})
}

func TestARenewalMovesLastSeenAndNotTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		first := alice.update(`{"section":"s"}`)
		time.Sleep(30 * time.Second)
		got := alice.update(`{"section":"s"}`)
		if got.Version != first.Version || !got.You.LastSeen.Equal(time.Now()) {
			t.Errorf("a renewal came to version %d, seen %v; due is %d, %v", got.Version, got.You.LastSeen, first.Version, time.Now().UTC())
		}
	})
}

func TestAnotherHeartbeatThanTheDefaultIsTold(t *testing.T) {
	for d, due := range map[time.Duration]float64{0: 0, 30 * time.Second: 0, 45 * time.Second: 45, 500 * time.Millisecond: 0.5} {
		w := newWorld(t, func(p *plan) { p.Heartbeat = d })
		if got := w.as("alice", "1").update(`{}`); got.Heartbeat != due {
			t.Errorf("with heartbeat %v the answer tells %v, due is %v", d, got.Heartbeat, due)
		}
	}
}

func TestTheAPIStandsBelowItsPrefixOnly(t *testing.T) {
	w := newWorld(t, func(p *plan) { p.Prefix = "/elsewhere" })
	alice := w.as("alice", "1")
	alice.succeed(alice.do("POST", "/elsewhere"+project+"update/", `{}`))
	alice.do("POST", httpapi.DefaultPrefix+project+"update/", `{}`).fails(t, 404, "not_found")
}
