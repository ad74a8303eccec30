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
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

// runMain is the variable with which the test binary runs the program instead of the tests.
const runMain = "WRITER_PRESENCE_TEST_MAIN"

// TestMain runs the program if runMain is set, so that tests can start it as a process and kill it.
func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		os.Unsetenv(runMain) // an unknown variable would stop the program
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns a command that runs the program in a process of its own, until ctx ends.
func program(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), runMain+"=1")
	return c
}

// output collects what a process writes, and may be read at the same time.
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

// server is a server in a process of its own.
type server struct {
	*testing.T
	cmd    *exec.Cmd
	url    string
	stderr *output
}

// startServer starts a server on a free port, and kills it when the test ends. It tries again while Redis does not
// answer the server in time, because the machine is busy.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	start := func() (*server, error) {
		return tryToStart(t, program(context.Background(), append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...))
	}
	began := time.Now()
	s, err := start()
	for redistest.IsLate(err) && time.Since(began) < redistest.SlowStart {
		s, err = start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startCommand starts a server by a command that listens on a free port, and kills it when the test ends.
func startCommand(t *testing.T, c *exec.Cmd) *server {
	t.Helper()
	s, err := tryToStart(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tryToStart is startCommand, but returns an error if the process ends before it listens.
func tryToStart(t *testing.T, c *exec.Cmd) (*server, error) {
	t.Helper()
	s := &server{T: t, cmd: c, stderr: &output{}}
	s.cmd.Stderr = s.stderr
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
		s.cmd.Wait()
		return nil, fmt.Errorf("the server did not start: %w\n%s", err, s.stderr)
	}
	s.url = "http://" + addr
	return s, nil
}

// readAddr reads the line that a server prints when it listens, and returns its address.
func readAddr(stdout io.Reader) (string, error) {
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", err
	}
	_, addr, _ := strings.Cut(line, " is at ")
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(addr), "http://"), "/"), nil
}

// addr returns the host and port of the server.
func (s *server) addr() string { return strings.TrimPrefix(s.url, "http://") }

// kill sends SIGKILL and waits for the process.
func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// wait waits for the process, which must end without an error.
func (s *server) wait() {
	s.Helper()
	if err := s.cmd.Wait(); err != nil {
		s.Errorf("the server ended with %v\n%s", err, s.stderr)
	}
}

var adminAddress = regexp.MustCompile(`msg=serving .*admin=(\S+)`)

// admin returns the address of health and metrics, from the log.
func (s *server) admin() string {
	s.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := adminAddress.FindStringSubmatch(s.stderr.String()); found != nil {
			return found[1]
		}
	}
	s.Fatalf("the log has no address of health and metrics:\n%s", s.stderr)
	return ""
}

// get requests a path at an address. The status is 0 if there was no answer.
func get(address, path string) (status int, text string) {
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// updateReply is the answer to an update or a leave.
type updateReply struct {
	Success   bool
	Code      string
	Durable   *bool
	Version   uint64
	Activity  string
	Conflicts []struct{ Username string }
}

// post sends a body to a path of the API and decodes the answer. The status is 0 if there was no answer in JSON.
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

// token returns a token of --dev.
func (s *server) token(name string) string {
	s.Helper()
	var answer struct{ Token string }
	if status := s.post("dev/token/", "", fmt.Sprintf(`{"username": %q}`, name), &answer); status != 200 {
		s.Fatalf("the request for a token for %s was answered %d", name, status)
	}
	return answer.Token
}

// list is the answer to a request for the list of project p.
type list struct {
	Version uint64
	Users   []struct {
		Username string
		Sections []string
	}
	Saved []struct{ Section, Revision string }
}

// revision returns the revision of the save of a section.
func (l list) revision(section string) string {
	for _, save := range l.Saved {
		if save.Section == section {
			return save.Revision
		}
	}
	return ""
}

// sections returns the sections of a user.
func (l list) sections(user string) []string {
	for _, u := range l.Users {
		if u.Username == user {
			return u.Sections
		}
	}
	return nil
}

// list requests the list of project p, within 5 s.
func (s *server) list(token string) (l list, status int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/writer/api/project/p/presence/list/", nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&l); err != nil {
		s.Fatal(err)
	}
	return l, response.StatusCode
}
