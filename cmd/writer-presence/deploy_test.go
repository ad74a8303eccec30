package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

const deploy = "../../deploy/"

// systemd ignores lines that it does not understand, and with them the protection that they ask for.
func TestSystemdAcceptsEveryLineOfTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing; install systemd to check the unit")
	}
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
			args, dir := []string{"verify", "--man=no"}, t.TempDir()
			for _, unit := range []string{"writer-presence.service", "writer-presence.socket"} {
				path := filepath.Join(dir, unit)
				if err := os.WriteFile(path, bytes.ReplaceAll(change(readFile(t, deploy+unit)), []byte("/usr/local/bin/writer-presence"), []byte(program)), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, path)
			}
			if text, err := exec.Command("systemd-analyze", args...).CombinedOutput(); err != nil || len(text) > 0 {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// A server that is killed during its drain loses requests and the last commit. The drain takes 10 s at most; as much
// again is for a slow disk.
func TestServiceManagersWaitForTheDrain(t *testing.T) {
	for file, line := range map[string]string{
		"writer-presence.service": `(?m)^TimeoutStopSec=(\d+)$`,
		"compose.yaml":            `(?m)^ +stop_grace_period: (\d+)s$`,
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
