package apicheck_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goMod is the module of a host that has this repository at %s.
const goMod = `module example.org/host

go 1.26.0

require github.com/writer-presence/writer-presence v0.0.0

replace github.com/writer-presence/writer-presence => `

// hostProgram mounts the handler, sends it an update and a request for the list, and prints the answers.
const hostProgram = `package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

func main() {
	store, err := sqlitestore.Open(os.Args[1], sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := httpapi.New(httpapi.Options{
		Service: presence.NewService(store),
		Authenticator: identity.Functions{
			Identify:  func(context.Context, identity.Request) (presence.User, error) { return identity.NewUser("1", "Alice") },
			Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- store.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/writer/api/", handler)
	const project = "http://127.0.0.1/writer/api/project/thesis/presence/"
	update := httptest.NewRequest("POST", project+"update/", strings.NewReader("{\"section\": \"abstract\"}"))
	update.Header.Set("Content-Type", "application/json")
	for _, r := range []*http.Request{update, httptest.NewRequest("GET", project+"list/", nil)} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, r)
		fmt.Println(answer.Code, answer.Body)
	}
	cancel()
	if err := <-done; err != nil {
		log.Fatal(err)
	}
}
`

// hostModule writes a module outside the repository that requires this one, and returns a function that runs the go
// command in it, without the network: the module cache has all that this module needs.
func hostModule(t *testing.T, program string) (run func(args ...string) (output string, err error)) {
	t.Helper()
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": goMod + repository + "\n", "go.sum": string(sums), "main.go": program} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (string, error) {
		c := exec.Command("go", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod "+os.Getenv("GOFLAGS"), "GOPROXY=off", "GOWORK=off")
		output, err := c.CombinedOutput()
		return string(output), err
	}
}

func TestAnotherModuleCanMountTheHandler(t *testing.T) {
	output, err := hostModule(t, hostProgram)("run", ".", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if strings.Count(output, "200 {") != 2 || strings.Count(output, `"username":"Alice"`) < 2 {
		t.Errorf("the program printed\n%s\nwant two answers 200 that name Alice", output)
	}
}

func TestAnotherModuleCannotImportInternalPackages(t *testing.T) {
	output, err := hostModule(t, `package main

import _ "github.com/writer-presence/writer-presence/internal/wire"

func main() {}
`)("build", ".")
	if err == nil || !strings.Contains(output, "use of internal package") {
		t.Errorf("go build returned %v and printed\n%s\nwant an error about an internal package", err, output)
	}
}
