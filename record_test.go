package presence

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestRule9RestoredSessionHasNoConnection(t *testing.T) { // rule 9
	r := newTestRoster(t)
	r.update(alice, Update{Session: "x", Section: "a", Connection: 1})
	restarted := NewRoster(DefaultLease, r.Clock())
	for _, record := range r.Records() {
		restarted.Restore(r.now, record)
	}
	restarted.Leave(r.now, alice, Leave{Session: "x", Connection: 1, Broken: true})
	if n := restarted.Snapshot(r.now.Add(DefaultLease)).Count; n != 1 {
		t.Errorf("%d users are listed; want 1: a connection from before the restart must not end a session", n)
	}
}

func TestRecordsAreReturnedOncePerChange(t *testing.T) {
	r := newTestRoster(t)
	written := func(want ...string) {
		t.Helper()
		var seen []string
		for _, record := range r.Records() {
			seen = append(seen, fmt.Sprintf("%s %v", record.Session, record.Active))
		}
		slices.Sort(seen)
		if !slices.Equal(seen, want) {
			t.Errorf("unwritten records are %q; want %q", seen, want)
		}
	}
	r.update(alice, Update{Session: "x", Seq: 1, Section: "a"})
	if records := r.RecordsOf(alice.ID); len(records) != 1 || records[0].Section != "a" || r.RecordsOf(bob.ID) != nil {
		t.Errorf("the records of Alice are %+v; want one in section a, and none of Bob", records)
	}
	written() // they were returned above
	r.update(alice, Update{Session: "x", Seq: 2, Section: "a"})
	written("x true")
	written()
	r.leave(alice, Leave{Session: "x", Seq: 3, Hidden: true})
	written("x false")
	r.update(alice, Update{Session: "y", Seq: 1, Section: "a"}) // which ends x
	written("x false", "y true")
	r.advance(DefaultLease + time.Second)
	r.Expire(r.now)
	written("y false")
	written()
}
