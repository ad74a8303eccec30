package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

const aliceText = `{"user_id":1,"username":"alice","section":"manuscript/abstract","sections":["manuscript/abstract"],` +
	`"activity":"editing","last_seen":"2000-01-01T00:00:00Z","avatar_color":"#f59e0b","initials":"AL","visitor":false}`

func TestUpdateWithoutActivityRecordsEditing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock starts at midnight of 2000-01-01
		w := servertest.New(t, servertest.Direct)
		got := w.As("alice", "1").Post("update", `{"section": "manuscript/abstract"}`)
		want := `{"success":true,"version":946684800001,"activity":"editing","you":` + aliceText + `,"conflicts":[]}`
		if got.Status != 200 || got.Body != want {
			t.Errorf("got %d %s\nwant 200 %s", got.Status, got.Body, want)
		}
	})
}

func TestUserWithoutASectionIsListed(t *testing.T) { // rule 4
	for _, body := range []string{
		`{}`, ` { } `, `{"section": ""}`, `{"section": null}`, `{"section":null,"session":null,"seq":null,"activity":null,"unless_occupied":null,"known_version":null}`,
	} {
		w := servertest.New(t)
		got := w.As("alice", "1").Update(body)
		if got.Activity != "viewing" || got.You.Section != "" || len(got.You.Sections) != 0 || got.Users != nil {
			t.Errorf("%s: got %+v, want viewing, without a section", body, got)
		}
		w.ExpectListed("alice")
	}
}

func TestEnteringNamesTheUsersWhoConflict(t *testing.T) { // rule 5
	w := servertest.New(t)
	alice, bob, carol := w.As("alice", "1"), w.As("bob", "2"), w.As("carol", "3")
	alice.Update(`{"section":"a/b","session":"one"}`)
	if got := alice.Update(`{"section":"a/b","session":"two"}`); len(got.Conflicts) != 0 {
		t.Errorf("alice conflicts with %q: with herself", servertest.Names(got.Conflicts))
	}
	if got := bob.Update(`{"section":"a/b"}`); got.Activity != "editing" || servertest.Names(got.Conflicts) != "alice" {
		t.Errorf("bob is %s with conflicts %q, want editing, and alice once", got.Activity, servertest.Names(got.Conflicts))
	}
	if got := carol.Update(`{"section":"a"}`); len(got.Conflicts) != 0 {
		t.Errorf("conflicts in another section: %q", servertest.Names(got.Conflicts))
	}
	if got := carol.Update(`{"section":"a/b","activity":"viewing"}`); got.Activity != "viewing" || servertest.Names(got.Conflicts) != "alice bob" {
		t.Errorf("carol is %s with conflicts %q, want viewing, and alice and bob", got.Activity, servertest.Names(got.Conflicts))
	}
}

func TestEnteringWithUnlessOccupiedRecordsViewing(t *testing.T) { // rule 6
	w := servertest.New(t)
	alice, bob := w.As("alice", "1"), w.As("bob", "2")
	if got := alice.Update(`{"section":"s","unless_occupied":true}`); got.Activity != "editing" {
		t.Errorf("entering a free section with unless_occupied: got %q, want editing", got.Activity)
	}
	if got := bob.Update(`{"section":"s","unless_occupied":true}`); got.Activity != "viewing" || servertest.Names(got.Conflicts) != "alice" {
		t.Errorf("entering with unless_occupied: got %q with conflicts %q, want viewing and alice", got.Activity, servertest.Names(got.Conflicts))
	}
	if got := bob.Update(`{"section":"s"}`); got.Activity != "editing" || servertest.Names(got.Conflicts) != "alice" {
		t.Errorf("entering without unless_occupied: got %q with conflicts %q, want editing and alice", got.Activity, servertest.Names(got.Conflicts))
	}
	if got := bob.Update(`{"section":"s","unless_occupied":true}`); got.Activity != "editing" {
		t.Errorf("got activity %q for a user who edits already, want editing", got.Activity)
	}
}

