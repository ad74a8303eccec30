package live_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestUnsavedWaitingAndSavedMatchTheGoldenMessages(t *testing.T) { // rules 18 to 21, case 58
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		person := func(token string) *servertest.Client {
			return &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: token}
		}
		alice, _, _ := w.Join(person("alice"), `"session": "a", "seq": 1`)
		alice.SendFrame(0x81, servertest.ReadGolden(t, "update-unsaved"))
		if ack := alice.SkipTo("ack"); ack.Activity != "idle" || !slices.Equal(ack.You.Unsaved, []string{"manuscript/abstract"}) {
			t.Errorf("update-unsaved.json: got %s", ack.Text)
		}
		person("carol").Update(`{"session": "c", "section": "manuscript/methods", "saved": {"section": "manuscript/abstract", "revision": "40"}}`)
		person("carol").Update(`{"session": "c", "section": "manuscript/methods", "saved": {"section": "manuscript/methods", "revision": "v1"}}`)
		person("alice").Update(`{"session": "a", "section": "manuscript/abstract", "activity": "idle", "unsaved": true, "saved": {"section": "manuscript/abstract", "revision": "41"}}`)
		bob, _, snapshot := w.Join(person("bob"), `"session": "b", "seq": 1`)
		snapshot.ExpectGolden(t, "snapshot-saved")
		bob.SendFrame(0x81, servertest.ReadGolden(t, "update-waiting"))
		bob.SkipTo("ack").ExpectGolden(t, "ack-waiting")
		alice.Pending()
		bob.SendFrame(0x81, servertest.ReadGolden(t, "update-saved"))
		if ack := bob.SkipTo("ack"); ack.Activity != "viewing" || servertest.Names(ack.Conflicts) != "carol" || ack.You.WaitingFor != "" || strings.Contains(ack.Text, `"saved"`) {
			t.Errorf("update-saved.json: got %s, want a conflict with carol, no wait and no saves, which the delta has", ack.Text)
		}
		delta := alice.Next("delta")
		if servertest.Names(delta.Changed) != "bob" || servertest.Saves(delta.Saved) != "manuscript/abstract@42 by bob" {
			t.Errorf("got %s, want bob changed, and his save", delta.Text)
		}
	}, newHolder)
}

// newHolder lets in alice, bob, who has a picture, and carol, an agent.
func newHolder(p *servertest.Config) {
	p.Authenticator = holder{
		"alice": {ID: "1", Name: "alice"},
		"bob":   {ID: "2", Name: "bob", AvatarURL: "https://host.example/avatars/2.png"},
		"carol": {ID: "3", Name: "carol", Agent: true},
	}
}

func TestSaveAloneIsSentAsTheGoldenDelta(t *testing.T) { // rule 19
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "alice"}, `"session": "a", "section": "s"`)
		bob, _, _ := w.Join(&servertest.Client{Token: "bob"}, `"session": "b", "section": "s", "activity": "viewing"`)
		alice.Pending()
		const update = `"section": "s", "activity": "viewing", "saved": {"section": "manuscript/abstract", "revision": "42"}`
		bob.Send("update", update)
		delta := alice.Next("delta")
		delta.ExpectGolden(t, "delta-saved")
		alice.Pending()
		bob.Send("update", update) // the same save again is no change
		alice.ExpectNothing(time.Second)
	}, newHolder)
}

func TestGoldenDeltasGiveGoldenSaves(t *testing.T) { // rule 19, case 29
	var steps []struct {
		Why     string
		Receive servertest.Message
		Version uint64
		Saved   []string
		Asks    bool
	}
	if err := json.Unmarshal(servertest.ReadGolden(t, "delta-sequence-saved"), &steps); err != nil || len(steps) == 0 {
		t.Fatalf("delta-sequence-saved.json: %v", err)
	}
	var k savesFold
	for _, step := range steps {
		missed := k.receive(step.Receive)
		saved := []string{}
		for _, s := range k.saves {
			saved = append(saved, s.Section+"@"+s.Revision)
		}
		if k.version != step.Version || !reflect.DeepEqual(saved, step.Saved) || missed != step.Asks {
			t.Errorf("%s: got version %d, saves %v, missed %t, want %d, %v, %t", step.Why, k.version, saved, missed, step.Version, step.Saved, step.Asks)
		}
	}
}

