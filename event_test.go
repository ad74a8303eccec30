package presence_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

var (
	alice = presence.User{ID: "1", Name: "Alice"}
	bob   = presence.User{ID: "2", Name: "Bob"}
)

// announced is a project whose events are found as a server finds them: views are EventSettle apart.
type announced struct {
	rapid.TB
	now   time.Time
	r     presence.Roster
	state presence.EventState
	first *presence.EventView
	ids   map[string]bool
	texts []string // the events of the last view
	// users, sections and saves are what the events told.
	users    map[presence.UserID]bool
	sections map[presence.Section]bool
	saves    map[presence.Section]string
	moved    uint64 // the version of the newest move that was applied to sections
}

func newAnnounced(t rapid.TB) *announced {
	a := &announced{TB: t, now: time.UnixMilli(1_700_000_000_000), ids: map[string]bool{},
		users: map[presence.UserID]bool{}, sections: map[presence.Section]bool{}, saves: map[presence.Section]string{}}
	a.look()
	return a
}

func (a *announced) update(user presence.User, u presence.Update) {
	a.Helper()
	if _, _, err := a.r.Update(a.now, user, u); err != nil {
		a.Fatal(err)
	}
}

// look makes the next view. It returns the events, and whether they tell all.
func (a *announced) look() (settled bool) {
	a.Helper()
	snapshot, sessions := a.r.Snapshot(a.now), a.r.Sessions(a.now)
	second := presence.NewEventView(snapshot, sessions)
	if a.first == nil {
		a.first = second
	}
	var events []presence.Event
	a.state, events, settled = a.state.Next("p", a.first, second, a.now)
	a.first, a.texts = second, nil
	var kept presence.EventState // what a store keeps
	text, err := json.Marshal(a.state)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		a.Fatal(err)
	}
	a.state = kept
	for _, m := range snapshot.Moves {
		if m.Version > a.moved {
			a.moved = m.Version
			a.move(m)
		}
	}
	for _, e := range events {
		a.apply(e, snapshot)
	}
	return settled
}

// move does what a receiver does after it moved a section.
func (a *announced) move(m *presence.Move) {
	to := func(s presence.Section) presence.Section {
		if rest, ok := strings.CutPrefix(string(s)+"/", string(m.From)+"/"); ok {
			return presence.Section(strings.TrimSuffix(string(m.To)+"/"+rest, "/"))
		}
		return s
	}
	before := a.sections
	a.sections = map[presence.Section]bool{}
	for s := range before {
		a.sections[to(s)] = true
	}
}

// apply does what a receiver does. It checks that each event is a change of what the events before told, and is visible.
func (a *announced) apply(e presence.Event, s *presence.Snapshot) {
	a.Helper()
	if e.ID == "" || a.ids[e.ID] {
		a.Fatalf("the id of %+v was used before", e)
	}
	a.ids[e.ID] = true
	text := fmt.Sprint(e.Type, " ", e.Section)
	for _, u := range e.Users {
		text += " " + u.Name
	}
	a.texts = append(a.texts, text)
	is, was := false, false
	switch e.Type {
	case presence.UserJoined, presence.UserLeft:
		id := e.Users[0].ID
		was, is = a.users[id], slices.ContainsFunc(s.Occupants, func(o *presence.Occupant) bool { return o.User.ID == id })
		if is != (e.Type == presence.UserJoined) || is == was {
			a.Fatalf("%s, who was in the project %v and is in it %v", text, was, is)
		}
		if a.users[id] = true; !is {
			delete(a.users, id)
		}
	case presence.SectionOccupied, presence.SectionVacated:
		was, is = a.sections[e.Section], slices.ContainsFunc(s.Occupants, func(o *presence.Occupant) bool { return slices.Contains(o.Sections, e.Section) })
		if is != (e.Type == presence.SectionOccupied) || is == was {
			a.Fatalf("%s, which was occupied %v and is %v", text, was, is)
		}
		if a.sections[e.Section] = true; !is {
			delete(a.sections, e.Section)
		}
	case presence.SectionContested:
		if n := len(s.Conflicts("nobody", e.Section)); n < 2 || !a.sections[e.Section] {
			a.Fatalf("%s, which %d users claim, and which is occupied %v", text, n, a.sections[e.Section])
		}
	case presence.SectionSaved:
		at := slices.IndexFunc(s.Saves, func(save *presence.Save) bool { return save.Section == e.Section })
		if at < 0 || s.Saves[at].Revision != e.Revision || a.saves[e.Section] == e.Revision+e.At.String() {
			a.Fatalf("%s %s, which is not the newest save, or was told before", text, e.Revision)
		}
		a.saves[e.Section] = e.Revision + e.At.String()
	}
}

