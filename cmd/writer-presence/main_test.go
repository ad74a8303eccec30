package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this test's own binary be the program, so that tests can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("WRITER_PRESENCE_TEST_MAIN") != "" {
		os.Unsetenv("WRITER_PRESENCE_TEST_MAIN") // which is unknown to the program, and would stop it
		main()
		return
	}
	os.Exit(m.Run())
}

// server is the program in a process of its own.
type server struct {
	*testing.T
	cmd    *exec.Cmd
	url    string
	stderr *output
}

// output is what a process writes, which may be read meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{T: t, stderr: &output{}}
	s.cmd = exec.Command(os.Args[0], append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	s.cmd.Env = append(os.Environ(), "WRITER_PRESENCE_TEST_MAIN=1")
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.cmd.Wait()
		t.Fatalf("the start printed %q, %v, and: %s", line, err, s.stderr)
	}
	s.url = strings.TrimSuffix(strings.TrimSpace(line[strings.Index(line, "http://"):]), "/")
	return s
}

// post sends a body and reads a JSON answer; status is 0 if there was none.
func (s *server) post(path, token, body string, answer any) (status int) {
	r, err := http.NewRequest(http.MethodPost, s.url+"/writer/api/"+path, strings.NewReader(body))
	if err != nil {
		s.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return 0
	}
	return response.StatusCode
}

func (s *server) token(name string) string {
	s.Helper()
	var answer struct{ Token string }
	if status := s.post("dev/token/", "", fmt.Sprintf(`{"username": %q}`, name), &answer); status != 200 {
		s.Fatalf("a token for %s: status %d", name, status)
	}
	return answer.Token
}