func TestUpdateWithAnOldKnownVersionReturnsTheList(t *testing.T) {
	w := servertest.New(t)
	alice, bob := w.As("alice", "1"), w.As("bob", "2")
	first := alice.Update(`{"section":"s","known_version":0}`)
	if first.Users == nil || servertest.Names(*first.Users) != "alice" {
		t.Fatalf("an update without known_version got users %v, want alice", first.Users)
	}
	same := alice.Update(`{"section":"s","known_version":` + fmt.Sprint(first.Version) + `}`)
	if same.Users != nil || same.Version != first.Version {
		t.Errorf("an update with the current known_version got %+v, want no users, and version %d", same, first.Version)
	}
	bob.Update(`{"section":"s"}`)
	if next := alice.Update(`{"section":"s","known_version":` + fmt.Sprint(first.Version) + `}`); next.Users == nil || servertest.Names(*next.Users) != "alice bob" || next.Version <= first.Version {
		t.Errorf("an update with an older known_version got %+v, want alice and bob, and a version above %d", next, first.Version)
	}
	if ahead := alice.Update(`{"section":"s","known_version":9007199254740991}`); ahead.Users == nil {
		t.Error("an update with another known_version got no users")
	}
	if none := alice.Update(`{"section":"s"}`); none.Users != nil {
		t.Error("an update that asks for no list got one")
	}
}

func TestUpdateWithoutANewerSeqChangesNothing(t *testing.T) { // rule 8
	w := servertest.New(t)
	alice := w.As("alice", "1")
	now := alice.Update(`{"section":"new","session":"tab","seq":5}`)
	for _, body := range []string{`{"section":"old","session":"tab","seq":5}`, `{"section":"old","session":"tab","seq":4}`} {
		if got := alice.Update(body); !got.Stale || got.Version != now.Version || got.You.Section != "new" || got.Activity != "editing" {
			t.Errorf("%s after seq 5: got %+v, want stale and an unchanged session", body, got)
		}
	}
	if got := alice.Update(`{"section":"newer","session":"tab","seq":6}`); got.Stale || got.You.Section != "newer" {
		t.Errorf("a newer message: got %+v", got)
	}
	if got := alice.Update(`{"section":"newest","session":"tab","seq":9007199254740991}`); got.Stale || got.You.Section != "newest" {
		t.Errorf("the greatest seq: got %+v", got)
	}
	if got := alice.Update(`{"section":"unnumbered","session":"tab","seq":0}`); got.Stale || got.You.Section != "unnumbered" {
		t.Errorf("a message without seq: got %+v, want that it is applied", got)
	}
}

func TestTwoTabsAreOneOccupantWithBothSections(t *testing.T) { // rule 3, cases 13 and 14
	w := servertest.New(t)
	alice := w.As("alice", "1")
	alice.Update(`{"section":"b","session":"one"}`)
	got := alice.Update(`{"section":"a","session":"two"}`)
	if got.You.Section != "a" || strings.Join(got.You.Sections, " ") != "a b" {
		t.Errorf("alice is in %q of %q, want a of a and b", got.You.Section, got.You.Sections)
	}
	w.ExpectListed("alice")
	alice.Leave(`{"session":"two"}`)
	if users := *alice.List().Users; len(users) != 1 || strings.Join(users[0].Sections, " ") != "b" {
		t.Errorf("after one tab was closed the list is %+v, want alice in b", users)
	}
}

func TestIdentityInABodyHasNoEffect(t *testing.T) { // rule 15, case 39
	w := servertest.New(t)
	for body, want := range map[string]string{
		`{"section":"s","user_id":2,"username":"bob","avatar_color":"#000000","visitor":true,"initials":"XX","last_seen":"1999-01-01T00:00:00Z","user":{"user_id":2}}`: "alice",
		`{"user_id":"visitor-x","id":2,"name":"bob","sub":"2","__proto__":{"user_id":2},"constructor":null}`:                                                           "alice",
	} {
		got := w.As("alice", "1").Update(body)
		if got.You.Username != want || got.You.ID != 1.0 || got.You.Color != "#f59e0b" || got.You.Initials != "AL" || got.You.Visitor {
			t.Errorf("%s: got %+v, want the identity of alice", body, got.You)
		}
	}
	w.ExpectListed("alice")
}

