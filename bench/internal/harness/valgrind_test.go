package harness

import (
	"strings"
	"testing"
)

const log = `==10455== Cachegrind, a cache and branch-prediction profiler
==10455== Command: writer-presence serve
--10455-- warning: L3 cache found, using its data for the LL simulation.
==10455== 
==10455== I   refs:      1,174,080,689
`

func TestInstructionsAreReadFromTheLogOfValgrind(t *testing.T) {
	if got, err := parseInstructions(log); got != 1_174_080_689 || err != nil {
		t.Errorf("%v, %v; want 1174080689", got, err)
	}
	killed, _, _ := strings.Cut(log, "==10455== I")
	if got, err := parseInstructions(killed); err == nil || !strings.Contains(err.Error(), "L3 cache found") {
		t.Errorf("the log of a server that was killed: %v, %v; want an error with the log", got, err)
	}
}

func TestStartAndEndOfAServerAreNotCounted(t *testing.T) {
	const start, event = 170e6, 60e3
	if got := perEvent(start+1000*event, start+3000*event, 1000); got != event {
		t.Errorf("an event takes %v instructions; want %v", got, event)
	}
}

func TestMissingValgrindIsAnErrorThatSaysWhatInstallsIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Env{}.Run(func(r *Run) { r.CountInstructions(1, nil) })
	if err == nil || !strings.Contains(err.Error(), "scripts/prepare bench") {
		t.Errorf("%v; want an error that says how to install valgrind", err)
	}
}
