package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLiveAfterALeaveNothingMoreIsTakenIn(t *testing.T) { // rule 8
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		leave, update := maskedFrame(0x81, []byte(`{"type": "leave", "seq": 2}`)), maskedFrame(0x81, []byte(`{"type": "update", "seq": 3, "section": "s"}`))
		alice.conn.Write(append(leave, update...))
		alice.skip("ack")
		alice.ends(1000)
		time.Sleep(time.Second)
		w.isListed("")
	})
}

func TestLiveAnUpdateThatKnowsAnotherVersionIsToldHowThingsAre(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, ack, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		versions := []uint64{0, ack.Version}
		bob := w.as("bob", "2")
		for _, section := range []string{"s", "t", "u"} {
			versions = append(versions, bob.update(`{"section": "`+section+`"}`).Version)
			alice.all()
		}
		now := versions[len(versions)-1]
		for _, known := range versions {
			alice.say("update", `"section": "s", "known_version": `+number(known))
			alice.answers(known != now, now, number(known))
		}
		alice.say("update", `"section": "s"`)
		alice.answers(false, now, "nothing is asked")
		bob.update(`{"section": "v"}`)
		if delta := alice.next("delta"); delta.Base != now {
			t.Errorf("after all that there came %s; due is a delta from %d", delta.text, now)
		}
	})
}

func TestLiveWhoAsksAtTheMomentOfAChangeIsToldHowThingsAreToo(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		bob := w.as("bob", "2")
		before := bob.update(`{"section": "s"}`).Version
		alice, ack, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		before = max(before, ack.Version)
		alice.all()
		now := bob.update(`{"section": "t"}`).Version
		if delta := alice.next("delta"); delta.Base != before || delta.Version != now {
			t.Fatalf("there came %s; due is a delta from %d to %d", delta.text, before, now)
		}
		alice.say("update", `"section": "s", "known_version": `+number(before)) // before that came
		alice.next("ack")
		if snapshot := alice.next("snapshot"); snapshot.Version != now {
			t.Errorf("there came %s; due is how things are, at %d", snapshot.text, now)
		}
	})
}

func TestLiveUpdatesAreAnsweredInTheirOrder(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1`)
		for seq := 2; seq < 50; seq++ {
			alice.say("update", fmt.Sprintf(`"seq": %d, "section": "s%d"`, seq, seq))
		}
		for seq := 2; seq < 50; seq++ {
			if ack := alice.skip("ack"); ack.Seq != uint64(seq) || ack.You.Section != fmt.Sprintf("s%d", seq) || ack.Stale {
				t.Fatalf("message %d was answered %s", seq, ack.text)
			}
		}
	})
}

func TestLiveRule6ACarefulEntryIsViewingAndBothAreTold(t *testing.T) { // rule 5, case 21
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "a", "seq": 1, "section": "s", "unless_occupied": true`)
		bob, ack, _ := w.enter(w.as("bob", "2"), `"session": "b", "seq": 1, "section": "s", "unless_occupied": true`)
		if ack.Activity != "viewing" || names(ack.Conflicts) != "alice" {
			t.Errorf("bob's careful hello was answered %s; due is viewing, and alice", ack.text)
		}
		if delta := alice.next("delta"); names(delta.Changed) != "bob" || delta.Changed[0].Activity != "viewing" {
			t.Errorf("alice was told %s; due is that bob views", delta.text)
		}
		bob.say("update", `"seq": 2, "section": "s"`) // edits anyway
		if ack := bob.ack(); ack.Activity != "editing" || names(ack.Conflicts) != "alice" {
			t.Errorf("bob's plain update was answered %s; due is editing, and alice", ack.text)
		}
		if delta := alice.next("delta"); names(delta.Changed) != "bob" || delta.Changed[0].Activity != "editing" {
			t.Errorf("alice was told %s; due is that bob edits", delta.text)
		}
		alice.say("update", `"seq": 2, "section": "s", "unless_occupied": true`)
		if ack := alice.ack(); ack.Activity != "editing" || names(ack.Conflicts) != "bob" {
			t.Errorf("alice, who was there first, was answered %s; due is editing, and bob", ack.text)
		}
	})
}

