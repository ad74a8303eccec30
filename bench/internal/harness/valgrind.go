package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// WhatIsCounted tells readers of a table what CountInstructions counts.
const WhatIsCounted = "Counted by valgrind are instructions in user space, which do not depend on the processor's speed " +
	"and hardly on other load. What the kernel does for the process, such as sockets and files, is not counted, and nor is " +
	"garbage collection, which is off: one collection more or less would be 4 %."

// CountInstructions runs a part of the scenario twice, with a number of events and with three times as many, and
// returns for each server that the part starts and returns how many instructions an event takes: the difference between
// both runs, so that start and end of the server are not counted. The part returns the servers in the same order each
// time, and must do nothing that depends on time, because they are many times slower than otherwise.
func (r *Run) CountInstructions(events int, part func(r *Run, events int) []*Process) (each []float64) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		r.Check(errors.New("valgrind, which counts instructions, is not installed; scripts/prepare bench installs it"))
	}
	few, many := r.totals(events, part), r.totals(3*events, part)
	for i := range few {
		each = append(each, perEvent(few[i], many[i], events))
	}
	return each
}

// perEvent returns the instructions of an event, of totals for a number of events and for three times as many.
func perEvent(few, many float64, events int) float64 { return (many - few) / float64(2*events) }

// totals runs the part, and returns the instructions of each of its servers from start to end.
func (r *Run) totals(events int, part func(r *Run, events int) []*Process) (totals []float64) {
	var servers []*Process
	r.Sub(func(r *Run) {
		r.counting = true
		servers = part(r, events)
	})
	for _, p := range servers {
		log, err := os.ReadFile(valgrindLog(r.Dir, strconv.Itoa(p.pid)))
		r.Check(err)
		total, err := parseInstructions(string(log))
		r.Check(err)
		totals = append(totals, total)
	}
	return totals
}

// valgrind returns a command prefix that counts the instructions of a program. The result is in its log once the program
// has ended.
func valgrind(dir string) []string {
	return []string{"valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-file=" + valgrindLog(dir, "%p")}
}

func valgrindLog(dir, pid string) string { return filepath.Join(dir, "valgrind."+pid) }

var instructionsLine = regexp.MustCompile(`(?m)^==\d+== I +refs: +([\d,]+)$`)

// parseInstructions returns the total in a log of valgrind.
func parseInstructions(log string) (float64, error) {
	found := instructionsLine.FindStringSubmatch(log)
	if found == nil {
		return 0, fmt.Errorf("valgrind did not count the instructions of a server until its end, but wrote:\n%s", log)
	}
	return strconv.ParseFloat(strings.ReplaceAll(found[1], ",", ""), 64)
}
