package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestHealthAndMetricsHaveTheirOwnListener(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	address := s.admin()
	s.post("project/p/presence/update/", s.token("Alice"), `{"section": "a"}`, &updateReply{})
	for path, want := range map[string]string{"/healthz": "alive\n", "/readyz": "ready\n", "/metrics": "\nwriter_presence_requests_total{operation=\"update\",status=\"200\"} 1\n"} {
		if status, text := get(address, path); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s answers %d %q; want 200, with %q", path, status, text, want)
		}
		if status, _ := get(s.addr(), path); status != 404 {
			t.Errorf("%s answers %d on the public address; want 404", path, status)
		}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // the store updates these metrics later
		_, text := get(address, "/metrics")
		if strings.Contains(text, "\nwriter_presence_people 1\n") && strings.Contains(text, "\nwriter_presence_projects 1\n") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("10 s after Alice's update the metrics do not count her:\n%s", text)
		}
	}
}

func TestGivenAdminAddrThatIsInUseStopsTheStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	serve := []string{"serve", "--dev", "--addr", "127.0.0.1:0", "--data", t.TempDir()}
	_, byFlag := runToEnd(t, nil, append(serve, "--admin-addr", addr)...)
	_, byVariable := runToEnd(t, map[string]string{"WRITER_PRESENCE_ADMIN_ADDR": addr}, serve...)
	for _, err := range []error{byFlag, byVariable} {
		if err == nil || !strings.Contains(err.Error(), "--admin-addr") {
			t.Errorf("%v; want an error that names --admin-addr", err)
		}
	}
}

func TestDefaultAdminAddrThatIsInUseIsReplacedByAFreeOne(t *testing.T) {
	if l, err := net.Listen("tcp", defaultAdminAddr); err == nil { // otherwise it is in use already
		defer l.Close()
	}
	for range 2 {
		s := startServer(t, "--dev", "--data", t.TempDir())
		address := s.admin()
		if status, _ := get(address, "/healthz"); status != 200 || address == defaultAdminAddr {
			t.Errorf("/healthz at %s answers %d; want 200 at another address", address, status)
		}
		if text := s.stderr.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, defaultAdminAddr) {
			t.Errorf("the log has no warning that %s is in use:\n%s", defaultAdminAddr, text)
		}
	}
}

func TestAdminAddrOffServesNoHealthAndMetrics(t *testing.T) {
	for _, off := range []string{"", "off"} {
		if address := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", off).admin(); address != "none" {
			t.Errorf("with --admin-addr %q health and metrics are at %s; want none", off, address)
		}
	}
}
