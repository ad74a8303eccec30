package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// reload sends SIGHUP and returns the line that the server logs about it.
func (s *server) reload() (line string) {
	s.Helper()
	before := len(s.stderr.String())
	s.cmd.Process.Signal(syscall.SIGHUP)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(s.stderr.String()[before:]) {
			if strings.Contains(line, "the configuration") && strings.HasSuffix(line, "\n") {
				return line
			}
		}
	}
	s.Fatalf("SIGHUP had no effect:\n%s", s.stderr)
	return ""
}

func TestSIGHUPAppliesNewSettingsWithoutClosingALiveConnection(t *testing.T) {
	secret, config := secretFile(t), writeConfig(t, "")
	keyFile, newKey := apiKeyFile(t, apiKey), strings.Repeat("k", 32)
	hookFile := filepath.Join(t.TempDir(), "webhook-secret")
	settings := fmt.Sprintf("jwt-secret-file = %q\napi-key-file = %q\nwebhook-secret-file = %q\nwebhook-url = \"http://127.0.0.1:9/\"\n", secret, keyFile, hookFile)
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config, settings)
	write(hookFile, strings.Repeat("a", 32)+"\n")
	s := startServer(t, "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--config", config, "--address-rate", "400")
	claims := jwt.MapClaims{"sub": "1", "username": "Alice", "projects": "*"}
	old := signToken(t, claims)
	const newSecret = "another secret that only the tokens of tests have"
	renewed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(newSecret))
	if err != nil {
		t.Fatal(err)
	}
	live, err := dialLive(s.url, "p", "Authorization", "Bearer "+old)
	if err != nil {
		t.Fatal(err)
	}
	status := func(token, body string, headers ...string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, s.url+"/writer/api/project/p/presence/update/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	// step writes the settings, reloads, and checks the log line and that the live connection is as it was.
	seq := 0
	hello := func(token string) {
		t.Helper()
		seq++
		if answer := live.send(fmt.Sprintf(`{"type": "hello", "token": %q, "session": "tab", "seq": %d, "section": "a", "known_version": 0}`, token, seq)); answer != "ack" {
			t.Fatalf("the live connection answers %q; want ack", answer)
		}
	}
	step := func(text, want string) {
		t.Helper()
		write(config, settings+text)
		if line := s.reload(); !strings.Contains(line, want) {
			t.Fatalf("with %q the log has %swant %s", text, line, want)
		}
		seq++
		if answer := live.send(fmt.Sprintf(`{"type": "update", "session": "tab", "seq": %d, "section": "a"}`, seq)); answer != "ack" {
			t.Fatalf("after a reload with %q the live connection answers %q; want ack", text, answer)
		}
	}
	hello(old)
	if got := status(renewed, `{}`); got != 401 {
		t.Errorf("before the rotation the new token is answered %d; want 401", got)
	}
	step("", `changed=[] changed_but_needs_a_restart=[]`)

	write(secret, newSecret+"\n"+jwtSecret+"\n")
	step("", `changed=[jwt-secret-file]`)
	if a, b := status(old, `{}`), status(renewed, `{}`); a != 200 || b != 200 {
		t.Errorf("with both secrets the tokens are answered %d and %d; want 200", a, b)
	}
	write(keyFile, newKey)
	step("", `changed=[api-key-file]`)
	for key, want := range map[string]int{apiKey: 401, newKey: 200} {
		r, err := http.NewRequest(http.MethodGet, "http://"+s.admin()+"/api/v1/projects", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("after a new API key the key %s is answered %d; want %d", key, response.StatusCode, want)
		}
	}
	write(hookFile, strings.Repeat("b", 32)+"\n")
	step("", `changed=[webhook-secret-file]`)
	write(hookFile, "short\n")
	step("", "the configuration cannot be used")
	write(hookFile, strings.Repeat("b", 32)+"\n")
	hello(renewed) // as pages do; with the old token the connection would be closed at the next check after the rotation
	write(secret, "short")
	step("", "the configuration cannot be used")
	step("lease = 5", "the configuration cannot be used")
	if got := status(renewed, `{}`); got != 200 {
		t.Errorf("after settings that cannot be used the token is answered %d; want 200", got)
	}
	write(secret, newSecret)
	step("allowed-origins = [\"https://a.example\"]\nlease = \"4m\"\nlog-level = \"debug\"\naddress-rate = 1\nprefix = \"/x\"",
		`changed="[allowed-origins jwt-secret-file log-level]" changed_but_needs_a_restart="[lease prefix]"`)
	if a, b := status(old, `{}`), status(renewed, `{}`); a != 401 || b != 200 {
		t.Errorf("with the new secret the tokens are answered %d and %d; want 401 and 200", a, b)
	}
	if a, b := status(renewed, `{}`, "Origin", "https://a.example"), status(renewed, `{}`, "Origin", s.url); a != 200 || b != 403 {
		t.Errorf("pages of the listed and of another origin are answered %d and %d; want 200 and 403", a, b)
	}
	if log := s.stderr.String(); !strings.Contains(log, "level=DEBUG") {
		t.Errorf("the log has no debug line for the rejected token:\n%s", log)
	}
	step("user-rate = 0.002", `changed="[allowed-origins log-level user-rate]" changed_but_needs_a_restart=[]`)
	step("user-rate = 0.002\nvisitors = \"on\"", `changed="[secret-file visitors]"`)
	for i := range 3 {
		status(renewed, fmt.Sprintf(`{"session": "new-%d", "section": "b"}`, i))
	}
	if got := status(renewed, `{"session": "one-more", "section": "b"}`); got != 429 {
		t.Errorf("over the new rate of the user a new session is answered %d; want 429", got)
	}
	settings = settings[:strings.Index(settings, "webhook-secret-file")] // and the address, which needs a restart
	step("", "restart the server")
}

func TestSIGHUPDuringTheStartDoesNotEndTheServer(t *testing.T) {
	redis, err := net.Listen("tcp", "127.0.0.1:0") // it does not answer
	if err != nil {
		t.Fatal(err)
	}
	c := program(t.Context(), "serve", "--addr", "127.0.0.1:0", "--redis-url", "redis://"+redis.Addr().String(), "--secret-file", filepath.Join(t.TempDir(), "secret"), "--data", t.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := redis.Accept()
	if err == nil {
		err = c.Process.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
	redis.Close()
	conn.Close()
	if c.Wait(); c.ProcessState.ExitCode() != 1 {
		t.Errorf("the process ended with %v; want the exit status 1, because Redis does not answer", c.ProcessState)
	}
}