func TestLiveRule8AnOlderMessageChangesNothing(t *testing.T) { // over HTTP and live together
	inLive(t, func(t *testing.T, w *liveWorld) {
		p := w.as("alice", "1")
		alice, _, _ := w.enter(p, `"session": "a", "seq": 1, "section": "s"`)
		now := p.update(`{"session": "a", "seq": 5, "section": "new"}`)
		alice.all()
		for _, seq := range []int{1, 4, 5} {
			alice.say("update", fmt.Sprintf(`"seq": %d, "section": "old"`, seq))
			if ack := alice.next("ack"); !ack.Stale || ack.Version != now.Version || ack.You.Section != "new" {
				t.Errorf("message %d after 5 was answered %s; due is stale, and the session as it was", seq, ack.text)
			}
		}
		alice.say("update", `"seq": 6, "section": "newer"`)
		if ack := alice.ack(); ack.Stale || ack.You.Section != "newer" {
			t.Errorf("message 6 after 5 was answered %s", ack.text)
		}
		if got := p.update(`{"session": "a", "seq": 6, "section": "old"}`); !got.Stale || got.You.Section != "newer" {
			t.Errorf("over HTTP, after a newer one live, message 6 came to %+v", got)
		}
		p.leave(`{"session": "a", "seq": 7}`)
		alice.all()
		alice.say("update", `"seq": 7, "section": "s"`)
		if ack := alice.next("ack"); !ack.Stale || ack.Activity != "" {
			t.Errorf("after the leave, an older message was answered %s", ack.text)
		}
		w.isListed("")
	})
}

func TestLiveRule8ALeaveIsFinalForOlderMessagesOverHTTP(t *testing.T) { // cases 2, 3
	inLive(t, func(t *testing.T, w *liveWorld) {
		p := w.as("alice", "1")
		alice, _, _ := w.enter(p, `"session": "a", "seq": 1, "section": "s"`)
		alice.say("leave", `"seq": 5`)
		alice.ends(1000)
		if got := p.update(`{"session": "a", "seq": 4, "section": "s"}`); !got.Stale {
			t.Errorf("an update from before the leave came to %+v; due is stale", got)
		}
		w.isListed("")
	})
}

func TestLiveAnUpdateIsOfTheSessionOfItsConnection(t *testing.T) { // case 39
	inLive(t, func(t *testing.T, w *liveWorld) {
		p := w.as("alice", "1")
		alice, _, _ := w.enter(p, `"session": "a", "seq": 1, "section": "s"`)
		w.enter(p, `"session": "b", "seq": 1`)
		for _, kind := range []string{"update", "leave"} {
			alice.say(kind, `"seq": 2, "session": "b", "section": "t"`)
			if m := alice.skip("error"); m.Code != "session_invalid" || m.Seq != 2 {
				t.Errorf("%s for another session was answered %s", kind, m.text)
			}
		}
		alice.say("update", `"seq": 2, "session": "a", "section": "u", "user_id": 2, "username": "bob"`)
		if ack := alice.skip("ack"); ack.You.Section != "u" || strings.Join(ack.You.Sections, " ") != "u" || ack.You.Username != "alice" {
			t.Errorf("an update for the own session was answered %s", ack.text)
		}
	})
}

func TestLiveRule7TwoTabsAreOnePersonWhoConflictsWithNobody(t *testing.T) { // rule 3, cases 13 to 15
	inLive(t, func(t *testing.T, w *liveWorld) {
		p := w.as("alice", "1")
		one, _, _ := w.enter(p, `"session": "one", "seq": 1, "section": "b"`)
		two, ack, snapshot := w.enter(p, `"session": "two", "seq": 1, "section": "a"`)
		if ack.You.Section != "a" || strings.Join(ack.You.Sections, " ") != "a b" || names(snapshot.Users) != "alice" {
			t.Errorf("the second tab was answered %s and %s; due is one alice, in a, of a and b", ack.text, snapshot.text)
		}
		if delta := one.next("delta"); names(delta.Changed) != "alice" || delta.Changed[0].Section != "a" || len(delta.Left) != 0 {
			t.Errorf("the first tab was told %s", delta.text)
		}
		two.say("update", `"seq": 2, "section": "b", "unless_occupied": true`)
		if ack := two.ack(); ack.Activity != "editing" || len(ack.Conflicts) != 0 {
			t.Errorf("in the section of the other tab: %s; due is editing, and no conflict", ack.text)
		}
		one.all()
		two.say("leave", `"seq": 3`)
		one.quiet(time.Minute) // the first tab shows the same
		w.isListed("alice")
	})
}
