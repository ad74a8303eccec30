//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is the socket of a service manager.
type manager struct {
	*testing.T
	*net.UnixConn
}

func newManager(t *testing.T, name string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return manager{t, conn}
}

// receive returns the fields of the next message.
func (m manager) receive() map[string]string {
	m.Helper()
	m.SetReadDeadline(time.Now().Add(20 * time.Second))
	message := make([]byte, 4096)
	n, err := m.Read(message)
	if err != nil {
		m.Fatalf("the manager received nothing: %v", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(message[:n])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[name] = value
	}
	return fields
}

// READY=1 must not come before the server listens, because the manager then starts what depends on it. STOPPING=1 must
// not come after the drain, because the manager would take the drain for a hang.
func TestServiceManagerIsNotifiedWhenTheServerListensAndWhenItDrains(t *testing.T) {
	for kind, name := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": fmt.Sprintf("@writer-presence-test-%d", os.Getpid()),
	} {
		t.Run(kind, func(t *testing.T) {
			m := newManager(t, name)
			s := startServer(t, "--dev", "--data", t.TempDir())
			if got := m.receive(); got["READY"] != "1" || !strings.Contains(got["STATUS"], s.addr()) {
				t.Fatalf("at the start the manager received %q; want READY=1, and a status with %s", got, s.addr())
			}
			if status, text := get(s.addr(), "/"); status == 0 {
				t.Errorf("after READY=1 the server does not listen: %s", text)
			}

			held := holdRequest(s, s.token("Alice")) // makes the drain last
			s.cmd.Process.Signal(syscall.SIGTERM)
			if got := m.receive(); got["STOPPING"] != "1" || got["STATUS"] == "" {
				t.Errorf("at SIGTERM the manager received %q; want STOPPING=1, and a status", got)
			}
			if status := held.finish(); status != 200 {
				t.Errorf("the request in flight at STOPPING=1 was answered %d; want 200", status)
			}
			s.wait()
		})
	}
}

func TestMissingServiceManagerDoesNotStopTheServer(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	s := startServer(t, "--dev", "--data", t.TempDir())
	s.token("Alice")
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
	if !strings.Contains(s.stderr.String(), "cannot notify the service manager") {
		t.Errorf("the log does not mention the service manager: %s", s.stderr)
	}
}