// sections gives the list as name: sections.
func (s *server) sections(token string) map[string][]string {
	s.Helper()
	r, _ := http.NewRequest(http.MethodGet, s.url+"/writer/api/project/p/presence/list/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	var list struct {
		Users []struct {
			Username string
			Sections []string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		s.Fatal(err)
	}
	all := map[string][]string{}
	for _, u := range list.Users {
		all[u.Username] = u.Sections
	}
	return all
}

type updateAnswer struct {
	Success bool
	Durable *bool
	Version uint64
}

func TestWhatWasAcknowledgedIsThereAfterSIGKILLUnderLoad(t *testing.T) {
	const writers, kills = 24, 3
	data := t.TempDir()
	var version uint64
	for round := range kills {
		s := start(t, "--dev", "--data", data)
		tokens := make([]string, writers)
		for i := range tokens {
			tokens[i] = s.token(fmt.Sprintf("Writer %d", i))
		}
		// Each writer moves on as fast as it is acknowledged, until the server is killed.
		// tried is the last section that it asked for, acknowledged the last it was told of.
		tried, acknowledged := make([]string, writers), make([]string, writers)
		var mu sync.Mutex
		sent, enough := 0, make(chan struct{})
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for n := 1; ; n++ {
					tried[i] = fmt.Sprintf("round-%d/step-%d", round, n)
					var answer updateAnswer
					body := fmt.Sprintf(`{"section": %q, "session": "round-%d", "seq": %d}`, tried[i], round, n)
					if s.post("project/p/presence/update/", tokens[i], body, &answer) != 200 {
						return
					}
					if answer.Durable != nil {
						t.Errorf("an answer says durable: %v, with a disk that works", *answer.Durable)
					}
					acknowledged[i] = tried[i]
					mu.Lock()
					version = max(version, answer.Version)
					if sent++; sent == 30*writers {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		s.cmd.Process.Signal(syscall.SIGKILL)
		s.cmd.Wait()
		all.Wait()

		s = start(t, "--dev", "--data", data)
		seen := s.sections(s.token("Reader"))
		for i := range writers {
			sections := seen[fmt.Sprintf("Writer %d", i)]
			if !hasAny(sections, acknowledged[i], tried[i]) {
				t.Errorf("round %d: writer %d was told of %s, had asked for %s, and is in %q after the kill", round, i, acknowledged[i], tried[i], sections)
			}
		}
		var answer updateAnswer
		s.post("project/p/presence/update/", s.token("Reader"), `{"section": "a"}`, &answer)
		if answer.Version <= version {
			t.Errorf("round %d: the version went from %d to %d over the kill", round, version, answer.Version)
		}
		s.cmd.Process.Signal(syscall.SIGKILL)
		s.cmd.Wait()
	}
}

func hasAny(sections []string, due ...string) bool {
	for _, s := range sections {
		for _, d := range due {
			if s == d {
				return true
			}
		}
	}
	return false
}

func TestSIGTERMEndsTheServerInOrder(t *testing.T) {
	data := t.TempDir()
	s := start(t, "--dev", "--data", data)
	token := s.token("Alice")
	var answer updateAnswer
	s.post("project/p/presence/update/", token, `{"section": "a"}`, &answer)
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the end: %v, %s", err, s.stderr)
	}
	if _, err := os.Stat(filepath.Join(data, "presence.db-wal")); !os.IsNotExist(err) {
		t.Errorf("the journal was not closed: its -wal is there, %v", err)
	}
	s = start(t, "--dev", "--data", data)
	if got := s.sections(token)["Alice"]; len(got) != 1 || got[0] != "a" {
		t.Errorf("after the restart Alice, with her old token, sees herself in %q; due: a", got)
	}
}

func TestOneLineSaysWhereToOpenIt(t *testing.T) {
	s := start(t, "--dev", "--data", t.TempDir())
	response, err := http.Get(s.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, _ := io.ReadAll(response.Body)
	if response.StatusCode != 200 || !bytes.Contains(page, []byte("presence-badge")) {
		t.Errorf("at %s/ there is status %d and no page with a badge", s.url, response.StatusCode)
	}
}

// environ gives variables in the form of os.Environ.
func environ(env map[string]string) (all []string) {
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// tell runs the program to its end, which must come by itself.
func tell(t *testing.T, env map[string]string, args ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	err = run(ctx, args, environ(env), &out, &errs)
	if ctx.Err() != nil {
		t.Fatalf("%q went on running", args)
	}
	return out.String(), err
}

func TestABadValueStopsTheStartWithASentence(t *testing.T) {
	notADir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		env  map[string]string
		due  string
	}{
		{args: []string{"--lease", "soon"}, due: "lease"},
		{args: []string{"--lease", "-2m"}, due: "--lease"},
		{args: []string{"--redis-url", ""}, due: "--redis-url is empty"},
		{args: []string{"--drain-delay", "-1s"}, due: "--drain-delay"},
		{args: []string{"--lease", "24h1s"}, due: "is more than 24h"},
		{args: []string{"--heartbeat", "1m"}, due: "more than a third of --lease"},
		{args: []string{"--prefix", "writer"}, due: "--prefix"},
		{args: []string{"--prefix", "/{a}"}, due: "--prefix"},
		{args: []string{"--visitors", "a b"}, due: "--visitors"},
		{args: []string{"--prefix", "//x"}, due: "--prefix"},
		{args: []string{"--prefix", "/a/../b"}, due: "--prefix"},
		{args: []string{"--prefix", "/a\tb"}, due: "--prefix"},
		{args: []string{"--user-rate", "-1"}, due: "--user-rate"},
		{args: []string{"--user-rate", "NaN"}, due: "--user-rate"},
		{args: []string{"--user-connections", "-1"}, due: "--user-connections"},
		{args: []string{"--address-connections", "-1"}, due: "--address-connections"},
		{args: []string{"--projects-per-address", "-1"}, due: "--projects-per-address"},
		{args: []string{"--allowed-origins", "write.example.org"}, due: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://a.example,https://b.example/path"}, due: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://a.*.example"}, due: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://*.127.0.0.1"}, due: "--allowed-origins"},
		{args: []string{"--allowed-origins", "*"}, due: "--allowed-origins"},
		{args: []string{"--allowed-origins", "null"}, due: "--allowed-origins"},
		{args: []string{"--tenant-from", "path"}, due: "--tenant-from"},
		{args: []string{"--admin-addr", "nowhere", "--addr", "127.0.0.1:0"}, due: "--admin-addr"},
		{args: []string{"--connections", "0"}, due: "--connections"},
		{args: []string{"--dev", "--addr", "0.0.0.0:0"}, due: "loopback only"},
		{args: []string{"--dev", "--addr", ":0"}, due: "loopback only"},
		{args: []string{"--dev", "--addr", "example.org:0"}, due: "loopback only"},
		{args: []string{"--addr", ""}, due: "--addr"},
		{args: []string{"--addr", "127.0.0.1:99999"}, due: "--addr"},
		{args: []string{"--data", notADir}, due: "data directory"},
		{args: []string{"--secret-file", notADir}, due: "secret file"},
		{args: []string{"--no-such-flag"}, due: "--no-such-flag"},
		{args: []string{"surplus"}, due: "surplus"},
		{env: map[string]string{"WRITER_PRESENCE_LEASE": "soon"}, due: "WRITER_PRESENCE_LEASE"},
		{env: map[string]string{"WRITER_PRESENCE_DEV": "perhaps"}, due: "WRITER_PRESENCE_DEV"},
		{env: map[string]string{"WRITER_PRESENCE_DEV": "true", "WRITER_PRESENCE_ADDR": "[::]:0"}, due: "loopback only"},
	} {
		args := append([]string{"serve"}, c.args...)
		if len(c.args) == 0 || c.args[0] != "--data" {
			args = append(args, "--data", t.TempDir())
		}
		if _, err := tell(t, c.env, args...); err == nil || !strings.Contains(err.Error(), c.due) {
			t.Errorf("%q %v: %v; due: an error with %q", c.args, c.env, err, c.due)
		}
	}
}

func TestTheCommandLineWinsOverTheEnvironment(t *testing.T) {
	env := map[string]string{"WRITER_PRESENCE_PREFIX": "not a path", "WRITER_PRESENCE_ADDR": "nowhere"}
	if _, err := tell(t, env, "serve", "--data", t.TempDir(), "--prefix", "/p"); err == nil || strings.Contains(err.Error(), "--prefix") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v; due: an error about the address of the environment, and none about its prefix", err)
	}
}

func TestEveryFlagHasAVariableAndIsInTheHelp(t *testing.T) {
	help, err := tell(t, nil, "serve", "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"addr", "data", "secret-file", "prefix", "visitors", "allowed-origins", "dev", "lease", "heartbeat", "user-rate", "address-rate", "visitor-rate", "projects-per-address", "connections", "user-connections", "address-connections", "admin-addr", "drain-delay", "tenant-from"} {
		if !strings.Contains(help, "--"+flag) || !strings.Contains(help, "WRITER_PRESENCE_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))) {
			t.Errorf("the help of serve does not tell of --%s and its variable:\n%s", flag, help)
		}
	}
	if !strings.Contains(help, "--redis-durability mode") {
		t.Errorf("the help of serve does not show the argument of --redis-durability as mode:\n%s", help)
	}
	for _, args := range [][]string{{"--help"}, {}, {"help"}} {
		if help, err := tell(t, nil, args...); err != nil || !strings.Contains(help, "serve") || !strings.Contains(help, "version") {
			t.Errorf("%q: %v\n%s", args, err, help)
		}
	}
	if version, err := tell(t, nil, "version"); err != nil || !strings.HasPrefix(version, "writer-presence ") {
		t.Errorf("version: %q, %v", version, err)
	}
}