func TestSessionOfAnotherUserIsNotChanged(t *testing.T) { // rule 15, case 39
	w := servertest.New(t)
	alice, mallory := w.As("alice", "1"), w.As("mallory", "3")
	before := alice.Update(`{"section":"s","session":"tab","seq":7}`)
	if got := mallory.Leave(`{"session":"tab","seq":1000}`); got.Version != before.Version {
		t.Errorf("leave of another user's session: got version %d, want %d", got.Version, before.Version)
	}
	w.ExpectListed("alice")
	mallory.Update(`{"section":"elsewhere","session":"tab","seq":2000}`)
	w.ExpectListed("alice mallory")
	if got := alice.Update(`{"section":"s","session":"tab","seq":8}`); got.Stale || got.You.Section != "s" {
		t.Errorf("after another user used the name of her session: got %+v", got)
	}
	mallory.Leave(`{"session":"tab"}`)
	w.ExpectListed("alice")
}

func TestHeartbeatCreatesAnExpiredSessionAgain(t *testing.T) { // rules 1 and 10, cases 1 and 5
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		first := alice.Update(`{"section":"s","session":"tab","seq":1}`)
		time.Sleep(2 * time.Minute)
		w.ExpectListed("alice") // the lease includes exactly two minutes
		time.Sleep(time.Nanosecond)
		w.ExpectListed("")
		got := alice.Update(`{"section":"s","session":"tab","seq":2}`)
		if got.Stale || got.Version <= first.Version || got.You.Section != "s" || got.Activity != "editing" {
			t.Errorf("the heartbeat: got %+v, want a whole session, at a version above %d", got, first.Version)
		}
		w.ExpectListed("alice")
	})
}

func TestRenewalChangesLastSeenAndNotTheVersion(t *testing.T) { // case 34
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		first := alice.Update(`{"section":"s"}`)
		time.Sleep(30 * time.Second)
		got := alice.Update(`{"section":"s"}`)
		if got.Version != first.Version || !got.You.LastSeen.Equal(time.Now()) {
			t.Errorf("a renewal: got version %d, seen %v, want %d, %v", got.Version, got.You.LastSeen, first.Version, time.Now().UTC())
		}
	})
}

func TestTimesInABodyAndHeaderHaveNoEffect(t *testing.T) { // rule 2, cases 11 and 28
	for _, clock := range []string{"1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z"} {
		synctest.Test(t, func(t *testing.T) {
			w := servertest.New(t, servertest.Direct)
			alice := w.As("alice", "1")
			arrived := time.Now()
			got := alice.Update(`{"section":"s","session":"tab","seq":1,"last_seen":"`+clock+`","time":"`+clock+`"}`, "Date", clock)
			if !got.You.LastSeen.Equal(arrived) {
				t.Errorf("an update with the time %s was last seen at %v, want its arrival at %v", clock, got.You.LastSeen, arrived)
			}
			time.Sleep(time.Until(arrived.Add(presence.DefaultLease)))
			w.ExpectListed("alice")
			time.Sleep(time.Nanosecond)
			w.ExpectListed("")
		})
	}
}

func TestReplyHasTheHeartbeatIntervalIfNotDefault(t *testing.T) {
	for d, want := range map[time.Duration]float64{0: 0, 30 * time.Second: 0, 45 * time.Second: 45, 500 * time.Millisecond: 0.5} {
		w := servertest.New(t, func(p *servertest.Config) { p.Heartbeat = d })
		if got := w.As("alice", "1").Update(`{}`); got.Heartbeat != want {
			t.Errorf("with heartbeat %v: got %v, want %v", d, got.Heartbeat, want)
		}
	}
}

func TestAPIIsServedBelowItsPrefixOnly(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Prefix = "/elsewhere" })
	alice := w.As("alice", "1")
	alice.ExpectSuccess(alice.Do("POST", "/elsewhere"+servertest.ProjectPath+"update/", `{}`))
	alice.Do("POST", httpapi.DefaultPrefix+servertest.ProjectPath+"update/", `{}`).ExpectError(t, 404, "not_found")
}