// settle waits until the events tell all.
func (a *announced) settle() {
	a.Helper()
	for range 3 {
		a.now = a.now.Add(presence.EventSettle)
		if a.look() {
			return
		}
	}
	a.Fatal("the events do not tell all after three views without a change")
}

// want checks the events of the last view.
func (a *announced) want(texts ...string) {
	a.Helper()
	if !slices.Equal(a.texts, texts) {
		a.Errorf("the events are %q; want %q", a.texts, texts)
	}
}

func TestEventsTellOfUsersSectionsAndSaves(t *testing.T) { // invariant 13
	a := newAnnounced(t)
	a.update(alice, presence.Update{Session: "a1", Section: "s"})
	a.update(alice, presence.Update{Session: "a2", Section: "t", Activity: presence.Viewing})
	a.look()
	a.want() // the view before did not show it
	a.settle()
	a.want("user.joined  Alice", "section.occupied s Alice", "section.occupied t Alice")
	a.update(bob, presence.Update{Session: "b", Section: "s", Saved: presence.Saved{Section: "s", Revision: "7"}})
	a.look()
	a.want("section.saved s Bob")
	a.settle()
	a.want("user.joined  Bob", "section.contested s Alice Bob")
	a.r.Leave(a.now, alice, presence.Leave{Session: "a1"})
	a.r.Leave(a.now, bob, presence.Leave{Session: "b"})
	a.look()
	a.settle()
	a.want("section.vacated s", "user.left  Bob") // Alice has another tab
}

func TestUserWithSeveralTabsInASectionIsToldOnceAndContestsNothing(t *testing.T) { // invariant 13, rule 18
	a := newAnnounced(t)
	a.update(alice, presence.Update{Session: "a1", Section: "s"})
	a.update(alice, presence.Update{Session: "a2", Section: "s"})
	a.settle()
	a.want("user.joined  Alice", "section.occupied s Alice")
	a.update(bob, presence.Update{Session: "b1", Section: "s"})
	a.update(bob, presence.Update{Session: "b2", Section: "s"})
	a.settle()
	a.want("user.joined  Bob", "section.contested s Alice Bob")
}

func TestReloadCausesNoEvent(t *testing.T) { // invariant 13
	for offset := time.Duration(0); offset < presence.EventSettle; offset += 250 * time.Millisecond { // of the leave after a view
		a := newAnnounced(t)
		a.update(alice, presence.Update{Session: "one", Section: "s"})
		a.settle()
		a.settle()
		pass := func(d time.Duration) {
			for end := a.now.Add(d); a.now.Before(end); {
				if a.now = a.now.Add(50 * time.Millisecond); a.now.UnixMilli()%presence.EventSettle.Milliseconds() == 0 {
					a.look()
					a.want()
				}
			}
		}
		pass(offset)
		a.r.Leave(a.now, alice, presence.Leave{Session: "one"})
		pass(presence.EventSettle - 50*time.Millisecond)
		a.update(alice, presence.Update{Session: "two", Section: "s"})
		pass(3 * presence.EventSettle)
	}
}

