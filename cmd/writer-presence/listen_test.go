package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// unixClient returns a client that connects to a Unix socket, whatever the host in the URL.
func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
}

// socketDir returns a directory for sockets, whose paths have to be short.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "presence")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestServerListensOnUnixSocketsAndReplacesStaleOnes(t *testing.T) {
	dir, data := socketDir(t), t.TempDir()
	public, admin := filepath.Join(dir, "public"), filepath.Join(dir, "admin")
	args := []string{"--dev", "--data", data, "--addr", "unix:" + public, "--admin-addr", "unix:" + admin, "--socket-mode", "0600"}
	s := startServer(t, args...)
	s.kill() // leaves the sockets
	s = startServer(t, args...)
	if !strings.Contains(s.url, "unix:"+public) {
		t.Errorf("the server prints %q; want the address unix:%s", s.url, public)
	}
	for _, path := range []string{public, admin} {
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%s: %v, %v; want a socket with mode 0600", path, info, err)
		}
	}
	for _, args := range [][]string{{"--data", data}, {"--admin-addr", "unix:" + admin}} {
		if text, err := runToEnd(t, nil, append([]string{"health", "--ready"}, args...)...); err != nil || text != "ready\n" {
			t.Errorf("health %v: %q, %v; want ready", args, text, err)
		}
	}

	// A socket in use and a file that is no socket must stay.
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{public, file} {
		if _, err := runToEnd(t, nil, "serve", "--dev", "--data", t.TempDir(), "--addr", "unix:"+path); err == nil || !strings.Contains(err.Error(), "cannot listen") {
			t.Errorf("a second server at %s: %v; want an error", path, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the second server removed the file: %v", err)
		}
	}
	if response, err := unixClient(public).Get("http://127.0.0.1/"); err != nil || response.StatusCode != 200 {
		t.Errorf("after a second server tried to start, the first answers %v, %v", response, err)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
	if _, err := os.Lstat(public); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the server left its socket: %v", err)
	}
}

// dialUnixWebSocket opens a WebSocket to project p through a Unix socket, for a client at an address.
func dialUnixWebSocket(t *testing.T, path, from string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	t.Cleanup(func() { conn.Close() })
	_, _, err = gws.NewClientFromConn(gws.BuiltinEventHandler{}, &gws.ClientOption{
		Addr: "ws://127.0.0.1/writer/api/project/p/presence/live/",
		RequestHeader: http.Header{
			"Origin": {"http://127.0.0.1"}, "Sec-WebSocket-Protocol": {"writer-presence.v1"}, "X-Forwarded-For": {from},
		},
	}, conn)
	return err
}

// Without the address in X-Forwarded-For all clients behind a proxy would share the limits of one.
func TestClientsBehindAUnixSocketHaveTheAddressInXForwardedFor(t *testing.T) {
	path := filepath.Join(socketDir(t), "socket")
	startServer(t, "--visitors", "on", "--data", t.TempDir(), "--admin-addr", "off", "--addr", "unix:"+path, "--visitor-rate", "0.005", "--address-connections", "1")
	client := unixClient(path)
	for _, c := range []struct {
		from string
		want int
	}{
		{"192.0.2.1", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}, {"192.0.2.99, 192.0.2.2", 429}, {"", 200}, {"", 429}, // the proxy adds the last one
	} {
		r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/writer/api/project/p/presence/update/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if c.from != "" {
			r.Header.Set("X-Forwarded-For", c.from)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("a new visitor from %q is answered %d; want %d", c.from, response.StatusCode, c.want)
		}
	}
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
		if err := dialUnixWebSocket(t, path, from); err != nil {
			t.Errorf("a live connection from %s: %v", from, err)
		}
	}
	if err := dialUnixWebSocket(t, path, "192.0.2.1"); err == nil {
		t.Error("a second live connection from an address was accepted; want it rejected by --address-connections 1")
	}
}

func TestInvalidUnixSocketsStopTheStart(t *testing.T) {
	for args, want := range map[string]string{
		"--addr unix:socket": "give the whole path",
		"--addr unix:":       "give the whole path",
		"--addr unix:/" + strings.Repeat("a", 103):     "has 104 bytes; the limit is 103",
		"--admin-addr unix:socket":                     "--admin-addr",
		"--socket-mode 0888":                           "give permissions as for chmod",
		"--socket-mode 0":                              "give permissions as for chmod",
		"--addr unix:/no/such/directory/socket --data": "cannot listen",
	} {
		fields := strings.Fields(args)
		if fields[len(fields)-1] == "--data" {
			fields = append(fields, t.TempDir())
		}
		if _, err := runToEnd(t, nil, append([]string{"serve"}, fields...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with %q", args, err, want)
		}
	}
}

// activated starts a server to which the first file is handed over for --addr, and the second for --admin-addr, as systemd
// does. The shell makes LISTEN_PID the process that it becomes.
func activated(t *testing.T, files []*os.File, args ...string) *server {
	t.Helper()
	s := &server{T: t, stderr: &output{}}
	s.cmd = exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "serve"}, args...)...)
	s.cmd.Env = append(os.Environ(), runMain+"=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=writer-presence.socket:admin")
	s.cmd.ExtraFiles, s.cmd.Stderr = files, s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	addr, err := readAddr(out)
	if err != nil {
		t.Fatalf("the server did not start: %v\n%s", err, s.stderr)
	}
	s.url = "http://" + addr
	return s
}

func TestRestartWithTheSocketsOfSystemdRefusesNoConnection(t *testing.T) {
	var files []*os.File
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		l.Close() // the file still listens
		files = append(files, f)
	}
	args := []string{"--dev", "--data", t.TempDir(), "--addr", "127.0.0.1:1"}
	s := activated(t, files, args...)
	if status, _ := get(s.admin(), "/readyz"); status != 200 {
		t.Errorf("/readyz answers %d at the second socket; want 200", status)
	}

	var answered atomic.Int64
	connecting, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	url := s.url + "/writer/api/project/p/presence/list/"
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		defer close(ended)
		for connecting.Err() == nil {
			response, err := client.Get(url)
			if err != nil {
				t.Errorf("after %d answers: %v", answered.Load(), err)
				return
			}
			response.Body.Close()
			answered.Add(1)
		}
	}()
	// awaitAnswers waits until the client has had so many more answers.
	awaitAnswers := func(n int64) {
		t.Helper()
		for until, end := answered.Load()+n, time.Now().Add(10*time.Second); answered.Load() < until; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the client gets no answers")
			}
		}
	}
	for range 2 {
		awaitAnswers(5)
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.wait()
		s = activated(t, files, args...)
	}
	awaitAnswers(5)
	stop()
	<-ended
}
