package live

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("rapid.checks", "30") // each starts connections; the root package checks more histories
	goleak.VerifyTestMain(m)
}
