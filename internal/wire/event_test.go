package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
	"github.com/writer-presence/writer-presence/internal/wire"
)

func TestEventsAreAsDocumented(t *testing.T) {
	c, err := servertest.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := presence.User{ID: "7", Name: `A"lice`, AvatarURL: "https://a.example/"}, presence.User{ID: "b", Name: "Bob", Visitor: true, Agent: true}
	event := func(kind presence.EventType, section presence.Section, users ...presence.User) presence.Event {
		return presence.Event{ID: "PCGOTM2DK6PNS3DJEXXGPGDG", Type: kind, Project: "a.example/p", Version: 5, At: time.UnixMilli(1_700_000_000_005), Section: section, Users: users}
	}
	saved := event(presence.SectionSaved, "s", bob)
	saved.Revision = "r<1>"
	body := wire.AppendEvents(nil, []presence.Event{
		event(presence.UserJoined, "", alice), event(presence.UserLeft, "", bob), event(presence.SectionOccupied, "s", alice),
		event(presence.SectionVacated, "s"), event(presence.SectionContested, "s", alice, bob), saved,
	}, time.UnixMilli(1_700_000_000_005))
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	if err := c.Document.Components.Schemas["EventBatch"].Value.VisitJSON(value); err != nil {
		t.Errorf("%v:\n%s", err, body)
	}
	const first = `{"id":"PCGOTM2DK6PNS3DJEXXGPGDG","type":"user.joined","timestamp":"2023-11-14T22:13:20.005Z","data":{"tenant":"a.example","project":"p","version":5,"user":{"user_id":7,"username":"A\"lice"}}}`
	if got := string(wire.AppendEvent(nil, event(presence.UserJoined, "", alice))); got != first {
		t.Errorf("got  %s\nwant %s", got, first)
	}
}
