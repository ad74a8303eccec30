package live_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestMessagesAfterLeaveAreIgnored(t *testing.T) { // rule 8
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		leave, update := servertest.MaskedFrame(0x81, []byte(`{"type": "leave", "seq": 2}`)), servertest.MaskedFrame(0x81, []byte(`{"type": "update", "seq": 3, "section": "s"}`))
		alice.Conn.Write(append(leave, update...))
		alice.SkipTo("ack")
		alice.ExpectClose(1000)
		time.Sleep(time.Second)
		w.ExpectListed("")
	})
}

func TestUpdateWithOtherKnownVersionGetsSnapshot(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, ack, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		versions := []uint64{0, ack.Version}
		bob := w.As("bob", "2")
		for _, section := range []string{"s", "t", "u"} {
			versions = append(versions, bob.Update(`{"section": "`+section+`"}`).Version)
			alice.Pending()
		}
		now := versions[len(versions)-1]
		for _, known := range versions {
			alice.Send("update", `"section": "s", "known_version": `+fmt.Sprint(known))
			alice.ExpectAckAndSnapshot(known != now, now, fmt.Sprint(known))
		}
		alice.Send("update", `"section": "s"`)
		alice.ExpectAckAndSnapshot(false, now, "nothing is asked")
		bob.Update(`{"section": "v"}`)
		if delta := alice.Next("delta"); delta.Base != now {
			t.Errorf("change after that: got %s, want a delta from %d", delta.Text, now)
		}
	})
}

func TestKnownVersionDuringChangeGetsTheChange(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob := w.As("bob", "2")
		before := bob.Update(`{"section": "s"}`).Version
		alice, ack, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		before = max(before, ack.Version)
		alice.Pending()
		now := bob.Update(`{"section": "t"}`).Version
		if delta := alice.Next("delta"); delta.Base != before || delta.Version != now {
			t.Fatalf("got %s, want a delta from %d to %d", delta.Text, before, now)
		}
		alice.Send("update", `"section": "s", "known_version": `+fmt.Sprint(before)) // as if sent before the delta arrived
		alice.Next("ack")
		again := alice.SkipTo("snapshot", "delta") // a delta if the room still has the snapshot before
		if again.Version != now || again.Type == "delta" && again.Base != before {
			t.Errorf("got %s, want version %d, as a delta from %d", again.Text, now, before)
		}
	})
}

func TestUpdatesAreAckedInOrder(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1`)
		for seq := 2; seq < 50; seq++ {
			alice.Send("update", fmt.Sprintf(`"seq": %d, "section": "s%d"`, seq, seq))
		}
		for seq := 2; seq < 50; seq++ {
			if ack := alice.SkipTo("ack"); ack.Seq != uint64(seq) || ack.You.Section != fmt.Sprintf("s%d", seq) || ack.Stale {
				t.Fatalf("message %d: got %s, want its ack", seq, ack.Text)
			}
		}
	})
}

func TestUnlessOccupiedEntersAsViewing(t *testing.T) { // rules 5 and 6, case 21
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s", "unless_occupied": true`)
		bob, ack, _ := w.Join(w.As("bob", "2"), `"session": "b", "seq": 1, "section": "s", "unless_occupied": true`)
		if ack.Activity != "viewing" || servertest.Names(ack.Conflicts) != "alice" {
			t.Errorf("bob's hello with unless_occupied: got %s, want viewing and a conflict with alice", ack.Text)
		}
		if delta := alice.Next("delta"); servertest.Names(delta.Changed) != "bob" || delta.Changed[0].Activity != "viewing" {
			t.Errorf("delta for alice: got %s, want bob viewing", delta.Text)
		}
		bob.Send("update", `"seq": 2, "section": "s"`) // edits anyway
		if ack := bob.SkipTo("ack"); ack.Activity != "editing" || servertest.Names(ack.Conflicts) != "alice" {
			t.Errorf("bob's plain update: got %s, want editing and a conflict with alice", ack.Text)
		}
		if delta := alice.Next("delta"); servertest.Names(delta.Changed) != "bob" || delta.Changed[0].Activity != "editing" {
			t.Errorf("delta for alice: got %s, want bob editing", delta.Text)
		}
		alice.Send("update", `"seq": 2, "section": "s", "unless_occupied": true`)
		if ack := alice.SkipTo("ack"); ack.Activity != "editing" || servertest.Names(ack.Conflicts) != "bob" {
			t.Errorf("alice's update with unless_occupied in her own section: got %s, want editing and a conflict with bob", ack.Text)
		}
	})
}

