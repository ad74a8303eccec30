package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

// health runs health for a data directory.
func health(t *testing.T, data string, args ...string) (text string, err error) {
	t.Helper()
	return runToEnd(t, nil, append([]string{"health", "--data", data}, args...)...)
}

func TestHealthFindsTheServerByItsDataDirectory(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	first := startServer(t, "--dev", "--data", one) // at the default address, or at a free one if that is in use
	second := startServer(t, "--dev", "--data", two, "--admin-addr", "0.0.0.0:0")
	first.admin()
	second.admin()
	for _, dir := range []string{one, two} {
		for args, want := range map[string]string{"": "alive\n", "--ready": "ready\n"} {
			if text, err := health(t, dir, strings.Fields(args)...); err != nil || text != want {
				t.Errorf("health %s for %s: %q, %v; want %q", args, dir, text, err, want)
			}
		}
	}
	if text, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_DATA": one}, "health"); err != nil || text != "alive\n" {
		t.Errorf("with the variable: %q, %v", text, err)
	}

	// The first server is killed. Another server at its address, or none, must not be mistaken for it.
	address := first.admin()
	first.kill()
	if text, err := health(t, one); err == nil || !strings.Contains(err.Error(), "is gone") || !strings.Contains(err.Error(), one) {
		t.Errorf("killed server: %q, %v; want an error that it is gone", text, err)
	}
	third := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", address)
	third.admin()
	for _, args := range [][]string{nil, {"--ready"}, {"--admin-addr", address}} {
		if text, err := health(t, one, args...); err == nil || !strings.Contains(err.Error(), "another server answers") {
			t.Errorf("killed server with another one at its address, %q: %q, %v; want an error that another one answers", args, text, err)
		}
	}
	if text, err := runToEnd(t, nil, "health", "--admin-addr", address); err != nil || text != "alive\n" {
		t.Errorf("by the address alone: %q, %v; want the server that is there", text, err)
	}

	// The next server in the directory replaces the file of the killed one, and removes its own at the end.
	again := startServer(t, "--dev", "--data", one, "--admin-addr", "127.0.0.1:0")
	again.admin()
	if text, err := health(t, one); err != nil || text != "alive\n" {
		t.Errorf("next server in the directory: %q, %v", text, err)
	}
	again.cmd.Process.Signal(syscall.SIGTERM)
	again.cmd.Wait()
	if text, err := health(t, one); err == nil || !strings.Contains(err.Error(), "no server runs with the data directory") {
		t.Errorf("stopped server: %q, %v; want an error that none runs", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(one, "*server*")); len(left) > 0 {
		t.Errorf("the stopped server left %q", left)
	}
}

func TestHealthExplainsWhyItFindsNoServer(t *testing.T) {
	off := t.TempDir()
	startServer(t, "--dev", "--data", off, "--admin-addr", "off").admin()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, serverFile), []byte(`{"instance": `), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	taken := t.TempDir()
	text, _ := json.Marshal(runningServer{Instance: "gone", Admin: foreign.Listener.Addr().String()})
	if err := os.WriteFile(filepath.Join(taken, serverFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{off: "--admin-addr off", broken: serverFile, taken: "another server answers", t.TempDir(): "no server runs", "/nowhere": "no server runs"} {
		if text, err := health(t, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("health for %s: %q, %v; want an error with %q", dir, text, err, want)
		}
	}
	home := map[string]string{"HOME": t.TempDir()}
	for _, args := range [][]string{{"health"}, {"health", "--dev"}} {
		if text, err := runToEnd(t, home, args...); err == nil || !strings.Contains(err.Error(), home["HOME"]) {
			t.Errorf("%q: %q, %v; want an error that names the default directory", args, text, err)
		}
	}
	if text, err := runToEnd(t, nil, "health"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without a home directory: %q, %v; want an error that names --data", text, err)
	}
}

// On Redis a node has a data directory only if it was given one, and two nodes may have been given the same.
func TestHealthOfNodesOnRedis(t *testing.T) {
	redis := redistest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	shared := t.TempDir()
	node := func(args ...string) *server {
		s := startServer(t, append([]string{"--redis-url", "redis://" + redis.Addr, "--secret-file", key, "--admin-addr", "127.0.0.1:0"}, args...)...)
		s.admin()
		return s
	}
	first := node("--data", shared)
	before := fmt.Sprint(readServerFile(shared))
	second := node("--data", shared)
	none := node()
	if after := fmt.Sprint(readServerFile(shared)); after != before {
		t.Errorf("the second node with the directory changed its file from %s to %s", before, after)
	}
	second.admin() // waits for the log up to its address
	if text := second.stderr.String(); !strings.Contains(text, "another server uses it, at "+first.admin()) {
		t.Errorf("the log of the second node does not say that health cannot find it:\n%s", text)
	}
	if text, err := health(t, shared); err != nil || text != "alive\n" {
		t.Errorf("first node: %q, %v", text, err)
	}
	for _, s := range []*server{first, second, none} {
		if text, err := runToEnd(t, nil, "health", "--admin-addr", s.admin()); err != nil || text != "alive\n" {
			t.Errorf("by its address: %q, %v", text, err)
		}
	}
	first.kill()
	if text, err := health(t, shared); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("killed first node: %q, %v; want an error, although the second one runs", text, err)
	}
}

// For instance in a container with a read-only data directory.
func TestServerRunsIfItCannotWriteItsFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, serverFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, serverFile, "in the way"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--dev", "--data", dir, "--admin-addr", "127.0.0.1:0")
	if status, _ := get(s.admin(), "/healthz"); status != 200 {
		t.Errorf("/healthz answers %d; want 200", status)
	}
	if text := s.stderr.String(); !strings.Contains(text, "health cannot find this server") {
		t.Errorf("the log does not say that health cannot find the server:\n%s", text)
	}
}
