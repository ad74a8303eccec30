package admin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const rulesDir = "../../deploy/prometheus/"

// readRules returns the rules for Prometheus without their comments.
func readRules(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(rulesDir + name)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)(^| )#.*$`).ReplaceAllString(string(text), "")
}

var (
	usedMetric = regexp.MustCompile(`(?:^|[^a-z_:])((?:writer_presence|process|go)_[a-z_]+)`)
	usedLabel  = regexp.MustCompile(`\b(code|operation)(?:=|!=|=~|!~)"([^"]*)"`)
	alertName  = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
)

func TestRulesReadMetricsThatExistAndRecordedOnes(t *testing.T) {
	f := newFixture(t, true)
	f.use("p", "alice", "s")
	metrics, rules := f.metrics(), readRules(t, "rules.yml")
	for _, file := range []string{rules, readRules(t, "rules.test.yml")} {
		used := usedMetric.FindAllStringSubmatch(file, -1)
		if len(used) < 10 {
			t.Fatalf("found only %d metrics", len(used))
		}
		for _, m := range used {
			if _, ok := metrics[m[1]]; !ok {
				t.Errorf("%s does not exist", m[1])
			}
		}
		for _, m := range usedLabel.FindAllStringSubmatch(file, -1) {
			for value := range strings.SplitSeq(m[2], "|") {
				family := map[string]string{"code": "writer_presence_failures_total", "operation": "writer_presence_request_duration_seconds"}[m[1]]
				if _, ok := metrics[family+" "+value]; !ok {
					t.Errorf("%s never has the %s %s", family, m[1], value)
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`\b\w+:\w+:\w+`).FindAllString(rules, -1) {
		if !strings.Contains(rules, "- record: "+m+"\n") && !strings.Contains(rules, "- record: "+m+" ") {
			t.Errorf("no rule records %s", m)
		}
	}
}

func TestEachAlertIsTestedAndExplained(t *testing.T) {
	guide, err := os.ReadFile("../../docs/how-to/monitor.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := readRules(t, "rules.test.yml")
	var names []string
	for _, m := range alertName.FindAllStringSubmatch(readRules(t, "rules.yml"), -1) {
		names = append(names, m[1])
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n +exp_alerts:\n +- exp_labels`).MatchString(tests) {
			t.Errorf("no test lets %s fire", m[1])
		}
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(WriterPresence\\w+)` \\|").FindAllSubmatch(guide, -1) {
		explained = append(explained, string(m[1]))
	}
	if len(names) == 0 || !slices.Equal(names, explained) {
		t.Errorf("docs/how-to/monitor.md explains %q; want the alerts of rules.yml, %q", explained, names)
	}
}

func TestPromtoolAcceptsTheRulesAndTheirTestsPass(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil { // scripts/prepare puts it there
		if promtool, err = filepath.Abs("../../.build/promtool"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(promtool); err != nil {
			t.Skip("promtool is missing; run make prepare, or install Prometheus")
		}
	}
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules.test.yml"}} {
		c := exec.CommandContext(t.Context(), promtool, args...)
		c.Dir = rulesDir
		if text, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
}
