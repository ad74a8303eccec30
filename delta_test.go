package presence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// apply applies a delta as a client does.
func apply(base []*Occupant, d *Delta) []*Occupant {
	gone := slices.Clone(d.Left)
	for _, o := range d.Changed {
		gone = append(gone, o.User.ID)
	}
	list := slices.DeleteFunc(slices.Clone(base), func(o *Occupant) bool { return slices.Contains(gone, o.User.ID) })
	for i, o := range d.Changed {
		list = slices.Insert(list, d.At[i], o)
	}
	return list
}

// applySaves applies the saves of a delta as a client does.
func applySaves(base []*Save, d *Delta) []*Save {
	saves := map[Section]*Save{}
	for _, s := range slices.Concat(base, d.Saves) {
		saves[s.Section] = s
	}
	for _, section := range d.SavesGone {
		delete(saves, section)
	}
	return slices.SortedFunc(maps.Values(saves), func(a, b *Save) int { return strings.Compare(string(a.Section), string(b.Section)) })
}

// all returns all that a snapshot shows, a line each.
func all(s *Snapshot) (lines []string) {
	for _, o := range s.Occupants {
		lines = append(lines, fmt.Sprintf("%s, edits %q, unsaved %q, waits for %q", show(o), o.Editing, o.Unsaved, o.WaitingFor))
	}
	for _, save := range s.Saves {
		lines = append(lines, fmt.Sprintf("%s saved %s %s at %v", save.Name, save.Section, save.Revision, save.At))
	}
	return lines
}

// After random messages, an older snapshot with the delta since then must equal the newest snapshot.
func TestSnapshotEqualsOlderSnapshotWithDelta(t *testing.T) { // invariant 8
	rapid.Check(t, func(t *rapid.T) {
		r, now := NewRoster(DefaultLease, 0), start
		base := r.Snapshot(now)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 5).Draw(t, "messages") {
				now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, DefaultLease, Finality}).Draw(t, "passes"))
				id := rapid.IntRange(1, 6).Draw(t, "user")
				name := rapid.SampledFrom([]string{"Ann", "bob", "Zoe"}).Draw(t, "name") // a host renames people
				user := User{ID: UserID(fmt.Sprint(id)), Name: name}
				session := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "session")
				section := rapid.SampledFrom([]Section{"", "a", "b"})
				u := Update{Session: session, Section: section.Draw(t, "section"), Unsaved: rapid.Bool().Draw(t, "unsaved"), WaitingFor: section.Draw(t, "waits for")}
				if saved := section.Draw(t, "saved"); saved != "" {
					u.Saved = Saved{saved, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "revision")}
				}
				if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
					r.Leave(now, user, Leave{Session: session})
				} else if _, _, err := r.Update(now, user, u); err != nil {
					t.Fatal(err)
				}
			}
			next := r.Snapshot(now)
			d := next.Since(base)
			if d.Base != base.Version || d.Version != next.Version {
				t.Fatalf("the delta is from %d to %d; want from %d to %d", d.Base, d.Version, base.Version, next.Version)
			}
			applied := &Snapshot{Version: next.Version, Occupants: apply(base.Occupants, d), Saves: applySaves(base.Saves, d)}
			if got, want := all(applied), all(next); !slices.Equal(got, want) {
				t.Fatalf("applied to %q the delta gives %q; want %q", all(base), got, want)
			}
			if n := len(d.Changed) + len(d.Left) + len(d.Saves) + len(d.SavesGone); base.Version == next.Version && n > 0 {
				t.Fatalf("nothing visible changed, and the delta has %d differences: %+v", n, d)
			}
			base = next
		}
	})
}

func TestDeltaHasVisibleChangesOnly(t *testing.T) { // case 30
	r := newTestRoster(t)
	r.update(alice, Update{Section: "a"})
	r.update(bob, Update{Section: "a"})
	before := r.Snapshot(r.now)
	r.advance(30 * time.Second)
	r.update(alice, Update{Section: "a"}) // a renewal
	r.update(carol, Update{Section: "b"})
	r.leave(bob, Leave{})
	d := r.Snapshot(r.now).Since(before)
	if names(d.Changed) != "Carol" || !slices.Equal(d.At, []int{1}) || !slices.Equal(d.Left, []UserID{bob.ID}) {
		t.Errorf("changed %s at %v, left %v; want Carol at 1, Bob's id", names(d.Changed), d.At, d.Left)
	}
}
