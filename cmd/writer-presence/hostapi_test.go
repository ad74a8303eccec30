package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/hostapi/client"
	"github.com/writer-presence/writer-presence/internal/redistest"
)

const apiKey = "0123456789abcdef0123456789abcdef"

func apiKeyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api-key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostAPI returns a client for the host API of a server.
func (s *server) hostAPI() *client.Client {
	s.Helper()
	c, err := client.New("http://"+s.admin(), apiKey)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func TestBadAPIKeyStopsTheStartBeforeTheStoreIsOpened(t *testing.T) {
	for want, args := range map[string][]string{
		"a line of 31 bytes":     {"--api-key-file", apiKeyFile(t, apiKey[1:]+"\n")},
		"cannot read":            {"--api-key-file", "/nonexistent/key"},
		"--api-key-file":         {"--api-key-file", ""},
		"--admin-addr, which is": {"--api-key-file", apiKeyFile(t, apiKey), "--admin-addr", "off"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		if _, err := runToEnd(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", data}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("%q: the data directory was created, %v", args, err)
		}
	}
}

func TestHostAPIIsOnTheAdminListenerOnly(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0")
	if status, text := get(s.admin(), "/api/v1/projects"); status != 404 || !strings.Contains(text, "--api-key-file") {
		t.Errorf("without a key the host API answers %d %s; want 404 with the flag", status, text)
	}
	path := apiKeyFile(t, apiKey)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--api-key-file", path)
	s.post("project/p/presence/update/", s.token("Alice"), `{"section": "a/b"}`, &updateReply{})
	if got, err := s.hostAPI().Project(t.Context(), "p"); err != nil || len(got.Users) != 1 || got.Users[0].Section != "a/b" {
		t.Errorf("the host API answers %+v, %v; want Alice in a/b", got, err)
	}
	if got, err := s.hostAPI().Status(t.Context()); err != nil || got.Version != programVersion() || !got.Store.Ready || got.StartedAt.IsZero() {
		t.Errorf("the status is %+v, %v; want the version and a store that is ready", got, err)
	}
	if status, _ := get(s.addr(), "/api/v1/projects"); status != 404 {
		t.Errorf("the public address answers %d; want 404", status)
	}
	if log := s.stderr.String(); !strings.Contains(log, "every user of this machine can access the key") || strings.Contains(log, apiKey) {
		t.Errorf("the log has no warning about the mode of the key, or the key itself:\n%s", log)
	}
}

func TestProfilesNeedTheKeyOfTheHostAPI(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--api-key-file", apiKeyFile(t, apiKey))
	for _, c := range []struct {
		addr, path, key string
		status          int
	}{
		{s.admin(), "heap", "", 401},
		{s.admin(), "heap", apiKey + "x", 401},
		{s.admin(), "heap", apiKey, 200},
		{s.admin(), "trace?seconds=0.01", apiKey, 200},
		{s.admin(), "profile?seconds=61", apiKey, 400},
		{s.admin(), "cmdline", apiKey, 404}, // may have the password of Redis
		{s.admin(), "", apiKey, 404},
		{s.addr(), "heap", apiKey, 404},
	} {
		r, _ := http.NewRequest("GET", "http://"+c.addr+"/debug/pprof/"+c.path, nil)
		r.Header.Set("Authorization", "Bearer "+c.key)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if gzipped := c.path != "heap" || bytes.HasPrefix(body, []byte("\x1f\x8b")); answer.StatusCode != c.status || c.status == 200 && !gzipped {
			t.Errorf("%s with the key %q answers %d %.100q; want %d", c.path, c.key, answer.StatusCode, body, c.status)
		}
	}
}

func TestHostAPIIsTheSameOnEachNode(t *testing.T) { // rules 23 and 24
	redis := redistest.Start(t)
	key := filepath.Join(t.TempDir(), "secret")
	var nodes [2]*server
	for i := range nodes {
		nodes[i] = startServer(t, "--dev", "--redis-url", redis.URL(), "--secret-file", key, "--data", t.TempDir(),
			"--admin-addr", "127.0.0.1:0", "--api-key-file", apiKeyFile(t, apiKey))
	}
	a, b, ctx := nodes[0].hostAPI(), nodes[1].hostAPI(), t.Context()
	token := nodes[0].token("Alice")
	var alice client.UserID
	for i := range 20 {
		nodes[i%2].post(fmt.Sprintf("project/p%d/presence/update/", i), token, `{"session": "tab", "seq": 1, "section": "a"}`, &updateReply{})
	}
	for p, err := range a.Projects(ctx, "") {
		if err != nil || p.People != 1 {
			t.Fatalf("node 0 lists %+v, %v", p, err)
		}
		here, err1 := a.Project(ctx, p.Project)
		there, err2 := b.Project(ctx, p.Project)
		if err1 != nil || err2 != nil || !reflect.DeepEqual(here, there) || len(here.Sessions) != 1 {
			t.Fatalf("%s is %+v, %v on node 0 and %+v, %v on node 1; want the same", p.Project, here, err1, there, err2)
		}
		alice = here.Users[0].ID
	}
	here, err1 := a.User(ctx, alice)
	there, err2 := b.User(ctx, alice)
	if err1 != nil || err2 != nil || len(here) != 20 || len(there) != 20 {
		t.Errorf("Alice is in %d projects on node 0, %v, and in %d on node 1, %v; want 20", len(here), err1, len(there), err2)
	}

	for _, c := range []struct {
		name   string
		remove func() error
	}{
		{"from a project", func() error { return a.RemoveUser(ctx, "p", alice, 0) }},
		{"from everywhere", func() error { _, err := b.RemoveUserEverywhere(ctx, alice, time.Minute); return err }},
	} {
		name, remove := c.name, c.remove
		var open []*liveClient
		for i, s := range nodes {
			c, err := dialLive(s.url, "p", "Authorization", "Bearer "+token)
			if err != nil {
				t.Fatalf("%s, node %d: %v", name, i, err)
			}
			if answer := c.send(fmt.Sprintf(`{"type": "hello", "session": "live-%d", "seq": %d}`, i, time.Now().UnixNano()/1e6)); answer != "ack" {
				t.Fatalf("%s, node %d: hello is answered %s", name, i, answer)
			}
			open = append(open, c)
		}
		began := time.Now()
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		for i, c := range open {
			select {
			case <-c.closed:
				t.Logf("%s: node %d closed the connection after %v", name, i, time.Since(began))
			case <-time.After(5 * time.Second):
				t.Fatalf("%s: node %d has not closed the connection of a removed user", name, i)
			}
		}
		if took := time.Since(began); took > 2*time.Second { // 1 s is promised; a busy machine may need longer
			t.Errorf("%s: both connections were closed after %v; want within a second", name, took)
		}
	}
}