func TestMovedSectionCausesNoEvent(t *testing.T) { // rule 23
	a := newAnnounced(t)
	a.update(alice, presence.Update{Session: "a", Section: "s/1", Saved: presence.Saved{Section: "s/1", Revision: "1"}})
	a.update(bob, presence.Update{Session: "b", Section: "s/1"})
	a.settle()
	if _, err := a.r.Move(a.now, "s", "t"); err != nil {
		t.Fatal(err)
	}
	a.look()
	a.want()
	a.settle()
	a.want()
	a.r.Leave(a.now, alice, presence.Leave{Session: "a"})
	a.r.Leave(a.now, bob, presence.Leave{Session: "b"})
	a.look()
	a.settle()
	a.want("section.vacated t/1", "user.left  Alice", "user.left  Bob")
}

func TestSaveIsNotToldAgainInASectionThatItMovedTo(t *testing.T) { // rules 19 and 23
	for range 20 { // the order of maps differs
		a := newAnnounced(t)
		for _, section := range []presence.Section{"s", "s/1"} { // at one moment
			a.update(alice, presence.Update{Session: "a", Section: section, Saved: presence.Saved{Section: section, Revision: "of " + string(section)}})
		}
		a.settle()
		if _, err := a.r.Move(a.now, "s/1", "s"); err != nil {
			t.Fatal(err)
		}
		a.settle()
		a.want()
	}
}

func TestNobodyLeavesWhileTheStoreMayHaveLostUsers(t *testing.T) { // rule 13
	a := newAnnounced(t)
	a.update(alice, presence.Update{Session: "a", Section: "s"})
	a.settle()
	lost := presence.NewEventView(&presence.Snapshot{Version: a.state.Version + 1, Partial: true}, nil)
	next, events, settled := a.state.Next("p", lost, lost, a.now)
	if len(events) > 0 || settled || len(next.Users) != 1 {
		t.Errorf("the events are %v, settled %v, and then %d users are known; want no event, and Alice", events, settled, len(next.Users))
	}
}

func TestRandomEventsLeadToWhatIsVisible(t *testing.T) { // invariant 13
	rapid.Check(t, func(t *rapid.T) {
		a := newAnnounced(t)
		users := []presence.User{alice, bob, {ID: "3", Name: "Carol"}}
		sections := []presence.Section{"", "s", "s/1", "t"}
		lastLook := a.now
		t.Repeat(map[string]func(*rapid.T){
			"update": func(t *rapid.T) {
				u := presence.Update{
					Session: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "session"), Section: rapid.SampledFrom(sections).Draw(t, "section"),
					Activity: rapid.SampledFrom([]presence.Activity{"", presence.Viewing, presence.Idle}).Draw(t, "activity"),
					Unsaved:  rapid.Bool().Draw(t, "unsaved"),
				}
				if u.Section != "" && rapid.IntRange(0, 4).Draw(t, "saves") == 0 {
					u.Saved = presence.Saved{Section: u.Section, Revision: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "revision")}
				}
				a.update(rapid.SampledFrom(users).Draw(t, "user"), u)
			},
			"leave": func(t *rapid.T) {
				l := presence.Leave{Session: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "session"), Hidden: rapid.Bool().Draw(t, "hidden")}
				a.r.Leave(a.now, rapid.SampledFrom(users).Draw(t, "user"), l)
			},
			"move": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "moves") > 0 {
					return
				}
				a.r.Move(a.now, rapid.SampledFrom(sections[1:]).Draw(t, "from"), rapid.SampledFrom(sections[1:]).Draw(t, "to"))
			},
			"pass": func(t *rapid.T) {
				a.now = a.now.Add(time.Duration(rapid.SampledFrom([]int{1, 500, 2000, 4000, 121_000}).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				if a.now.Sub(lastLook) >= presence.EventSettle {
					lastLook = a.now
					a.look()
				}
			},
		})
		a.settle()
		s := a.r.Snapshot(a.now)
		users2, sections2 := map[presence.UserID]bool{}, map[presence.Section]bool{}
		for _, o := range s.Occupants {
			users2[o.User.ID] = true
			for _, section := range o.Sections {
				sections2[section] = true
			}
		}
		if !maps.Equal(a.users, users2) || !maps.Equal(a.sections, sections2) {
			t.Fatalf("events told of the users %v in %v; visible are %v in %v", a.users, a.sections, users2, sections2)
		}
	})
}
