package harness

import (
	"math"
	"reflect"
	"slices"
	"time"
)

// InTurns calls all measures in turns, for a number of rounds after one to warm up, and
// returns the results of each.
func InTurns[F any](rounds int, measures ...func() F) [][]F {
	results := make([][]F, len(measures))
	for round := range rounds + 1 {
		for i, measure := range measures {
			if f := measure(); round > 0 {
				results[i] = append(results[i], f)
			}
		}
	}
	return results
}

// Medians returns the median of each field over all rounds. All fields of F are float64.
func Medians[F any](rounds []F) F {
	return fieldMedians[F](len(rounds), func(round, field int) float64 { return fieldOf(rounds[round], field) })
}

// MedianRatios returns for each field the median of a/b over pairs of rounds. Pairs are
// compared because the speed of a machine drifts within a run.
func MedianRatios[F any](a, b []F) F {
	return fieldMedians[F](len(a), func(round, field int) float64 { return fieldOf(a[round], field) / fieldOf(b[round], field) })
}

// Growth returns for each field by how much a series that was measured at even intervals grows from its beginning to
// its end: the median of the slopes between all pairs of values (Theil and Sen), which outliers hardly change, times
// its length.
func Growth[F any](series []F) (growth F) {
	var slopes []F
	for i := range series {
		for j := range i {
			slope := *new(F)
			for field := range reflect.TypeFor[F]().NumField() {
				value := (fieldOf(series[i], field) - fieldOf(series[j], field)) / float64(i-j)
				reflect.ValueOf(&slope).Elem().Field(field).SetFloat(value * float64(len(series)-1))
			}
			slopes = append(slopes, slope)
		}
	}
	return Medians(slopes)
}

// Tenfold returns by what a cost is multiplied where its size is ten times as large: that of the straight line through
// the logarithms of both with the least squares. It leaves out sizes and costs of 0, and is NaN with fewer than two
// sizes.
func Tenfold(sizes, costs []float64) float64 {
	var n, x, y, xx, xy float64
	for i := range sizes {
		if sizes[i] > 0 && costs[i] > 0 {
			size, cost := math.Log10(sizes[i]), math.Log10(costs[i])
			n, x, y, xx, xy = n+1, x+size, y+cost, xx+size*size, xy+size*cost
		}
	}
	return math.Pow(10, (n*xy-x*y)/(n*xx-x*x))
}

func fieldOf(f any, field int) float64 { return reflect.ValueOf(f).Field(field).Float() }

func fieldMedians[F any](rounds int, value func(round, field int) float64) (m F) {
	fields := reflect.ValueOf(&m).Elem()
	for field := range fields.NumField() {
		values := make([]float64, rounds)
		for round := range values {
			values[round] = value(round, field)
		}
		slices.Sort(values)
		fields.Field(field).SetFloat(values[len(values)/2])
	}
	return m
}

// Durations are measured times.
type Durations []time.Duration

func (d *Durations) Add(one time.Duration) { *d = append(*d, one) }

// Quantile returns the duration, in ms, that a share q of all durations does not exceed, 0 if there are none.
func (d Durations) Quantile(q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return 1000 * sorted[min(int(q*float64(len(d))), len(d)-1)].Seconds()
}
