package wire_test

import (
	"encoding/json"
	"reflect"
	"strings"
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

func TestOccupantHasOptionalFieldsOnlyWhereSet(t *testing.T) { // rules 18, 20 and 21
	o := &presence.Occupant{
		User: presence.User{ID: "7", Name: "agent", AvatarURL: "https://host.example/7.png?size=40&v=2", Agent: true}, Section: "b",
		Sections: []presence.Section{"a", "b"}, Unsaved: []presence.Section{"a", "b"}, WaitingFor: "c", Activity: presence.Viewing,
	}
	var got map[string]any
	if err := json.Unmarshal(wire.Occupant(o), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"avatar_url": "https://host.example/7.png?size=40&v=2", "agent": true, "unsaved": []any{"a", "b"}, "waiting_for": "c", "editing": nil}
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is %v in %s, want %v", name, got[name], wire.Occupant(o), value)
		}
	}
	plain := string(wire.Occupant(&presence.Occupant{User: presence.User{ID: "1", Name: "alice"}, Activity: presence.Viewing}))
	for name := range want {
		if strings.Contains(plain, `"`+name+`"`) {
			t.Errorf("got %s, want no field %s", plain, name)
		}
	}
}

func TestSavesAreEncodedInListsSnapshotsAndDeltas(t *testing.T) { // rule 19
	at := time.Date(2025, 11, 3, 18, 0, 0, 5e8, time.FixedZone("CET", 3600))
	saves := []*presence.Save{
		{Saved: presence.Saved{Section: "a", Revision: `"<7>"`}, User: "1", Name: "alice", At: at},
		{Saved: presence.Saved{Section: "b", Revision: "v2"}, User: "visitor-x", Name: "Zoë", At: at},
	}
	const (
		a = `{"section":"a","revision":"\"\u003c7\u003e\"","user_id":1,"username":"alice","saved_at":"2025-11-03T17:00:00Z"}`
		b = `{"section":"b","revision":"v2","user_id":"visitor-x","username":"Zoë","saved_at":"2025-11-03T17:00:00Z"}`
	)
	both := &presence.Snapshot{Version: 1, Count: 5, Saves: saves}
	first, second := &presence.Snapshot{Version: 2, Saves: saves[:1]}, &presence.Snapshot{Version: 3, Saves: saves[1:]}
	for got, want := range map[string]string{
		string(wire.List(both)):                           `[],"count":5,"saved":[` + a + `,` + b + `]`,
		string(wire.AppendSnapshot(nil, both)):            `{"type":"snapshot","version":1,"users":[],"count":5,"saved":[` + a + `,` + b + `]}`,
		string(wire.AppendDelta(nil, first, second)):      `{"type":"delta","base":2,"version":3,"changed":[],"at":[],"left":[],"saved":[` + b + `],"saved_gone":["a"]}`,
		string(wire.AppendDelta(nil, first, first)):       `{"type":"delta","base":2,"version":2,"changed":[],"at":[],"left":[]}`,
		string(wire.List(&presence.Snapshot{Version: 1})): `[]`,
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAnEmptySnapshotIsAnEmptyArray(t *testing.T) {
	if got := string(wire.List(&presence.Snapshot{Version: 1})); got != "[]" {
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
