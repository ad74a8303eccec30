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

// health asks for the server of a data directory.
func health(t *testing.T, data string, args ...string) (string, error) {
	t.Helper()
	return tell(t, nil, append([]string{"health", "--data", data}, args...)...)
}

func TestHealthFindsItsServerByTheDataDirectory(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	first := start(t, "--dev", "--data", one) // at the default address, or at a free one if that is taken
	second := start(t, "--dev", "--data", two, "--admin-addr", "0.0.0.0:0")
	first.admin()
	second.admin()
	for _, dir := range []string{one, two} {
		for args, want := range map[string]string{"": "alive\n", "--ready": "ready\n"} {
			if said, err := health(t, dir, strings.Fields(args)...); err != nil || said != want {
				t.Errorf("health %s of %s: %q, %v; want %q", args, dir, said, err, want)
			}
		}
	}
	if said, err := tell(t, map[string]string{"WRITER_PRESENCE_DATA": one}, "health"); err != nil || said != "alive\n" {
		t.Errorf("with the variable: %q, %v", said, err)
	}

	// The first is killed: neither the second, nor nobody at its address, is taken for it.
	address := first.admin()
	first.cmd.Process.Kill()
	first.cmd.Wait()
	if said, err := health(t, one); err == nil || !strings.Contains(err.Error(), "is gone") || !strings.Contains(err.Error(), one) {
		t.Errorf("of one that was killed: %q, %v; want an error that says so", said, err)
	}
	third := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", address)
	third.admin()
	for _, args := range [][]string{nil, {"--ready"}, {"--admin-addr", address}} {
		if said, err := health(t, one, args...); err == nil || !strings.Contains(err.Error(), "another server answers") {
			t.Errorf("%q of one that was killed, with another one at its address: %q, %v; want an error that says so", args, said, err)
		}
	}
	if said, err := tell(t, nil, "health", "--admin-addr", address); err != nil || said != "alive\n" {
		t.Errorf("by the address alone: %q, %v; want whoever is there", said, err)
	}

	// The directory's next server replaces what the killed one left, and one that ends leaves nothing.
	again := start(t, "--dev", "--data", one, "--admin-addr", "127.0.0.1:0")
	again.admin()
	if said, err := health(t, one); err != nil || said != "alive\n" {
		t.Errorf("of the next server in the directory: %q, %v", said, err)
	}
	again.cmd.Process.Signal(syscall.SIGTERM)
	again.cmd.Wait()
	if said, err := health(t, one); err == nil || !strings.Contains(err.Error(), "no server runs with the data directory") {
		t.Errorf("of one that has ended: %q, %v; want an error that says so", said, err)
	}
	if left, _ := filepath.Glob(filepath.Join(one, "*server*")); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

func TestHealthSaysWhyItCannotTell(t *testing.T) {
	off := t.TempDir()
	start(t, "--dev", "--data", off, "--admin-addr", "off").admin()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, serverFile), []byte(`{"instance": `), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	stolen := t.TempDir()
	text, _ := json.Marshal(runningServer{Instance: "gone", Admin: foreign.Listener.Addr().String()})
	if err := os.WriteFile(filepath.Join(stolen, serverFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{off: "--admin-addr off", broken: serverFile, stolen: "another server answers", t.TempDir(): "no server runs", "/nowhere": "no server runs"} {
		if said, err := health(t, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("health of %s: %q, %v; want an error with %q", dir, said, err, want)
		}
	}
	home := map[string]string{"HOME": t.TempDir()}
	for _, args := range [][]string{{"health"}, {"health", "--dev"}} {
		if said, err := tell(t, home, args...); err == nil || !strings.Contains(err.Error(), home["HOME"]) {
			t.Errorf("%q: %q, %v; want an error that names the default directory", args, said, err)
		}
	}
	if said, err := tell(t, nil, "health"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without a home: %q, %v; want an error that names --data", said, err)
	}
}

// On Redis a node has a data directory only if it was given one, and two nodes may have been given the same.
func TestHealthOfNodesOnRedis(t *testing.T) {
	redis := redistest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	shared := t.TempDir()
	node := func(args ...string) *server {
		s := start(t, append([]string{"--redis-url", "redis://" + redis.Addr, "--secret-file", key, "--admin-addr", "127.0.0.1:0"}, args...)...)
		s.admin()
		return s
	}
	first := node("--data", shared)
	before := fmt.Sprint(readServer(shared))
	second := node("--data", shared)
	none := node()
	if after := fmt.Sprint(readServer(shared)); after != before {
		t.Errorf("the second node with the directory changed its file from %s to %s", before, after)
	}
	if text := second.stderr.String(); !strings.Contains(text, "another server uses it, at "+first.admin()) {
		t.Errorf("the second node does not say that health cannot find it:\n%s", text)
	}
	if said, err := health(t, shared); err != nil || said != "alive\n" {
		t.Errorf("of the first node: %q, %v", said, err)
	}
	for _, s := range []*server{first, second, none} {
		if said, err := tell(t, nil, "health", "--admin-addr", s.admin()); err != nil || said != "alive\n" {
			t.Errorf("by its address: %q, %v", said, err)
		}
	}
	first.cmd.Process.Kill()
	first.cmd.Wait()
	if said, err := health(t, shared); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("of the first node, which was killed: %q, %v; want an error, though the second one lives", said, err)
	}
}

// Presence goes on where the directory takes no file, as in a container that is read-only.
func TestAServerThatCannotBeAnnouncedRuns(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, serverFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, serverFile, "in the way"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--dev", "--data", dir, "--admin-addr", "127.0.0.1:0")
	if status, _ := ask(s.admin(), "/healthz"); status != 200 {
		t.Errorf("/healthz answers %d; want 200", status)
	}
	if text := s.stderr.String(); !strings.Contains(text, "health cannot find this server") {
		t.Errorf("the log does not say that health cannot find it:\n%s", text)
	}
}

func TestAnAddressToListenAtBecomesOneToAsk(t *testing.T) {
	for addr, want := range map[string]string{"[::]:9090": ":9090", "0.0.0.0:9090": ":9090", ":9090": ":9090", "127.0.0.1:9090": "127.0.0.1:9090", "[::1]:1": "[::1]:1", "localhost:1": "localhost:1"} {
		if got := reachable(addr); got != want {
			t.Errorf("%s is asked as %s; want %s", addr, got, want)
		}
	}
}
