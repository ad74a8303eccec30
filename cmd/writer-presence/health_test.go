package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthExitsWithTheHealthOfTheServer(t *testing.T) {
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

	for _, at := range []string{addr, ":" + port} { // the second form is used in containers
		if text, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_ADMIN_ADDR": at}, "health"); err != nil || text != "ok\n" {
			t.Errorf("healthy server at %s: %q, %v; want its answer", at, text, err)
		}
	}
	if text, err := runToEnd(t, nil, "health", "--ready", "--admin-addr", addr); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("draining server: %q, %v; want an error with its answer", text, err)
	}
	admin.Close()
	if text, err := runToEnd(t, nil, "health", "--admin-addr", addr); err == nil {
		t.Errorf("no server: %q; want an error", text)
	}
	for _, off := range []string{"", "off"} {
		if text, err := runToEnd(t, nil, "health", "--admin-addr", off); err == nil || !strings.Contains(err.Error(), "--admin-addr") {
			t.Errorf("--admin-addr %q: %q, %v; want an error with the flag", off, text, err)
		}
	}
}

func TestHealthIgnoresHTTPProxy(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", ":0")
	_, port, err := net.SplitHostPort(s.admin())
	if err != nil {
		t.Fatal(err)
	}
	c := program(t.Context(), "health", "--admin-addr", ":"+port)
	c.Env = append(c.Env, "HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1")
	if text, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, text)
	}
}

func TestDialAddrReplacesUnspecifiedAddresses(t *testing.T) {
	for addr, want := range map[string]string{"[::]:9090": ":9090", "0.0.0.0:9090": ":9090", ":9090": ":9090", "127.0.0.1:9090": "127.0.0.1:9090", "[::1]:1": "[::1]:1", "localhost:1": "localhost:1"} {
		if got := dialAddr(addr); got != want {
			t.Errorf("%s is dialled as %s; want %s", addr, got, want)
		}
	}
}

func TestHealthSaysThatAServerHangs(t *testing.T) {
	t.Parallel()                               // waits for healthTimeout
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := queryHealth(l.Addr().String(), "", "/healthz", true, false); err == nil || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("got %v; want an error that says that it hangs", err)
	}
}
