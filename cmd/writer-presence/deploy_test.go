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

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A line that systemd does not understand it leaves out, and so would a promise of the unit
// be left out in silence.
func TestSystemdUnderstandsTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze; install systemd to check the unit")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := read(t, deploy+"writer-presence.service")
	for name, change := range map[string]func([]byte) []byte{
		"as it is": func(u []byte) []byte { return u },
		"with all that is to be uncommented": func(u []byte) []byte {
			return regexp.MustCompile(`(?m)^#([A-Z]\w+=)`).ReplaceAll(u, []byte("$1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "writer-presence.service")
			if err := os.WriteFile(path, bytes.ReplaceAll(change(unit), []byte("/usr/local/bin/writer-presence"), []byte(program)), 0o600); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

// Whoever stops the server sooner than it ends by itself cuts off requests and the last
// commit. The drain takes ten seconds at the most; as much again is for a slow disk.
func TestWhoStopsTheServerWaitsForItsDrain(t *testing.T) {
	for file, line := range map[string]string{
		"writer-presence.service": `(?m)^TimeoutStopSec=(\d+)$`,
		"compose.yaml":            `(?m)^ +stop_grace_period: (\d+)s$`,
	} {
		found := regexp.MustCompile(line).FindSubmatch(read(t, deploy+file))
		if found == nil {
			t.Errorf("%s does not say how long it waits", file)
			continue
		}
		if wait, err := time.ParseDuration(string(found[1]) + "s"); err != nil || wait < 20*time.Second {
			t.Errorf("%s waits for %v; due: 20s at least", file, wait)
		}
	}
}
