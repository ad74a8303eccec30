package harness

import (
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

// Fit returns the line through points by least squares.
func Fit(xs, ys []float64) (intercept, slope float64) {
	var x, y, xx, xy float64
	n := float64(len(xs))
	for i := range xs {
		x, y, xx, xy = x+xs[i], y+ys[i], xx+xs[i]*xs[i], xy+xs[i]*ys[i]
	}
	slope = (n*xy - x*y) / (n*xx - x*x)
	return (y - slope*x) / n, slope
}

// Histogram counts durations in steps of 10 µs; those of 10 s and more are counted as 10 s.
type Histogram []uint32

const (
	histogramStep = 10 * time.Microsecond
	histogramMax  = 10 * time.Second
)

func NewHistogram() Histogram { return make(Histogram, histogramMax/histogramStep) }

func (h Histogram) Add(d time.Duration) { h[min(int(d/histogramStep), len(h)-1)]++ }

// Quantile returns the duration, in ms, that a share q of all durations does not exceed.
func (h Histogram) Quantile(q float64) float64 {
	total := 0
	for _, n := range h {
		total += int(n)
	}
	rest := float64(total) * q
	for i, n := range h {
		if rest -= float64(n); rest < 0 {
			return (time.Duration(i+1) * histogramStep).Seconds() * 1000
		}
	}
	return 0
}
