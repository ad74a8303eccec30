package compare

import (
	"errors"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

type fakePeer struct {
	is      string
	missing error
}

func (p fakePeer) name() string                      { return p.is }
func (p fakePeer) find(*harness.Run) (string, error) { return "1.2.3", p.missing }
func (p fakePeer) differs() (does, doesNot string)   { return "counts", "nothing else" }
func (p fakePeer) measure(_ *harness.Run, _ Sizes, t *harness.Table) {
	type figures struct {
		CPU float64 `row:"µs CPU"`
	}
	harness.ComparePeer(t, p.is+": ", []figures{{2}, {2}, {20}}, []figures{{5}, {50}, {5}}, []figures{{1}, {1}, {1}})
}

func TestAMissingPeerIsSkippedAndTheOthersAreMeasured(t *testing.T) {
	var out strings.Builder
	err := harness.Env{Out: &out}.Run(func(r *harness.Run) {
		Quick.run(r, []peer{fakePeer{"Absent", errors.New("it is not installed; install it")}, fakePeer{"Present", nil}})
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"Skipped Absent: it is not installed; install it.", "Present: 1.2.3.", "| Present: µs CPU | 2.00 | 5.00 | 1.00 | 2.50 | 2.00 |", "| Present | counts | nothing else |"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(text, "| Absent") {
		t.Errorf("a missing peer is in a table:\n%s", out.String())
	}
}

func TestPeersAreChosenByName(t *testing.T) {
	if _, err := Scenario(Quick, []string{"django", "Centrifugo"}); err != nil {
		t.Error(err)
	}
	if _, err := Scenario(Quick, []string{"nobody"}); err == nil || !strings.Contains(err.Error(), "centrifugo and django") {
		t.Errorf("an unknown peer: %v; want the names of those that there are", err)
	}
}
