package harness

import (
	"math"
	"testing"
	"time"
)

func TestFitFindsTheLineThroughPoints(t *testing.T) {
	intercept, slope := Fit([]float64{1, 2, 5}, []float64{7, 9, 15})
	if math.Abs(intercept-5) > 1e-9 || math.Abs(slope-2) > 1e-9 {
		t.Errorf("%v + %v x; 5 + 2x goes through all points", intercept, slope)
	}
}

func TestMediansAreTakenFieldByField(t *testing.T) {
	type figures struct{ CPU, Rate float64 }
	a := []figures{{1, 30}, {3, 10}, {2, 20}}
	b := []figures{{1, 10}, {1, 10}, {1, 10}}
	if got, want := Medians(a), (figures{2, 20}); got != want {
		t.Errorf("medians are %v; want %v", got, want)
	}
	if got, want := MedianRatios(a, b), (figures{2, 2}); got != want {
		t.Errorf("median ratios are %v; want %v", got, want)
	}
}

func TestHistogramQuantiles(t *testing.T) {
	h := NewHistogram()
	for ms := range 100 {
		h.Add(time.Duration(ms) * time.Millisecond)
	}
	h.Add(time.Minute)
	if p50, max := h.Quantile(0.5), h.Quantile(0.999); math.Abs(p50-50.01) > 1e-9 || math.Abs(max-10_000) > 1e-9 {
		t.Errorf("p50 is %v ms and the maximum %v ms; want 50.01 and 10000", p50, max)
	}
}
