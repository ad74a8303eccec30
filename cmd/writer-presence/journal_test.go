//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// journalctl -p warning shows what begins with <4> or a smaller number.
func TestLinesInTheJournalHaveAPriority(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	c := program(context.Background(), "serve", "--visitors", "off", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data", t.TempDir())
	c.Env = append(c.Env, fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino))
	c.Stderr = file
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	if _, err := readAddr(out); err != nil {
		t.Fatal(err)
	}
	c.Process.Signal(syscall.SIGTERM)
	c.Wait()
	failing := program(context.Background(), "serve", "--lease", "0s")
	failing.Env, failing.Stderr = c.Env, file
	failing.Run()

	text := string(readFile(t, file.Name()))
	for _, want := range []string{"<4>time=", "<6>time=", "<3>writer-presence: "} {
		if !strings.Contains(text, "\n"+want) && !strings.HasPrefix(text, want) {
			t.Errorf("no line begins with %s:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if line[0] != '<' {
			t.Errorf("this line has no priority: %s", line)
		}
	}
}
