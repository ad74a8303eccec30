package live_test

import (
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLiveSectionsAreNormalised(t *testing.T) { // rule 5
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		w.Join(w.As("alice", "1"), `"session": "a", "section": "ms/r\u00e9sum\u00e9"`)
		bob, ack, _ := w.Join(w.As("bob", "2"), `"session": "b", "section": "/ms//re\u0301sume\u0301/"`)
		if len(ack.Conflicts) != 1 || ack.You.Section != "ms/r\u00e9sum\u00e9" {
			t.Errorf("hello with another spelling: got %s, want the normal form, and a conflict with alice", ack.Text)
		}
		bob.Send("update", `"seq": 2, "section": "/docs/intro/"`)
		if ack := bob.SkipTo("ack"); ack.You.Section != "docs/intro" {
			t.Errorf("update: got %s, want docs/intro", ack.Text)
		}
	})
}
