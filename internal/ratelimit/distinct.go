package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxPairs is how many pairs of a caller and a thing one generation of a [Distinct] holds, at
// about 20 bytes each. There are two generations.
const maxPairs = 250_000

// Distinct limits how many different things each caller uses within a time. It is safe for concurrent
// use. A nil Distinct limits nothing.
type Distinct struct {
	most int
	age  time.Duration
	seed maphash.Seed

	mu         sync.Mutex
	young, old generation
	rotated    time.Time // when young began
}

// generation is what was used within one age.
type generation struct {
	pairs map[uint64]struct{} // hashes of a caller and a thing
	count map[uint64]int      // pairs of each caller, by the hash of the caller
}

func newGeneration() generation {
	return generation{map[uint64]struct{}{}, map[uint64]int{}}
}

// NewDistinct makes a limiter that allows each caller so many different things. A thing counts
// for at least age after its last use, and for at most twice as long. If more than 250,000 pairs
// of a caller and a thing are used within age, the oldest are forgotten earlier. A limit of zero or
// less gives nil.
func NewDistinct(most int, age time.Duration) *Distinct {
	if most <= 0 {
		return nil
	}
	return &Distinct{most: most, age: age, seed: maphash.MakeSeed(), young: newGeneration(), old: newGeneration(), rotated: time.Now()}
}

// With returns the limiter itself if it has this limit and age, so that it goes on counting, and otherwise a new one; see
// [NewDistinct].
func (d *Distinct) With(most int, age time.Duration) *Distinct {
	if d != nil && d.most == most && d.age == age {
		return d
	}
	return NewDistinct(most, age)
}

// Use records that a caller uses a thing. If the thing is new and the caller has used as many as
// the limit allows, Use records nothing and returns a [Exceeded] that wraps err.
func (d *Distinct) Use(caller, thing string, err error) error {
	if d == nil {
		return nil
	}
	who := maphash.String(d.seed, caller)
	pair := who*31 ^ maphash.String(d.seed, thing)
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rotate(now)
	if _, ok := d.young.pairs[pair]; ok {
		return nil
	}
	_, isOld := d.old.pairs[pair]
	if !isOld && d.young.count[who]+d.old.count[who] >= d.most {
		after := d.rotated.Add(d.age).Sub(now)
		if d.old.count[who] == 0 { // all are young, and count until the rotation after the next
			after += d.age
		}
		return &Exceeded{Err: err, After: after}
	}
	if isOld {
		delete(d.old.pairs, pair)
		d.old.count[who]--
	}
	d.young.pairs[pair] = struct{}{}
	d.young.count[who]++
	return nil
}

// rotate begins a new generation if the young one is over or full.
func (d *Distinct) rotate(now time.Time) {
	switch age := now.Sub(d.rotated); {
	case age >= 2*d.age:
		d.young, d.old, d.rotated = newGeneration(), newGeneration(), now
	case age >= d.age: // from when it was over, or things would count for three times age
		d.young, d.old, d.rotated = newGeneration(), d.young, d.rotated.Add(d.age)
	case len(d.young.pairs) >= maxPairs:
		d.young, d.old, d.rotated = newGeneration(), d.young, now
	}
}
