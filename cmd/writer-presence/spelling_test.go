package main

import (
	"strings"
	"testing"
)

func TestMisspeltValuesStopTheStart(t *testing.T) {
	for _, c := range []struct{ flag, value, meant string }{
		{"visitors", "of", "off"}, {"visitors", "onn", "on"}, {"visitors", "OFF", "off"}, {"visitors", "On", "on"}, {"visitors", "fof", "off"},
		{"visitors", "no", "off"}, {"visitors", "false", "off"}, {"visitors", "none", "off"}, {"visitors", "true", "on"}, {"visitors", "off ", "off"},
		{"visitors", "1", "on"}, {"visitors", "everyone", "on"}, {"visitors", "0", "off"}, {"visitors", "nobody", "off"},
		{"visitors", "blog,of", "off"}, {"visitors", "on,blog", "on"},
		{"admin-addr", "of", "off"}, {"admin-addr", "OFF", "off"}, {"admin-addr", "none", "off"}, {"admin-addr", "ofd", "off"},
		{"dev", "ture", "true"}, {"dev", "on", "true"}, {"dev", "fals", "false"},
	} {
		for source, try := range map[string]func() (string, error){
			"flag": func() (string, error) {
				return runToEnd(t, nil, "serve", "--addr", "nowhere", "--data", t.TempDir(), "--"+c.flag+"="+c.value)
			},
			"variable": func() (string, error) {
				return runToEnd(t, map[string]string{"WRITER_PRESENCE_" + strings.ToUpper(strings.ReplaceAll(c.flag, "-", "_")): c.value}, "serve", "--addr", "nowhere", "--data", t.TempDir())
			},
		} {
			if _, err := try(); err == nil || !strings.Contains(err.Error(), "did you mean "+c.meant+"?") {
				t.Errorf("--%s=%q by a %s: %v; want: did you mean %s?", c.flag, c.value, source, err, c.meant)
			}
		}
	}
	if _, err := runToEnd(t, nil, "health", "--admin-addr", "of"); err == nil || !strings.Contains(err.Error(), "did you mean off?") {
		t.Errorf("health --admin-addr of: %v; want: did you mean off?", err)
	}
	if _, err := runToEnd(t, nil, "serve", "--visitor", "on"); err == nil || !strings.Contains(err.Error(), "did you mean --visitors?") {
		t.Errorf("--visitor: %v; want: did you mean --visitors?", err)
	}
}

func TestWrongCommandsAndArgumentsAreExplained(t *testing.T) {
	for line, want := range map[string]string{
		"srve":           `there is no command "srve"; the most similar one is serve: writer-presence help lists all`,
		"dance":          `there is no command "dance": writer-presence help lists all`,
		"kick":           "accepts 1 arg(s), received 0; write: writer-presence kick USER",
		"check the.file": "write: writer-presence check",
	} {
		if _, err := runToEnd(t, nil, strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", line, err, want)
		}
	}
}

func TestEditsCountsInsertionsRemovalsReplacementsAndSwaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"off", "off", 0}, {"of", "off", 1}, {"fof", "off", 1}, {"onn", "on", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d; want %d", c.a, c.b, got, c.want)
		}
	}
}
