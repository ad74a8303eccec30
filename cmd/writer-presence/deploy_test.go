package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

const (
	deploy = "../../deploy/"
	chart  = "helm/writer-presence/" // below deploy
)

// systemd ignores lines that it does not understand, and with them the protection that they ask for.
func TestSystemdAcceptsEveryLineOfTheUnits(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"unchanged": func(u []byte) []byte { return u },
		"with all optional lines": func(u []byte) []byte {
			return regexp.MustCompile(`(?m)^#([A-Z]\w+=)`).ReplaceAll(u, []byte("$1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			units := map[string][]byte{}
			for _, unit := range []string{"writer-presence.service", "writer-presence.socket"} {
				units[unit] = bytes.ReplaceAll(change(readFile(t, deploy+unit)), []byte("/usr/local/bin/writer-presence"), []byte(program))
			}
			verifyUnits(t, units)
		})
	}
}

// verifyUnits reports what systemd does not understand in units, by their names, of a program that exists.
func verifyUnits(t *testing.T, units map[string][]byte) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("the units are not checked: systemd-analyze is missing; install systemd")
		return
	}
	args, dir := []string{"verify", "--man=no"}, t.TempDir()
	for name, unit := range units {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, unit, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if text, err := exec.Command("systemd-analyze", args...).CombinedOutput(); err != nil || len(text) > 0 {
		t.Errorf("%v: %s", err, text)
	}
}

// A server that is killed during its drain loses requests and the last commit. The drain takes 10 s at most; as much
// again is for a slow disk.
func TestServiceManagersWaitForTheDrain(t *testing.T) {
	for file, line := range map[string]string{
		"writer-presence.service":           `(?m)^TimeoutStopSec=(\d+)$`,
		"compose.yaml":                      `(?m)^ +stop_grace_period: (\d+)s$`,
		chart + "templates/deployment.yaml": `(?m)^ +terminationGracePeriodSeconds: (\d+)$`,
	} {
		found := regexp.MustCompile(line).FindSubmatch(readFile(t, deploy+file))
		if found == nil {
			t.Errorf("%s has no stop timeout", file)
			continue
		}
		if wait, err := time.ParseDuration(string(found[1]) + "s"); err != nil || wait < 20*time.Second {
			t.Errorf("%s waits for %v; want 20s at least", file, wait)
		}
	}
}

// Helm itself checks the chart in `make lint`; it knows neither the program's flags nor its metrics.
func TestHelmChartNamesWhatTheProgramHas(t *testing.T) {
	file := func(name string) string { return string(readFile(t, deploy+chart+name)) }
	all := func(pattern, text string) (names []string) {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, found[1])
		}
		if len(names) == 0 {
			t.Errorf("nothing in the chart matches %s", pattern)
		}
		return names
	}

	if got := all(`(?m)^appVersion: (.*)$`, file("Chart.yaml")); !slices.Equal(got, []string{release}) {
		t.Errorf("appVersion is %q; want %s", got, release)
	}

	serve, _, err := newCommand(nil, io.Discard, io.Discard).Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	serve.Flags().VisitAll(func(f *pflag.Flag) { variables = append(variables, variable(f)) })
	templates := file("templates/deployment.yaml")
	for _, name := range all(`name: (WRITER_PRESENCE_[A-Z_]+)[,\n]`, templates) {
		if !slices.Contains(variables, name) {
			t.Errorf("the deployment sets %s, which no flag of serve reads", name)
		}
	}
	for _, flag := range all(`"([a-z]+(?:-[a-z]+)*)"`, all(`"settings": \{[^}]*"not": \{"enum": \[(.*)\]`, file("values.schema.json"))[0]) {
		if name := envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")); !strings.Contains(templates, name) {
			t.Errorf("the schema forbids the setting %s, but the deployment does not set %s itself", flag, name)
		}
	}

	metrics := string(readFile(t, "../../docs/reference/metrics.md"))
	for _, name := range all(`writer_presence_([a-z_]+)\{`, file("templates/prometheusrule.yaml")) {
		if !strings.Contains(metrics, "`"+name+"`") {
			t.Errorf("an alert uses the metric writer_presence_%s, which docs/reference/metrics.md does not list", name)
		}
	}

	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal([]byte(file("values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range all(`(?m)^([a-zA-Z]+):`, file("values.yaml")) {
		if schema.Properties[name] == nil {
			t.Errorf("values.schema.json does not have the value %s", name)
		}
	}
}
