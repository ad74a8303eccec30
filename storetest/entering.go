package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	presence "github.com/writer-presence/writer-presence"
)

// Entry is one step of a writer: to enter a section in order to edit it, or to leave it.
type Entry struct {
	Who     int    // the writer, from 0
	Seq     uint64 // from 1 for each writer
	Leave   bool
	Careful bool // enter with UnlessOccupied
}

// Outcome is what the reply to an Entry said.
type Outcome struct {
	Edits     bool
	Conflicts uint // a bit for each writer
}

// rule5 is the sequential model of a section for porcupine. Its state has a bit for each writer who
// edits.
var rule5 = porcupine.Model{
	Init: func() any { return uint(0) },
	Step: func(state, input, output any) (bool, any) {
		editing, in, out := state.(uint), input.(Entry), output.(Outcome)
		self := uint(1) << in.Who
		others := editing &^ self
		if in.Leave {
			return true, others
		}
		edits := !in.Careful || others == 0 || editing&self != 0
		if out.Conflicts != others || out.Edits != edits {
			return false, state
		}
		if edits {
			return true, others | self
		}
		return true, others
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// Enter lets writers enter and leave one section concurrently. It fails the test unless the replies are
// linearizable, that is, unless there is an order in which all of them follow rule 5. Take sends the
// Entry of a writer and returns what the reply said; it is called concurrently.
func Enter(t *testing.T, writers, steps int, take func(Entry, *rand.Rand) Outcome) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	concurrently(writers, func(who int) {
		random := rand.New(rand.NewPCG(seed, uint64(who)))
		for step := range steps {
			in := Entry{Who: who, Seq: uint64(step + 1), Leave: random.IntN(3) == 0, Careful: random.IntN(2) == 0}
			called := time.Since(began)
			out := take(in, random)
			returned := time.Since(began)
			mu.Lock()
			history = append(history, porcupine.Operation{ClientId: who, Input: in, Output: out, Call: int64(called), Return: int64(returned)})
			mu.Unlock()
		}
	})
	if !porcupine.CheckOperations(rule5, history) {
		t.Errorf("the %d replies are not linearizable", len(history))
	}
}

// EnterStores is Enter through several stores on the same data.
func EnterStores(t *testing.T, project presence.Project, stores ...presence.Store) {
	Enter(t, 6, 60, func(in Entry, random *rand.Rand) (out Outcome) {
		u := presence.Update{Session: "tab", Seq: in.Seq, Section: "s", UnlessOccupied: in.Careful}
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
