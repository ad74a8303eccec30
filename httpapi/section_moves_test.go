package httpapi_test

import (
	"fmt"
	"reflect"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestPollsAndListsHaveTheMovesOfSections(t *testing.T) { // rule 23
	var store presence.Store
	w := servertest.New(t, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { store = s; return s }
	})
	alice := w.As("alice", "1")
	known := alice.Update(`{"session": "a", "section": "s/x", "known_version": 0}`).Version
	if _, err := presence.NewService(store).Move(t.Context(), "p", "s", `t"é`); err != nil {
		t.Fatal(err)
	}
	got := alice.Update(fmt.Sprintf(`{"session": "a", "section": "s/x", "known_version": %d}`, known))
	if want := []servertest.Move{{From: "s", To: `t"é`, Version: got.Version}}; !reflect.DeepEqual(got.Moved, want) || got.You.Section != `t"é/x` {
		t.Errorf("a poll: got moves %+v, and alice in %s; want %+v, and alice in t\"é/x", got.Moved, got.You.Section, want)
	}
	if list := alice.List(); !reflect.DeepEqual(list.Moved, got.Moved) {
		t.Errorf("a list: got moves %+v, want %+v", list.Moved, got.Moved)
	}
	if again := alice.Update(fmt.Sprintf(`{"session": "a", "section": "s/x", "as_of": %d}`, known)); again.You.Section != `t"é/x` || again.Moved != nil {
		t.Errorf("an update with as_of: got moves %+v, and alice in %s; want none, and t\"é/x", again.Moved, again.You.Section)
	}
}
