package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

func TestHostCommandsAnswerWhoIsWhereAndMakeAUserLeave(t *testing.T) {
	data, key := t.TempDir(), apiKeyFile(t, apiKey+"\n")
	s := startServer(t, "--dev", "--data", data, "--admin-addr", "127.0.0.1:0", "--api-key-file", key)
	s.admin() // the file by which the commands find the server is written before the log has its address
	env := map[string]string{"WRITER_PRESENCE_API_KEY_FILE": key, "WRITER_PRESENCE_DATA": data}
	ask := func(args ...string) string {
		t.Helper()
		text, err := runToEnd(t, env, args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return text
	}
	want := func(pattern string, args ...string) {
		t.Helper()
		if text := ask(args...); !regexp.MustCompile("^" + pattern + "$").MatchString(text) {
			t.Errorf("%q printed:\n%s\nwant\n%s", args, text, pattern)
		}
	}
	want("nobody is online\n", "ls")
	want("nobody is in project 42\n", "who", "42")

	for name, body := range map[string]string{
		"Alice": `{"session": "a", "section": "abstract", "unsaved": true}`,
		"Bob":   `{"session": "b", "section": "abstract"}`,
		"Carol": `{"session": "c", "section": "notes", "activity": "viewing", "waiting_for": "abstract"}`,
	} {
		s.post("project/42/presence/update/", s.token(name), body, &updateReply{})
	}
	s.post("project/b/presence/update/", s.token("Alice"), `{"session": "d", "section": "x"}`, &updateReply{})
	want(`PROJECT  PEOPLE  AGENTS\n42       3       0\nb        1       0\n`, "ls")
	want(`PROJECT  PEOPLE  AGENTS\nb        1       0\n`, "ls", "b")
	ago := ` +\d+ s ago\n`
	want(`USER +NAME +SECTION +ACTIVITY +LAST SEEN\n`+
		`\S+ +Alice +abstract +editing, in conflict, unsaved changes`+ago+
		`\S+ +Bob +abstract +editing, in conflict`+ago+
		`\S+ +Carol +notes +viewing, waits for abstract`+ago, "who", "42")

	text := ask("who", "42", "--json")
	if strings.Contains(text, "null") {
		t.Errorf("who --json has null in place of a list: %s", text)
	}
	var snapshot client.Snapshot
	if err := json.Unmarshal([]byte(text), &snapshot); err != nil || len(snapshot.Users) != 3 || len(snapshot.Sessions) != 3 {
		t.Fatalf("who --json has %+v, %v; want three users and sessions", snapshot, err)
	}
	alice := string(snapshot.Users[0].ID)
	want(`PROJECT +NAME +SECTIONS +ACTIVITY +LAST SEEN\n42 +Alice +abstract +editing, unsaved changes`+ago+`b +Alice +x +editing`+ago, "where", alice)
	want(`ended all sessions of user \S+ in project b\n`, "kick", alice, "--project", "b")
	want(`PROJECT .*\n42 .*\n`, "where", alice)
	want(`ended all sessions of user \S+ in 1 project\nthe server rejects the user for 10m0s\n`, "kick", alice, "--for", "10m")
	var reply updateReply
	if status := s.post("project/42/presence/update/", s.token("Alice"), `{"session": "e"}`, &reply); status != 403 || reply.Code != "removed" {
		t.Errorf("an update of Alice is answered %d %s; want 403 removed", status, reply.Code)
	}
	want(`\[\]\n`, "where", alice, "--json")
	want(`\{\n  "user_id": "nobody",\n  "projects": 0,\n  "for": 0\n\}\n`, "kick", "nobody", "--json")
	if text := ask("kick", "nobody"); !strings.Contains(text, "look up the id") {
		t.Errorf("kick of a user who is nowhere printed %q; want what to do", text)
	}

	// The exit status of a process, too.
	c := program(t.Context(), "who", "42", "--api-key-file", apiKeyFile(t, strings.ToUpper(apiKey)), "--api", s.admin())
	if text, err := c.CombinedOutput(); c.ProcessState.ExitCode() != 1 || !strings.Contains(string(text), "rejects the key of") {
		t.Errorf("with a wrong key: %v %s; want the exit status 1, and a sentence", err, text)
	}
	for want, args := range map[string][]string{
		"is not the admin address of a presence server": {"--api", s.url},
		"no server answers at 127.0.0.1:1: ":            {"--api", "127.0.0.1:1"},
		`give the address of the server's --admin-addr`: {"--api", "ftp://x"},
		"give the server's address with --api":          {"--data", filepath.Join(data, "other")},
		"an argument is empty":                          {""},
		"--api-key-file: cannot read the API key":       {"--api-key-file", key + "x"},
	} {
		if _, err := runToEnd(t, env, append([]string{"ls"}, args...)...); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ls %q: %v; want one sentence with %q", args, err, want)
		}
	}
	if _, err := runToEnd(t, nil, "ls", "--api", s.admin()); err == nil || !strings.Contains(err.Error(), "give --api-key-file") {
		t.Errorf("without a key: %v; want the flag", err)
	}
	if _, err := runToEnd(t, env, "where", "7", "--tenant", "a.example"); err == nil || !strings.Contains(err.Error(), "on any other server leave it out") {
		t.Errorf("a tenant on a server without tenants: %v; want the flag", err)
	}
	if _, err := runToEnd(t, env, "kick", "7", "--project", ""); err == nil || !strings.Contains(err.Error(), "--project is empty") {
		t.Errorf("kick --project without a value: %v; want an error, and not a kick from all projects", err)
	}
	if _, err := runToEnd(t, env, "kick", "7", "--for", "25h"); err == nil || !strings.Contains(err.Error(), "--for 25h") {
		t.Errorf("kick --for 25h: %v; want the limit", err)
	}
}

