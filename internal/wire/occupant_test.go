package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
)

func TestOccupantIsEncodedAsDocumented(t *testing.T) {
	u, err := presence.NewUser("1", "alice", false)
	if err != nil {
		t.Fatal(err)
	}
	o := &presence.Occupant{
		User: u, Section: "manuscript/abstract", Sections: []presence.Section{"manuscript/abstract"}, Editing: []presence.Section{"manuscript/abstract"},
		Activity: presence.Editing, LastSeen: time.Date(2025, 11, 3, 17, 0, 0, 0, time.UTC),
	}
	want := `{"user_id":1,"username":"alice","section":"manuscript/abstract","sections":["manuscript/abstract"],"activity":"editing",` +
		`"last_seen":"2025-11-03T17:00:00Z","avatar_color":"#f59e0b","initials":"AL","visitor":false}`
	for range 2 { // the second time from the cache
		if got := string(wire.Occupant(o)); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestAnEmptySnapshotIsAnEmptyArray(t *testing.T) {
	if got := string(wire.Occupants(&presence.Snapshot{Version: 1})); got != "[]" {
		t.Errorf("got %s, want []", got)
	}
}

func TestNamesAndSectionsAreEncodedAsData(t *testing.T) { // cases 19, 43
	for _, text := range []string{`</script><b>"\`, "__proto__", "a\u2028b", "名前", "\x7f"} {
		o := &presence.Occupant{
			User: presence.User{ID: presence.UserID(text), Name: text}, Section: presence.Section(text), Sections: []presence.Section{presence.Section(text)},
		}
		var got struct {
			ID       any      `json:"user_id"`
			Username string   `json:"username"`
			Section  string   `json:"section"`
			Sections []string `json:"sections"`
		}
		if err := json.Unmarshal(wire.Occupant(o), &got); err != nil {
			t.Fatalf("%q: %v in %s", text, err, wire.Occupant(o))
		}
		if got.ID != text || got.Username != text || got.Section != text || got.Sections[0] != text {
			t.Errorf("%q came back as %+v", text, got)
		}
	}
}
