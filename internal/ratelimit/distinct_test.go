package ratelimit

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestDistinctLimitsDifferentThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDistinct(3, time.Minute)
		for range 2 { // a thing that is used again is not new
			for i := range 3 {
				if err := d.Use("alice", fmt.Sprint(i), errBusy); err != nil {
					t.Fatalf("thing %d of 3: got %v, want nil", i, err)
				}
			}
		}
		var exceeded *Exceeded
		if err := d.Use("alice", "3", errBusy); !errors.Is(err, errBusy) || !errors.As(err, &exceeded) || exceeded.After != 2*time.Minute {
			t.Fatalf("fourth thing: got %v, %+v, want errBusy after 2 min", err, exceeded)
		}
		if err := d.Use("bob", "3", errBusy); err != nil {
			t.Errorf("bob's first thing: got %v, want nil", err)
		}
		time.Sleep(90 * time.Second)
		if err := d.Use("alice", "0", errBusy); err != nil { // still in use, unlike the others
			t.Error(err)
		}
		if err := d.Use("alice", "3", errBusy); !errors.As(err, &exceeded) {
			t.Fatalf("fourth thing after 90 s: got %v, want an Exceeded", err)
		}
		time.Sleep(exceeded.After)
		for _, thing := range []string{"0", "3", "4"} {
			if err := d.Use("alice", thing, errBusy); err != nil {
				t.Errorf("thing %s at After: got %v, want nil", thing, err)
			}
		}
		if d.Use("alice", "5", errBusy) == nil {
			t.Error("fourth thing: got nil, want an error, since the first is still in use")
		}
	})
}

func TestDistinctCountsAThingForOneToTwoAges(t *testing.T) {
	for idle := time.Duration(0); idle < 2*time.Minute; idle += 19 * time.Second {
		for gap := time.Duration(0); gap < 2*time.Minute; gap += 7 * time.Second {
			synctest.Test(t, func(t *testing.T) {
				d := NewDistinct(1, time.Minute)
				time.Sleep(idle)
				d.Use("alice", "0", errBusy)
				time.Sleep(gap)
				if d.Use("alice", "1", errBusy) == nil {
					if gap < time.Minute {
						t.Errorf("used %v after the start, the first thing no longer counts %v later", idle, gap)
					}
					return
				}
				time.Sleep(2*time.Minute - gap)
				if d.Use("alice", "1", errBusy) != nil {
					t.Errorf("used %v after the start and probed after %v, the first thing still counts after two minutes", idle, gap)
				}
			})
		}
	}
}

func TestDistinctWithoutLimitLimitsNothing(t *testing.T) {
	for name, d := range map[string]*Distinct{"nil": nil, "0": NewDistinct(0, time.Minute), "-1": NewDistinct(-1, time.Minute)} {
		for i := range 1000 {
			if err := d.Use("alice", fmt.Sprint(i), errBusy); err != nil {
				t.Fatalf("%s: got %v, want nil", name, err)
			}
		}
	}
}

func TestDistinctMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDistinct(2, time.Minute)
		for i := range 1_000_000 {
			d.Use(fmt.Sprint(i%700_000), fmt.Sprint(i), errBusy)
			if n := len(d.young.pairs) + len(d.old.pairs); n > 2*maxPairs {
				t.Fatalf("got %d pairs, want %d at most", n, 2*maxPairs)
			}
		}
		time.Sleep(2 * time.Minute)
		d.Use("alice", "0", errBusy)
		if n := len(d.young.count) + len(d.old.count); n != 1 {
			t.Errorf("after two minutes: got %d callers, want 1", n)
		}
	})
}
