// Package entering tests rules 5, 6 and 18: of the users who enter a section at once, the replies must be
// linearizable.
package entering

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// Entry is one step of a writer: to be in a section, editing or idle, or to leave it.
type Entry struct {
	Who     int    // the writer, from 0
	Seq     uint64 // from 1 for each writer
	Leave   bool
	Careful bool // enter with UnlessOccupied
	Idle    bool // the activity; otherwise editing
	Unsaved bool // with unsaved changes in the section
}

// Activity is the activity that the writer sends.
func (e Entry) Activity() string {
	if e.Idle {
		return "idle"
	}
	return "editing"
}

// JSON is the body of the update of a section, or of none for a Leave.
func (e Entry) JSON(section string, seq uint64) string {
	if e.Leave {
		section = ""
	}
	return fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q, "activity": %q, "unsaved": %v, "unless_occupied": %v}`, seq, section, e.Activity(), e.Unsaved, e.Careful)
}

// Outcome is what the reply to an Entry said.
type Outcome struct {
	Edits     bool
	Conflicts uint // a bit for each writer
}

// section is the sequential model of a section for porcupine. Its state has a bit for each writer who
// claims it: by editing it, or by unsaved changes in it.
var section = porcupine.Model{
	Init: func() any { return uint(0) },
	Step: func(state, input, output any) (bool, any) {
		claims, in, out := state.(uint), input.(Entry), output.(Outcome)
		self := uint(1) << in.Who
		others := claims &^ self
		if in.Leave {
			return true, others
		}
		edits := !in.Idle && (!in.Careful || others == 0 || claims&self != 0)
		if out.Conflicts != others || out.Edits != edits {
			return false, state
		}
		if edits || in.Unsaved {
			return true, others | self
		}
		return true, others
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// Run lets writers enter and leave one section concurrently. It fails the test unless the replies are
// linearizable, that is, unless there is an order in which all of them follow the rules. take sends the
// Entry of a writer and returns what the reply said; it is called concurrently.
func Run(t *testing.T, writers, steps int, take func(Entry, *rand.Rand) Outcome) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var ready, done sync.WaitGroup
	ready.Add(writers)
	write := func(who int) {
		ready.Done()
		ready.Wait()
		random := rand.New(rand.NewPCG(seed, uint64(who)))
		for step := range steps {
			in := Entry{Who: who, Seq: uint64(step + 1), Leave: random.IntN(3) == 0, Careful: random.IntN(2) == 0, Idle: random.IntN(3) == 0, Unsaved: random.IntN(3) == 0}
			called := time.Since(began)
			out := take(in, random)
			returned := time.Since(began)
			mu.Lock()
			history = append(history, porcupine.Operation{ClientId: who, Input: in, Output: out, Call: int64(called), Return: int64(returned)})
			mu.Unlock()
		}
	}
	for who := range writers {
		done.Go(func() { write(who) })
	}
	done.Wait()
	if !porcupine.CheckOperations(section, history) {
		t.Errorf("the %d replies are not linearizable", len(history))
	}
}
