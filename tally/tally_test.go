package tally

import (
	"testing"
	"time"
)

func TestADurationCountsWithinEveryBoundThatItKeeps(t *testing.T) {
	var d Durations
	for _, took := range []time.Duration{0, 300 * time.Microsecond, 300*time.Microsecond + 1, 5 * time.Second, time.Minute} {
		d.Add(took)
	}
	count, seconds, within := d.Read()
	for bound, due := range map[float64]uint64{0.0001: 1, 0.0003: 2, 0.001: 3, 2: 3, 5: 4} {
		if within[bound] != due {
			t.Errorf("%d of five are within %g s; due: %d", within[bound], bound, due)
		}
	}
	if count != 5 || seconds < 65 || seconds > 65.001 || len(within) != len(Bounds) {
		t.Errorf("%d in all, %g s together, %d bounds; due: 5, 65 and %d", count, seconds, len(within), len(Bounds))
	}
}

func TestToCountLeavesNoGarbage(t *testing.T) {
	var d Durations
	if n := testing.AllocsPerRun(100, func() { d.Add(Now() - Now()) }); n != 0 {
		t.Errorf("to count a duration allocates %v times; due: never", n)
	}
}
