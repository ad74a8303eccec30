package polling

import (
	"strings"
	"testing"
)

func TestEachKindOfRequestHasABudget(t *testing.T) {
	for _, c := range cases {
		if budgets[c.name] == 0 {
			t.Errorf("%q has no budget of instructions", c.name)
		}
	}
	if len(budgets) != len(cases) {
		t.Errorf("there are %d budgets for %d kinds of requests", len(budgets), len(cases))
	}
}

func TestMoreInstructionsThanTheBudgetAreAnError(t *testing.T) {
	if err := exceeds("a request", 1.10, 1.10); err != nil {
		t.Errorf("as many as the budget: %v", err)
	}
	if err := exceeds("a request", 1.11, 1.10); err == nil || !strings.Contains(err.Error(), "a request takes 1.110 times") {
		t.Errorf("more than the budget: %v; want an error with the ratio", err)
	}
}

func TestAnAnswerThatIsNotDurableIsAnError(t *testing.T) {
	const header = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"
	if n, err := responseLength([]byte(header + `{"durable":false}`)); err == nil {
		t.Errorf("a response of length %d; want an error", n)
	}
	if n, err := responseLength([]byte(header + `{"success": true}`)); n != len(header)+17 || err != nil {
		t.Errorf("a response of length %d, %v; want %d", n, err, len(header)+17)
	}
}
