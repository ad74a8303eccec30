package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is a service manager's socket.
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

// hear gives the next message, by its fields.
func (m manager) hear() map[string]string {
	m.Helper()
	m.SetReadDeadline(time.Now().Add(20 * time.Second))
	message := make([]byte, 4096)
	n, err := m.Read(message)
	if err != nil {
		m.Fatalf("the manager was told nothing: %v", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(message[:n])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[name] = value
	}
	return said
}

// A manager that starts what needs this server, or the next node, when it is told READY=1
// has to find it listening; and one that is told STOPPING=1 only at the end takes a drain
// for a hang.
func TestTheServiceManagerIsToldOfListeningAndOfTheBeginningOfTheEnd(t *testing.T) {
	for kind, name := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": fmt.Sprintf("@writer-presence-test-%d", os.Getpid()),
	} {
		t.Run(kind, func(t *testing.T) {
			m := newManager(t, name)
			s := start(t, "--dev", "--data", t.TempDir())
			said := m.hear()
			addr := strings.TrimPrefix(s.url, "http://")
			if said["READY"] != "1" || !strings.Contains(said["STATUS"], addr) {
				t.Fatalf("at the start the manager was told %q; due: READY=1, and a status with %s", said, addr)
			}
			if response, err := http.Get(s.url + "/"); err != nil {
				t.Errorf("it was ready, and did not listen: %v", err)
			} else {
				response.Body.Close()
			}

			// A request that is under way holds the end up for seconds.
			const body = `{"section": "a"}`
			held, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			answers := bufio.NewReader(held)
			fmt.Fprintf(held, "POST /writer/api/project/p/presence/update/ HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", addr, len(body))
			if more, err := http.ReadResponse(answers, nil); err != nil || more.StatusCode != http.StatusContinue {
				t.Fatalf("the request was not begun: %v", err)
			}
			s.cmd.Process.Signal(syscall.SIGTERM)
			if said := m.hear(); said["STOPPING"] != "1" || said["STATUS"] == "" {
				t.Errorf("at SIGTERM the manager was told %q; due: STOPPING=1, and a status", said)
			}
			fmt.Fprint(held, body)
			if answer, err := http.ReadResponse(answers, nil); err != nil || answer.StatusCode != 200 {
				t.Errorf("a request that was under way when the manager was told: %v, %v; due: 200", answer, err)
			}
			if err := s.cmd.Wait(); err != nil {
				t.Errorf("the end: %v, %s", err, s.stderr)
			}
		})
	}
}

func TestAManagerThatIsNotThereKeepsNobodyFromServing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	s := start(t, "--dev", "--data", t.TempDir())
	s.token("Alice")
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil || !strings.Contains(s.stderr.String(), "could not be told") {
		t.Errorf("the end: %v; due: none, and a line in the log about the manager: %s", err, s.stderr)
	}
}
