package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func (r *testRoster) save(u User, section Section, revision string) Reply {
	r.Helper()
	return r.update(u, Update{Section: "elsewhere", Saved: Saved{section, revision}})
}

// savesShown returns the saves of the roster, a line each.
func (r *testRoster) savesShown() (lines []string) {
	for _, s := range r.Snapshot(r.now).Saves {
		lines = append(lines, fmt.Sprintf("%s %s by %s at %v", s.Section, s.Revision, s.Name, s.At.Sub(start)))
	}
	return lines
}

func (r *testRoster) wantSaves(want ...string) {
	r.Helper()
	if got := r.savesShown(); !slices.Equal(got, want) {
		r.Fatalf("saves %q; want %q", got, want)
	}
}

func TestNewestSaveOfEachSectionIsInTheSnapshot(t *testing.T) { // rule 19, case 58
	r := newTestRoster(t)
	r.save(alice, "b", "1")
	r.advance(time.Second)
	r.save(bob, "a", "7")
	r.save(bob, "b", "2")
	r.wantSaves("a 7 by Bob at 1s", "b 2 by Bob at 1s")
	r.leave(bob, Leave{})
	r.wantSaves("a 7 by Bob at 1s", "b 2 by Bob at 1s")
}

func TestRepeatedSaveChangesNothing(t *testing.T) { // rule 19, case 26
	r := newTestRoster(t)
	r.save(alice, "a", "1")
	version := r.Version()
	r.advance(time.Second)
	r.save(alice, "a", "1")
	if r.wantSaves("a 1 by Alice at 0s"); r.Version() != version {
		t.Error("a repeated save raised the version")
	}
	r.save(bob, "a", "1") // another person's save is another save
	if r.wantSaves("a 1 by Bob at 1s"); r.Version() == version {
		t.Error("a save raised no version")
	}
}

func TestSaveDoesNotTouchItsSession(t *testing.T) { // rules 3 and 19
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a"})
	r.update(alice, Update{Session: "y", Section: "b"})
	r.update(alice, Update{Session: "x", Section: "a", Saved: Saved{"a", "1"}}) // an autosave
	r.update(alice, Update{Session: "x", Section: "a", Unsaved: true})
	r.wantList(`Alice editing "b" of ["a" "b"]`)
}

func TestStaleOrRejectedUpdateSavesNothing(t *testing.T) { // rules 8, 16 and 19
	r := newTestRoster(t)
	r.update(alice, Update{Seq: 5, Section: "a"})
	r.update(alice, Update{Seq: 5, Section: "a", Saved: Saved{"a", "1"}})
	if _, _, err := r.Update(r.now, alice, Update{Seq: 6, Section: "a", Saved: Saved{"a", "1"}, OnlyRenew: true}); err != ErrTooManyChanges {
		t.Errorf("a save over a rate limit is answered %v; want ErrTooManyChanges", err)
	}
	r.wantSaves()
}

func TestSavesAreBounded(t *testing.T) { // rules 16 and 19
	r := newTestRoster(t)
	for i := range 10 * MaxSaves {
		r.save(alice, Section(fmt.Sprintf("s%05d", i)), "1")
		r.advance(time.Millisecond)
	}
	saves := r.Snapshot(r.now).Saves
	if len(saves) != MaxSaves || saves[0].Section != "s09000" || saves[MaxSaves-1].Section != "s09999" {
		t.Errorf("%d saves are kept, from %s to %s; want the newest %d", len(saves), saves[0].Section, saves[len(saves)-1].Section, MaxSaves)
	}
	if n := len(r.unwrittenSaves); n != MaxSaves {
		t.Errorf("%d saves are unwritten; want %d, since the dropped ones were never returned", n, MaxSaves)
	}
}

func TestSavesStayTenMinutesAfterTheLastPersonLeft(t *testing.T) { // rule 19
	r := newTestRoster(t)
	r.save(alice, "a", "1")
	for range 20 {
		r.advance(time.Minute)
		r.update(alice, Update{Section: "elsewhere"})
	}
	r.leave(alice, Leave{Seq: 1})
	r.advance(Finality)
	version := r.Version()
	r.wantSaves("a 1 by Alice at 0s")
	if r.advance(1); r.Forget(r.now) != true {
		t.Error("the roster is not empty")
	}
	if r.wantSaves(); r.Version() <= version {
		t.Error("the end of the save raised no version")
	}
}

func TestSavesEndTenMinutesAfterTheLastLeaseExpired(t *testing.T) { // rule 19
	r := newTestRoster(t)
	r.save(alice, "a", "1")
	r.advance(DefaultLease + Finality)
	r.wantSaves("a 1 by Alice at 0s") // the session expired only now, at the end of its lease
	r.advance(1)
	r.wantSaves()
}

func TestUnwrittenSavesRestoreTheSaves(t *testing.T) { // rule 19, invariant 6
	r := newTestRoster(t)
	journal := map[Section]Save{}
	write := func() {
		for _, s := range r.UnwrittenSaves() {
			if journal[s.Section] = s; s.Revision == "" {
				delete(journal, s.Section)
			}
		}
	}
	for i := range MaxSaves + 300 {
		r.save(alice, Section(fmt.Sprintf("s%d", i%(MaxSaves+100))), fmt.Sprint(i))
		r.advance(time.Second)
		if i%7 == 0 {
			write()
		}
	}
	write()
	if write(); len(r.UnwrittenSaves()) > 0 {
		t.Error("written saves are returned again")
	}
	restored := newTestRoster(t)
	restored.now = r.now
	for _, record := range r.AllRecords() {
		restored.Restore(r.now, record)
	}
	for _, s := range journal {
		restored.RestoreSave(s)
	}
	if got, want := restored.savesShown(), r.savesShown(); !slices.Equal(got, want) {
		t.Errorf("%d saves are restored from %d; want %d", len(got), len(journal), len(want))
	}
	if left := restored.UnwrittenSaves(); len(left) > 0 {
		t.Errorf("%d restored saves are unwritten", len(left))
	}
}

func TestServiceChecksSavesAndWaits(t *testing.T) { // rule 19, invariant 12
	service := NewService(nil)
	longest := strings.Repeat("r", MaxRevision)
	for _, c := range []struct {
		u    Update
		want error
	}{
		{Update{Saved: Saved{"a", ""}}, ErrRevisionInvalid},
		{Update{Saved: Saved{"a", longest + "r"}}, ErrRevisionInvalid},
		{Update{Saved: Saved{"a", "1\n2"}}, ErrRevisionInvalid},
		{Update{Saved: Saved{"a", "1\u202e"}}, ErrRevisionInvalid},
		{Update{Saved: Saved{"a", "\xff"}}, ErrRevisionInvalid},
		{Update{Saved: Saved{"", "1"}}, ErrSectionInvalid},
		{Update{Saved: Saved{"a//b", "1"}}, ErrSectionInvalid},
		{Update{WaitingFor: "a//b"}, ErrSectionInvalid},
		{Update{WaitingFor: "a\x00"}, ErrSectionInvalid},
		{Update{Saved: Saved{"a", longest}, WaitingFor: "a"}, errNoStore},
		{Update{Saved: Saved{"a", "Übung 7"}}, errNoStore},
	} {
		if _, err := service.Update(t.Context(), "p", alice, c.u); err != c.want {
			t.Errorf("%+v: %v; want %v", c.u, err, c.want)
		}
	}
}
