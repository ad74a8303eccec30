package harness

import (
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