func TestKeyOfTheHostAPIIsSentOnlyToTheServerOfTheDataDirectory(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another program got the key")
		}
	}))
	defer other.Close()
	data := t.TempDir()
	self := runningServer{Instance: "gone", Admin: other.Listener.Addr().String(), PID: 1}
	if err := self.write(data, filepath.Join(data, serverFile)); err != nil {
		t.Fatal(err)
	}
	_, err := runToEnd(t, nil, "ls", "--data", data, "--api-key-file", apiKeyFile(t, apiKey))
	if err == nil || !strings.Contains(err.Error(), "another server answers") {
		t.Errorf("%v; want an error that another program answers", err)
	}
}

func TestHostCommandsFindTheServerByItsConfigurationAlsoOnAUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin")
	key := apiKeyFile(t, apiKey)
	config := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "dev = true\nadmin-addr = \"unix:%s\"\napi-key-file = %q\ndata = %q\n", socket, key, t.TempDir()), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, "--config", config).admin()
	for _, args := range [][]string{{"--config", config}, {"--api", "unix:" + socket, "--api-key-file", key}} {
		if text, err := runToEnd(t, nil, append([]string{"ls"}, args...)...); err != nil || text != "nobody is online\n" {
			t.Errorf("%q: %q, %v", args, text, err)
		}
	}
}

func TestTextOfOthersDoesNotControlTheTerminal(t *testing.T) { // invariant 12
	if got := printable("a\x1b[2J\u202eb\nć"); got != "a\ufffd[2J\ufffdb\ufffdć" {
		t.Errorf("got %q", got)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const user = `{"user_id": 7, "activity": "\u001b[2J"}`
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code": "x", "error": "a\u001b[2J"}`)
			return
		}
		fmt.Fprintf(w, `{"success": true, "users": [%s], "sessions": [%[1]s], "projects": [{"project": "p", "user": %[1]s}]}`, user)
	}))
	defer other.Close()
	for _, args := range [][]string{{"who", "p"}, {"where", "7"}, {"kick", "7"}} {
		c := program(t.Context(), append(args, "--api", other.URL, "--api-key-file", apiKeyFile(t, apiKey))...)
		text, _ := c.CombinedOutput()
		if !strings.Contains(string(text), "\ufffd[2J") || strings.Contains(string(text), "\x1b") {
			t.Errorf("%q printed %q; want a sign in place of the escape character", args, text)
		}
	}
}
