package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

// failToStart runs serve, which must end by itself with one line on stderr, and returns its exit status and that line.
func failToStart(t *testing.T, args ...string) (status int, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := program(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.Run()
	line = stderr.String()
	if !strings.HasPrefix(line, "writer-presence: ") || strings.Count(line, "\n") != 1 || stdout.Len() > 0 {
		t.Errorf("%q on stdout and %q on stderr; want nothing and one line", stdout.String(), line)
	}
	return c.ProcessState.ExitCode(), line
}

func TestUnusableRedisStopsTheStartWithOneLine(t *testing.T) { // case 42
	closed := redistest.Start(t, "--requirepass", "s3cret-word")
	gone := redistest.Start(t)
	gone.Kill()
	for _, url := range []string{
		gone.URL(), "redis://:another-s3cret@" + closed.Addr, "redis://user:another-s3cret@host:port", "redis://user:another-s3cret@" + gone.Addr + "/x",
	} {
		began := time.Now()
		status, line := failToStart(t, "--redis-url", url, "--secret-file", filepath.Join(t.TempDir(), "secret"), "--data", t.TempDir())
		if status != 1 || strings.Contains(line, "s3cret") {
			t.Errorf("%s: exit status %d and %q; want 1, and no password", url, status, line)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: the start failed after %v; want 10 s at most", url, took)
		}
	}
}

func TestNodesUseRedisOverTLSWithATrustedCertificateOnly(t *testing.T) {
	redis, authority := redistest.StartTLS(t)
	args := []string{"--dev", "--redis-url", "rediss://" + redis.Addr, "--secret-file", filepath.Join(t.TempDir(), "secret")}
	status, line := failToStart(t, args...)
	if status != 1 || !strings.Contains(line, "from an authority that this machine trusts") {
		t.Errorf("with an unknown authority: exit status %d and %q; want 1, and what to do", status, line)
	}
	t.Setenv("SSL_CERT_FILE", authority)
	n := &nodes{T: t, servers: []*server{startServer(t, args...), startServer(t, args...)}}
	n.post(0, "update", n.servers[0].token("Alice"), `{"session": "tab", "section": "a"}`)
	n.waitForList(n.servers[1].token("Bob"), 5*time.Second, []int{0, 1}, "Alice a")
}

func TestStoreNameHasNoPassword(t *testing.T) { // invariant 12
	for url, want := range map[string]string{
		"":                                 "data",
		"rediss://user:s3cret@host:6379/1": "rediss://host:6379/1",
		"rediss://:s3cret@h:1":             "rediss://h:1",
		"redis://user:s3cret@redis.internal:6379/0?password=s3cret":                        "redis://redis.internal:6379/0",
		"redis://:s3cret@host:26379?master_set=m&sentinel_user=u&sentinel_password=s3cret": "redis://host:26379",
	} {
		s := settings{redisURL: url, data: "data"}
		if got := s.storeName(); got != want {
			t.Errorf("the store of %q is named %q; want %q", url, got, want)
		}
	}
}
