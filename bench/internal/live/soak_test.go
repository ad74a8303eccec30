package live

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// The series are those of the two thirds of a soak that count.
func TestSoakFailsAtGrowthAndNotAtNoise(t *testing.T) {
	for name, c := range map[string]struct {
		value func(i int) resources
		want  []string
	}{
		"flat, with noise": {func(i int) resources {
			noise := float64(i * 7 % 5)
			return resources{84 + noise/4, 130 + 3*noise, 1280 + 2*noise, 1017 + noise/2}
		}, nil},
		"a peak at the end": {func(i int) resources {
			peak := float64(i / 17 * 50)
			return resources{84 + peak, 130 + peak, 1280 + peak, 1017 + peak}
		}, nil},
		"a value that goes down": {func(i int) resources {
			return resources{84 - float64(i), 130 - float64(i), 1280 - float64(i), 1017 - float64(i)}
		}, nil},
		"a goroutine for each reconnect, which keeps its stack": {func(i int) resources {
			leaked := float64(i) * 200
			return resources{84, 130 + leaked*4/1024, 1280 + leaked, 1017}
		}, []string{"RSS", "goroutines"}},
		"50 bytes for each change": {func(i int) resources {
			return resources{84 + float64(i)*20*100*60/(1<<20), 130, 1280, 1017}
		}, []string{"heap"}},
		"a descriptor for each new project": {func(i int) resources {
			return resources{84, 130, 1280, 1017 + float64(i)*2}
		}, []string{"descriptors"}},
	} {
		var series []resources
		for i := range soakSamples * 2 / 3 {
			series = append(series, c.value(i))
		}
		err := harness.Growth(series).exceeds(permittedGrowth(100))
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v; want errors about %q", name, err, c.want)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want an error about %s", name, err, want)
			}
		}
	}
}
