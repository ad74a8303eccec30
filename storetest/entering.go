package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/entering"
)

// EnterStores lets writers enter and leave one section concurrently, through several stores on the same data. It
// fails the test unless the replies are linearizable (rules 5, 6 and 18).
func EnterStores(t *testing.T, project presence.Project, stores ...presence.Store) {
	entering.Run(t, 6, 60, func(in entering.Entry, random *rand.Rand) (out entering.Outcome) {
		u := presence.Update{Session: "tab", Seq: in.Seq, Section: "s", Activity: presence.Activity(in.Activity()), Unsaved: in.Unsaved, UnlessOccupied: in.Careful}
		if in.Leave { // the section; the session stays
			u.Section = ""
		}
		reply, err := stores[random.IntN(len(stores))].Update(t.Context(), project, writer(in.Who), u)
		if err != nil {
			t.Errorf("writer %d: %v", in.Who, err)
			return out
		}
		out.Edits = reply.Activity == presence.Editing
		for _, o := range reply.Conflicts {
			var who int
			_, _ = fmt.Sscan(string(o.User.ID), &who)
			out.Conflicts |= 1 << who
		}
		return out
	})
}

func enterAtOnce(t *testing.T, s *Subject) { // rule 5, case 21, invariant 5
	const people = 20
	conflicts := make([]int, people)
	concurrently(people, func(i int) {
		conflicts[i] = len(s.update(goroutine{t}, writer(i), presence.Update{Section: "a"}).Conflicts)
	})
	slices.Sort(conflicts)
	for i, n := range conflicts {
		if n != i {
			t.Fatalf("the replies to %d concurrent entrants have these numbers of conflicts: %v; want 0, 1, 2, …", people, conflicts)
		}
	}
}

func carefulAtOnce(t *testing.T, s *Subject) { // rule 6
	const people = 20
	recorded := make([]presence.Activity, people)
	concurrently(people, func(i int) {
		recorded[i] = s.update(goroutine{t}, writer(i), presence.Update{Section: "a", UnlessOccupied: true}).Activity
	})
	editing := 0
	for _, a := range recorded {
		if a == presence.Editing {
			editing++
		}
	}
	if editing != 1 {
		t.Fatalf("of %d concurrent careful entrants %d edit; want 1", people, editing)
	}
}
