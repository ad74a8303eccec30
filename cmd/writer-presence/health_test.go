package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestHealthTellsByItsExitHowTheServerIs(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.Write([]byte("ok\n"))
			return
		}
		http.Error(w, "draining", http.StatusServiceUnavailable)
	}))
	defer admin.Close()
	addr := admin.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)

	for _, at := range []string{addr, ":" + port} { // as a container's server listens for its neighbours
		if said, err := tell(t, map[string]string{"WRITER_PRESENCE_ADMIN_ADDR": at}, "health"); err != nil || said != "ok\n" {
			t.Errorf("of one that is well, at %s: %q, %v; due: what it said", at, said, err)
		}
	}
	if said, err := tell(t, nil, "health", "--ready", "--admin-addr", addr); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("of one that ends: %q, %v; due: an error with what it said", said, err)
	}
	admin.Close()
	if said, err := tell(t, nil, "health", "--admin-addr", addr); err == nil {
		t.Errorf("of one that is gone: %q; due: an error", said)
	}
	for _, none := range []string{"", "off"} {
		if said, err := tell(t, nil, "health", "--admin-addr", none); err == nil || !strings.Contains(err.Error(), "--admin-addr") {
			t.Errorf("with the address %q: %q, %v; due: an error with the flag", none, said, err)
		}
	}
}

// A proxy of the environment, as a container may have one, has nothing to do with this machine.
func TestHealthAsksByNoProxy(t *testing.T) {
	s := start(t, "--dev", "--data", t.TempDir(), "--admin-addr", ":0")
	_, port, err := net.SplitHostPort(s.admin())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "health", "--admin-addr", ":"+port)
	cmd.Env = append(os.Environ(), "WRITER_PRESENCE_TEST_MAIN=1", "HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, said)
	}
}
