package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var adminAddress = regexp.MustCompile(`msg=serving .*admin=(\S+)`)

// admin gives the address of health and metrics, which the log has.
func (s *server) admin() string {
	s.Helper()
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		if found := adminAddress.FindStringSubmatch(s.stderr.String()); found != nil {
			return found[1]
		}
	}
	s.Fatalf("the log does not say where health and metrics are:\n%s", s.stderr)
	return ""
}

// ask asks at that address; status is 0 if there was no answer.
func ask(address, path string) (status int, text string) {
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func TestHealthAndMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	s := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	address := s.admin()
	var answer updateAnswer
	s.post("project/p/presence/update/", s.token("Alice"), `{"section": "a"}`, &answer)
	for path, due := range map[string]string{"/healthz": "alive\n", "/readyz": "ready\n", "/metrics": "\nwriter_presence_requests_total{operation=\"update\",status=\"200\"} 1\n"} {
		if status, text := ask(address, path); status != 200 || !strings.Contains(text, due) {
			t.Errorf("%s answers %d %q; due: 200, with %q", path, status, text, due)
		}
		if status, _ := ask(strings.TrimPrefix(s.url, "http://"), path); status != 404 {
			t.Errorf("%s answers %d to those who write; due: 404", path, status)
		}
	}
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until that is counted
		_, text := ask(address, "/metrics")
		if strings.Contains(text, "\nwriter_presence_people 1\n") && strings.Contains(text, "\nwriter_presence_projects 1\n") {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("ten seconds after Alice came the figures do not have her:\n%s", text)
		}
	}
}

// untilDraining waits until /readyz says that the process ends.
func untilDraining(t *testing.T, address string) {
	t.Helper()
	status, text := 200, ""
	for late := time.Now().Add(3 * time.Second); status == 200 && time.Now().Before(late); {
		status, text = ask(address, "/readyz")
	}
	if status != 503 || text != "draining\n" {
		t.Errorf("while it drains it is ready: %d %q; due: 503, draining", status, text)
	}
}

// A balancer hears that a node ends while the node still answers, so that nobody is refused.
func TestForTheDrainDelayItSaysThatItEndsAndStillAnswers(t *testing.T) {
	const delay = 2 * time.Second
	s := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--drain-delay", delay.String())
	address, token := s.admin(), s.token("Alice")
	s.cmd.Process.Signal(syscall.SIGTERM)
	signalled := time.Now()
	untilDraining(t, address)
	http.DefaultClient.CloseIdleConnections() // what is asked next needs a connection of its own
	var answer updateAnswer
	if status := s.post("project/p/presence/update/", token, `{"section": "a"}`, &answer); status != 200 {
		t.Errorf("%v after SIGTERM an update is answered with %d; due for %v: 200", time.Since(signalled), status, delay)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the end: %v, %s", err, s.stderr)
	}
	if took := time.Since(signalled); took < delay {
		t.Errorf("it ended after %v; due: %v", took, delay)
	}
}

// A server that can take no more requests ends, and does not wait for balancers first.
func TestAServerWhoseListenerBreaksEndsWithoutTheDrainDelay(t *testing.T) {
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- run(ctx, []string{"serve", "--dev", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data", t.TempDir(), "--drain-delay", "5m"},
			nil, stdout, io.Discard)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimSpace(line[strings.Index(line, "http://")+len("http://"):]), "/"))
	shutListener(t, port)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ends as if all were well")
		}
	case <-time.After(20 * time.Second):
		t.Error("20 s after its listener broke it has not ended")
	}
}

// shutListener has this process's listener at a port take no more connections.
func shutListener(t *testing.T, port string) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		fd, _ := strconv.Atoi(entry.Name())
		listens, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
		at, _ := syscall.Getsockname(fd)
		if at, ok := at.(*syscall.SockaddrInet4); ok && listens == 1 && strconv.Itoa(at.Port) == port {
			if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("nothing here listens at port %s", port)
}

func TestWhileItDrainsItIsAliveAndNotReady(t *testing.T) {
	s := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	address := s.admin()
	// A request that is in flight keeps it from ending.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"section": "a"}`
	fmt.Fprintf(conn, "POST /writer/api/project/p/presence/update/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", s.token("Alice"), len(body))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the request is not in flight: %q, %v", line, err)
	}
	in.ReadString('\n')
	if status, text := ask(address, "/readyz"); status != 200 {
		t.Errorf("before the end it answers %d %q", status, text)
	}

	s.cmd.Process.Signal(syscall.SIGTERM)
	untilDraining(t, address)
	if status, text := ask(address, "/healthz"); status != 200 {
		t.Errorf("while it drains it is not alive: %d %q", status, text)
	}
	io.WriteString(conn, body)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("the request in flight came to %q, %v", line, err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the end: %v, %s", err, s.stderr)
	}
}

func TestAnAdminAddressThatWasChosenAndIsTakenStopsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	flag, variable := []string{"--admin-addr", taken.Addr().String()}, map[string]string{"WRITER_PRESENCE_ADMIN_ADDR": taken.Addr().String()}
	for _, err := range []error{
		second(tell(t, nil, append([]string{"serve", "--dev", "--addr", "127.0.0.1:0", "--data", t.TempDir()}, flag...)...)),
		second(tell(t, variable, "serve", "--dev", "--addr", "127.0.0.1:0", "--data", t.TempDir())),
	} {
		if err == nil || !strings.Contains(err.Error(), "--admin-addr") {
			t.Errorf("%v; due is an error that says to choose another --admin-addr", err)
		}
	}
}

func second(_ string, err error) error { return err }

func TestTheDefaultAdminAddressGivesWayToWhoeverHasIt(t *testing.T) {
	const usual = "127.0.0.1:9090"
	if l, err := net.Listen("tcp", usual); err == nil { // or somebody has it
		defer l.Close()
	}
	for range 2 {
		s := start(t, "--dev", "--data", t.TempDir())
		address := s.admin()
		if status, _ := ask(address, "/healthz"); status != 200 || address == usual {
			t.Errorf("at %s the answer is %d; due: 200, at a free address", address, status)
		}
		if text := s.stderr.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, usual) {
			t.Errorf("the log does not say that %s was taken:\n%s", usual, text)
		}
	}
}

func TestWithoutAnAdminAddressNobodyIsTold(t *testing.T) {
	for _, none := range []string{"", "off"} {
		if address := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", none).admin(); address != "none" {
			t.Errorf("with --admin-addr %q health and metrics are at %s", none, address)
		}
	}
}
