package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	presence "github.com/writer-presence/writer-presence"
)

// Entry is what a writer asks of a section: to edit it, carefully or not, or to leave it.
type Entry struct {
	Who            int
	Seq            uint64 // from 1 for each writer
	Leave, Careful bool
}

// Outcome is what the answer said.
type Outcome struct {
	Edits     bool
	Conflicts uint // a bit for each writer
}

// rule5 is what the section has to look like to somebody who sees one step after the other:
// the state has a bit for each writer who edits.
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

// Enter lets writers enter and leave one section at once, and fails unless there is an order
// in which all answers are right. Take has a writer do something, and gives the answer.
func Enter(t *testing.T, writers, steps int, take func(Entry, *rand.Rand) Outcome) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	atOnce(writers, func(who int) {
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
		t.Errorf("of %d answers there is no order in which all are right", len(history))
	}
}

// EnterStores lets writers enter through several stores on the same data.
func EnterStores(t *testing.T, project presence.Project, stores ...presence.Store) {
	Enter(t, 6, 60, func(in Entry, random *rand.Rand) (out Outcome) {
		u := presence.Update{Session: "tab", Seq: in.Seq, Section: "s", UnlessOccupied: in.Careful}
		if in.Leave { // for no section: the session stays
			u.Section = ""
		}
		reply, err := stores[random.IntN(len(stores))].Update(t.Context(), project, somebody(in.Who), u)
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