// savesFold are the saves that a client knows, as docs/reference/protocol.md folds them.
type savesFold struct {
	version uint64
	saves   []servertest.Save
}

// receive applies a message. missed reports that a delta is missing.
func (k *savesFold) receive(m servertest.Message) (missed bool) {
	switch {
	case m.Type == "snapshot":
		k.version, k.saves = m.Version, m.Saved
	case m.Type != "delta":
	case m.Base != k.version:
		return m.Version > k.version
	default:
		k.version = m.Version
		k.saves = slices.DeleteFunc(slices.Clone(k.saves), func(s servertest.Save) bool {
			return slices.Contains(m.SavedGone, s.Section) || slices.ContainsFunc(m.Saved, func(newer servertest.Save) bool { return newer.Section == s.Section })
		})
		k.saves = append(k.saves, m.Saved...)
		slices.SortFunc(k.saves, func(a, b servertest.Save) int { return cmp.Compare(a.Section, b.Section) })
	}
	return false
}

// More sections are saved than a project keeps. Everybody gets the new saves only, and who joins gets all that are kept.
func TestDeltasOfManySavesGiveTheList(t *testing.T) { // rules 16 and 19, invariants 7 and 8
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		const writers, each = 20, 52
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a"`)
		var k savesFold
		k.receive(snapshot)
		var done sync.WaitGroup
		for i := range writers { // together, so that they share commits
			done.Go(func() {
				p := w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(1000+i)))
				for n := range each {
					p.Update(fmt.Sprintf(`{"session": "s", "section": "s", "saved": {"section": "chapter-%d/part-%d", "revision": "%d"}}`, i, n, n))
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		done.Wait()
		gone := 0
		for _, m := range alice.Pending() {
			if k.receive(m) {
				t.Fatalf("a gap before %.100s", m.Text)
			}
			gone += len(m.SavedGone)
		}
		list := w.As("watcher", "999").List()
		if gone != writers*each-presence.MaxSaves || len(list.Saved) != presence.MaxSaves || !reflect.DeepEqual(k.saves, list.Saved) || k.version != list.Version {
			t.Errorf("%d saves are gone; the deltas fold to %d at version %d, and the list has %d at %d", gone, len(k.saves), k.version, len(list.Saved), list.Version)
		}
		_, _, all := w.Join(w.As("bob", "2"), `"session": "b"`)
		if !reflect.DeepEqual(all.Saved, list.Saved) {
			t.Errorf("the snapshot of a page that joins has %d saves, and the list %d", len(all.Saved), len(list.Saved))
		}
		alice.Pending()
		alice.Send("update", `"saved": {"section": "newest", "revision": "1"}`)
		delta := alice.SkipTo("delta")
		if len(delta.Saved) != 1 || len(delta.SavedGone) != 1 || len(delta.Text) > 400 {
			t.Errorf("one more save: got %.1000s, want it alone, and one save gone", delta.Text)
		}
		t.Logf("the snapshot has %d bytes, and the delta of one save %d", len(all.Text), len(delta.Text))
	}, pausesOf50Milliseconds) // so that she reads each delta before the next one
}

func TestLiveSaveOrWaitOverTheRateLimitIsRejected(t *testing.T) { // rules 16, 18, 19 and 20
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "section": "s"`)
		before := w.As("watcher", "999").List()
		for _, change := range []string{`"unsaved": true`, `"waiting_for": "t"`, `"saved": {"section": "t", "revision": "7"}`} {
			alice.Send("update", `"section": "s", `+change)
			alice.SkipTo("error").ExpectError(t, "too_many_requests")
		}
		alice.Send("update", `"section": "s"`) // a renewal
		alice.SkipTo("ack")
		if after := w.As("another watcher", "998").List(); after.Version != before.Version || len(after.Saved) > 0 {
			t.Errorf("rejected updates changed the list from %+v to %+v", before, after)
		}
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 2} })
}
