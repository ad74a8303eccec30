package live_test

import (
	"fmt"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestPagesFollowAMovedSectionWithoutFlicker(t *testing.T) { // rule 23
	var store presence.Store
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		move := func(from, to presence.Section) {
			t.Helper()
			if _, err := presence.NewService(store).Move(t.Context(), "p", from, to); err != nil {
				t.Fatal(err)
			}
		}
		alice, _, _ := w.Join(&servertest.Client{Token: "alice"}, `"session": "a", "seq": 1, "section": "manuscript/abstract"`)
		bob, _, first := w.Join(&servertest.Client{Token: "bob"},
			`"session": "b", "section": "manuscript", "waiting_for": "manuscript/abstract", "activity": "viewing", "saved": {"section": "manuscript/abstract", "revision": "42"}`)
		alice.Pending()
		move("manuscript/abstract", "front/abstract")
		for _, page := range []*servertest.Socket{alice, bob} { // all at once: nobody is seen in the old place, or nowhere
			page.Next("delta").ExpectGolden(t, "delta-moved")
		}
		_, _, snapshot := w.Join(&servertest.Client{Token: "bob"}, `"session": "b", "section": "manuscript", "waiting_for": "front/abstract", "activity": "viewing"`)
		snapshot.ExpectGolden(t, "snapshot-moved")

		// Heartbeats that were written before the page knew of the moves are renewals.
		move("front", "title")
		known := bob.Next("delta").Version
		alice.Pending()
		alice.Send("update", fmt.Sprint(`"section": "manuscript/abstract", "as_of": `, first.Version))
		if ack := alice.Next("ack"); ack.You.Section != "title/abstract" || ack.Version != known {
			t.Errorf("a heartbeat as of before the moves: got %s, want title/abstract at version %d, as before", ack.Text, known)
		}
		alice.Send("update", fmt.Sprint(`"section": "front/abstract", "known_version": `, known-1))
		if ack := alice.Next("ack"); ack.You.Section != "title/abstract" || ack.Version != known {
			t.Errorf("a heartbeat with an older known_version: got %s, want title/abstract at version %d, as before", ack.Text, known)
		}
		if again := alice.Next("snapshot"); len(again.Moved) != 2 || again.Users[0].Section != "title/abstract" {
			t.Errorf("its snapshot: got %s, want both moves, and alice in title/abstract", again.Text)
		}
		bob.ExpectNothing(time.Second)

		alice.SendFrame(0x81, servertest.ReadGolden(t, "update-as-of")) // as of 2025, after the moves, since the clock of this test begins in 2000
		if ack := alice.SkipTo("ack"); ack.Seq != 2 || ack.You.Section != "manuscript/abstract" {
			t.Errorf("a page that knows the moves enters the old path: got %s, want manuscript/abstract", ack.Text)
		}
	}, newHolder, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { store = s; return s }
	})
}
