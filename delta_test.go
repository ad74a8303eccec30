package presence

import (
	"fmt"
	"slices"
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

// After random messages, an older snapshot with the delta since then must equal the newest snapshot.
func TestSnapshotEqualsOlderSnapshotWithDelta(t *testing.T) { // invariant 8
	rapid.Check(t, func(t *rapid.T) {
		r, now := NewRoster(DefaultLease, 0), start
		base := r.Snapshot(now)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 5).Draw(t, "messages") {
				now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, DefaultLease}).Draw(t, "passes"))
				id := rapid.IntRange(1, 6).Draw(t, "user")
				name := rapid.SampledFrom([]string{"Ann", "bob", "Zoe"}).Draw(t, "name") // a host renames people
				user := User{ID: UserID(fmt.Sprint(id)), Name: name}
				session := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "session")
				if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
					r.Leave(now, user, Leave{Session: session})
				} else if _, _, err := r.Update(now, user, Update{Session: session, Section: rapid.SampledFrom([]Section{"", "a", "b"}).Draw(t, "section")}); err != nil {
					t.Fatal(err)
				}
			}
			next := r.Snapshot(now)
			d := next.Since(base)
			if d.Base != base.Version || d.Version != next.Version {
				t.Fatalf("the delta is from %d to %d; want from %d to %d", d.Base, d.Version, base.Version, next.Version)
			}
			applied := &Snapshot{Version: next.Version, Occupants: apply(base.Occupants, d)}
			if got, want := shown(applied), shown(next); !slices.Equal(got, want) {
				t.Fatalf("applied to %q the delta gives %q; want %q", shown(base), got, want)
			}
			if base.Version == next.Version && len(d.Changed)+len(d.Left) > 0 {
				t.Fatalf("nothing visible changed, and the delta has %d changed and %d left", len(d.Changed), len(d.Left))
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
