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

// readyzAfterSIGTERM returns the first answer of /readyz that is not 200.
func readyzAfterSIGTERM(address string) (status int, text string) {
	status = 200
	for end := time.Now().Add(3 * time.Second); status == 200 && time.Now().Before(end); {
		status, text = get(address, "/readyz")
	}
	return status, text
}

// expectDraining checks that an answer of /readyz says that the server drains.
func expectDraining(t *testing.T, status int, text string) {
	t.Helper()
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
	for _, delay := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--drain-delay", delay.String())
		address, token := s.admin(), s.token("Alice")
		signalled := time.Now()
		s.cmd.Process.Signal(syscall.SIGTERM)
		ready, text := readyzAfterSIGTERM(address)
		http.DefaultClient.CloseIdleConnections() // the next request needs a new connection
		status := s.post("project/p/presence/update/", token, `{"section": "a"}`, &updateReply{})
		answered := time.Since(signalled)
		s.wait()
		ended := time.Since(signalled)
		if answered >= delay { // on a busy machine, so what was answered proves nothing
			continue
		}
		expectDraining(t, ready, text)
		if status != 200 {
			t.Errorf("%v after SIGTERM an update was answered %d; want 200 for %v", answered, status, delay)
		}
		if ended < delay {
			t.Errorf("the server ended after %v; want %v at least", ended, delay)
		}
		return
	}
	t.Error("no request was answered within the delay")
}

func TestDrainingServerIsAliveButNotReady(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	address := s.admin()
	held := holdRequest(s, s.token("Alice"))
	if status, text := get(address, "/readyz"); status != 200 {
		t.Errorf("before SIGTERM /readyz answers %d %q; want 200", status, text)
	}

	s.cmd.Process.Signal(syscall.SIGTERM)
	status, text := readyzAfterSIGTERM(address)
	expectDraining(t, status, text)
	if status, text := get(address, "/healthz"); status != 200 {
		t.Errorf("during the drain /healthz answers %d %q; want 200", status, text)
	}
	if status := held.finish(); status != 200 {
		t.Errorf("the request that was in flight was answered %d; want 200", status)
	}
	s.wait()
}
