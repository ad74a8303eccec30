package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/live"
)

func TestMain(m *testing.M) {
	if served, err := serveYardstick(os.Args[1:]); served { // scenarios start this program
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Each scenario checks what it measures: answers, versions, lists and lost connections.
func TestEveryScenarioRuns(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("there is no taskset")
	}
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("the kernel does not count the CPU time of threads to the nanosecond")
	}
	if err := runScenarios(append(scenarios(true), live.Soak(300*time.Millisecond, 10)), t.Output()); err != nil {
		t.Fatal(err)
	}
}

func TestScenariosWithoutRedisAreSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	env := harness.Env{Dir: t.TempDir(), Out: &out}
	for _, s := range scenarios(true) {
		if !strings.HasPrefix(s.Name, "redis") {
			continue
		}
		out.Reset()
		if err := env.Run(s.Run); err != nil || !strings.HasPrefix(out.String(), "Skipped") {
			t.Errorf("%s: %v, and printed %q", s.Name, err, out.String())
		}
	}
}

func TestUnknownScenarioOrShortFormIsAnError(t *testing.T) {
	for _, words := range []string{"no such scenario", "compare nobody", "soak", "profile"} { // the last two have no short form
		if _, err := choose(strings.Fields(words), true, 0, 0); err == nil {
			t.Errorf("%q: no error", words)
		}
	}
}
