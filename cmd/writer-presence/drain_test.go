//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// waitUntilDraining waits until /readyz answers that the server drains.
func waitUntilDraining(t *testing.T, address string) {
	t.Helper()
	status, text := 200, ""
	for end := time.Now().Add(3 * time.Second); status == 200 && time.Now().Before(end); {
		status, text = get(address, "/readyz")
	}
	if status != 503 || text != "draining\n" {
		t.Errorf("after SIGTERM /readyz answers %d %q; want 503 draining", status, text)
	}
}

// heldRequest is an update whose body has not been sent yet, so that the server cannot finish draining.
type heldRequest struct {
	conn net.Conn
	in   *bufio.Reader
}

const heldBody = `{"section": "a"}`

// holdRequest sends the headers of an update, and waits until the server reads its body.
func holdRequest(s *server, token string) *heldRequest {
	s.Helper()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /writer/api/project/p/presence/update/ HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		s.addr(), token, len(heldBody))
	h := &heldRequest{conn, bufio.NewReader(conn)}
	if response, err := http.ReadResponse(h.in, nil); err != nil || response.StatusCode != http.StatusContinue {
		s.Fatalf("the server does not read the body: %v, %v", response, err)
	}
	return h
}

// finish sends the body, and returns the status of the answer, 0 for none.
func (h *heldRequest) finish() (status int) {
	io.WriteString(h.conn, heldBody)
	response, err := http.ReadResponse(h.in, nil)
	if err != nil {
		return 0
	}
	return response.StatusCode
}

func TestServerAnswersRequestsDuringTheDrainDelay(t *testing.T) {
	const delay = 2 * time.Second
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--drain-delay", delay.String())
	address, token := s.admin(), s.token("Alice")
	s.cmd.Process.Signal(syscall.SIGTERM)
	signalled := time.Now()
	waitUntilDraining(t, address)
	http.DefaultClient.CloseIdleConnections() // the next request needs a new connection
	if status := s.post("project/p/presence/update/", token, `{"section": "a"}`, &updateReply{}); status != 200 {
		t.Errorf("%v after SIGTERM an update was answered %d; want 200 for %v", time.Since(signalled), status, delay)
	}
	s.wait()
	if took := time.Since(signalled); took < delay {
		t.Errorf("the server ended after %v; want %v at least", took, delay)
	}
}

func TestDrainingServerIsAliveButNotReady(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	address := s.admin()
	held := holdRequest(s, s.token("Alice"))
	if status, text := get(address, "/readyz"); status != 200 {
		t.Errorf("before SIGTERM /readyz answers %d %q; want 200", status, text)
	}

	s.cmd.Process.Signal(syscall.SIGTERM)
	waitUntilDraining(t, address)
	if status, text := get(address, "/healthz"); status != 200 {
		t.Errorf("during the drain /healthz answers %d %q; want 200", status, text)
	}
	if status := held.finish(); status != 200 {
		t.Errorf("the request that was in flight was answered %d; want 200", status)
	}
	s.wait()
}