func TestOlderMessageIsStaleOverHTTPAndLive(t *testing.T) { // rule 8
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		alice, _, _ := w.Join(p, `"session": "a", "seq": 1, "section": "s"`)
		now := p.Update(`{"session": "a", "seq": 5, "section": "new"}`)
		alice.Pending()
		for _, seq := range []int{1, 4, 5} {
			alice.Send("update", fmt.Sprintf(`"seq": %d, "section": "old"`, seq))
			if ack := alice.Next("ack"); !ack.Stale || ack.Version != now.Version || ack.You.Section != "new" {
				t.Errorf("message %d after 5: got %s, want stale and the session unchanged", seq, ack.Text)
			}
		}
		alice.Send("update", `"seq": 6, "section": "newer"`)
		if ack := alice.SkipTo("ack"); ack.Stale || ack.You.Section != "newer" {
			t.Errorf("message 6 after 5: got %s, want section newer", ack.Text)
		}
		if got := p.Update(`{"session": "a", "seq": 6, "section": "old"}`); !got.Stale || got.You.Section != "newer" {
			t.Errorf("message 6 over HTTP after message 6 live: got %+v, want stale", got)
		}
		p.Leave(`{"session": "a", "seq": 7}`)
		alice.Pending()
		alice.Send("update", `"seq": 7, "section": "s"`)
		if ack := alice.Next("ack"); !ack.Stale || ack.Activity != "" {
			t.Errorf("older message after the leave: got %s, want stale without activity", ack.Text)
		}
		w.ExpectListed("")
	})
}

func TestLiveLeaveIsFinalForOlderHTTPUpdates(t *testing.T) { // rule 8, cases 2 and 3
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		alice, _, _ := w.Join(p, `"session": "a", "seq": 1, "section": "s"`)
		alice.Send("leave", `"seq": 5`)
		alice.ExpectClose(1000)
		if got := p.Update(`{"session": "a", "seq": 4, "section": "s"}`); !got.Stale {
			t.Errorf("update older than the leave: got %+v, want stale", got)
		}
		w.ExpectListed("")
	})
}

func TestUpdateOfAnotherSessionIsRejected(t *testing.T) { // case 39
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		alice, _, _ := w.Join(p, `"session": "a", "seq": 1, "section": "s"`)
		w.Join(p, `"session": "b", "seq": 1`)
		for _, kind := range []string{"update", "leave"} {
			alice.Send(kind, `"seq": 2, "session": "b", "section": "t"`)
			if m := alice.SkipTo("error"); m.Code != "session_invalid" || m.Seq != 2 {
				t.Errorf("%s of another session: got %s, want session_invalid of seq 2", kind, m.Text)
			}
		}
		alice.Send("update", `"seq": 2, "session": "a", "section": "u", "user_id": 2, "username": "bob"`)
		if ack := alice.SkipTo("ack"); ack.You.Section != "u" || strings.Join(ack.You.Sections, " ") != "u" || ack.You.Username != "alice" {
			t.Errorf("update of the connection's session: got %s, want alice in section u", ack.Text)
		}
	})
}

func TestTwoTabsAreOneOccupantWithoutConflict(t *testing.T) { // rules 3 and 7, cases 13 to 15
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		one, _, _ := w.Join(p, `"session": "one", "seq": 1, "section": "b"`)
		two, ack, snapshot := w.Join(p, `"session": "two", "seq": 1, "section": "a"`)
		if ack.You.Section != "a" || strings.Join(ack.You.Sections, " ") != "a b" || servertest.Names(snapshot.Users) != "alice" {
			t.Errorf("second tab: got %s and %s, want one alice in a, with sections a and b", ack.Text, snapshot.Text)
		}
		if delta := one.Next("delta"); servertest.Names(delta.Changed) != "alice" || delta.Changed[0].Section != "a" || len(delta.Left) != 0 {
			t.Errorf("delta for the first tab: got %s, want alice in a", delta.Text)
		}
		two.Send("update", `"seq": 2, "section": "b", "unless_occupied": true`)
		if ack := two.SkipTo("ack"); ack.Activity != "editing" || len(ack.Conflicts) != 0 {
			t.Errorf("entering the other tab's section: got %s, want editing and no conflict", ack.Text)
		}
		one.Pending()
		two.Send("leave", `"seq": 3`)
		one.ExpectNothing(time.Minute) // its view is unchanged
		w.ExpectListed("alice")
	})
}
