// Package entering tests rule 5: of the users who enter a section at once, the replies must be linearizable.
package entering

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
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

// Run lets writers enter and leave one section concurrently. It fails the test unless the replies are
// linearizable, that is, unless there is an order in which all of them follow rule 5. take sends the
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
			in := Entry{Who: who, Seq: uint64(step + 1), Leave: random.IntN(3) == 0, Careful: random.IntN(2) == 0}
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
	if !porcupine.CheckOperations(rule5, history) {
		t.Errorf("the %d replies are not linearizable", len(history))
	}
}
