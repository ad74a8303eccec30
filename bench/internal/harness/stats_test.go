package harness

import (
	"math"
	"testing"
	"time"
)

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

func TestGrowthOfASeriesIgnoresOutliers(t *testing.T) {
	type figures struct{ Rising, Flat float64 }
	var series []figures
	for i := range 11 {
		series = append(series, figures{100 + 3*float64(i), 7})
	}
	series[4], series[10].Flat = figures{1000, 0}, 1000
	if got, want := Growth(series), (figures{30, 0}); got != want {
		t.Errorf("the series grow by %v; want %v", got, want)
	}
}

func TestTenfoldGrowthIsThatOfThePowerLaw(t *testing.T) {
	for name, c := range map[string]struct {
		sizes, costs []float64
		want         float64
	}{
		"what does not grow":                       {[]float64{10, 100, 10_000}, []float64{7, 7, 7}, 1},
		"in proportion, at uneven sizes":           {[]float64{1, 2, 5, 20}, []float64{3, 6, 15, 60}, 10},
		"with the root, without what is not known": {[]float64{0, 1, 100, 1000}, []float64{5, 2, 20, 0}, math.Sqrt(10)},
		"least squares where the points deviate":   {[]float64{1, 10, 100, 1000}, []float64{1, 100, 10, 1000}, math.Pow(10, 0.8)},
	} {
		if got := Tenfold(c.sizes, c.costs); !(math.Abs(got-c.want) < 1e-9) { // also NaN
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if got := Tenfold([]float64{10}, []float64{7}); !math.IsNaN(got) {
		t.Errorf("one size: got %v, want NaN", got)
	}
}

func TestQuantilesOfDurations(t *testing.T) {
	var d Durations
	if got := d.Quantile(0.5); got != 0 {
		t.Errorf("the median of no durations is %v; want 0", got)
	}
	for ms := range 100 {
		d.Add(time.Duration(99-ms) * time.Millisecond)
	}
	d.Add(time.Minute)
	if p50, most := d.Quantile(0.5), d.Quantile(0.999); p50 != 50 || most != 60_000 {
		t.Errorf("p50 is %v ms and the maximum %v ms; want 50 and 60000", p50, most)
	}
}
