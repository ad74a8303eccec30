// Package harness runs benchmark scenarios: it starts servers on a core of their own, reads
// from the kernel what they used, and prints tables of medians.
package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// APIPrefix is the default --prefix of the server.
const APIPrefix = "/writer/api"

// Scenario is one benchmark.
type Scenario struct {
	Name string
	Run  func(*Run)
}

// Env is what all scenarios of one invocation share.
type Env struct {
	Binary string // the server that is measured
	Dir    string // for data and keys
	Out    io.Writer

	counting bool // servers are started under valgrind; see CountInstructions
}

// Run is one execution of a scenario. Like testing.TB it stops at the first failed Check,
// and calls cleanup functions last registered first.
type Run struct {
	Env
	cleanups []func()
}

// failure carries the error of Check up to Env.Run.
type failure struct{ err error }

// Run executes a scenario and returns the error that stopped it.
func (e Env) Run(scenario func(*Run)) (err error) {
	r := &Run{Env: e}
	defer func() {
		for _, f := range slices.Backward(r.cleanups) {
			f()
		}
	}()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.err
		default:
			panic(p)
		}
	}()
	scenario(r)
	return nil
}

// Sub executes a part of the scenario and cleans up after it at once.
func (r *Run) Sub(part func(*Run)) { r.Check(r.Env.Run(part)) }

// Check stops the scenario if err is not nil.
func (r *Run) Check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// Cleanup registers a function to call when the scenario ends.
func (r *Run) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// PauseGC turns garbage collection off until the scenario ends, so that a pause of the load
// generator is not measured as a latency of the server.
func (r *Run) PauseGC() {
	runtime.GC()
	before := debug.SetGCPercent(-1)
	r.Cleanup(func() { debug.SetGCPercent(before) })
}

// User is a user with a token of --dev.
type User struct{ Name, Token string }

var httpClient = http.Client{Timeout: 10 * time.Second}

// Users returns the first n users. Their tokens are valid on all servers of StartServer.
func (r *Run) Users(server *Process, n int) []User {
	users := make([]User, n)
	for i := range users {
		users[i].Name = fmt.Sprintf("Writer %d", i)
		body, err := json.Marshal(map[string]any{"username": users[i].Name, "user_id": i + 1})
		r.Check(err)
		response, err := httpClient.Post("http://"+server.Address+APIPrefix+"/dev/token/", "application/json", bytes.NewReader(body))
		r.Check(err)
		r.Check(json.NewDecoder(response.Body).Decode(&users[i]))
		response.Body.Close()
	}
	return users
}

// StartServer starts the measured server with an empty data directory.
func (r *Run) StartServer(args ...string) *Process {
	data, err := os.MkdirTemp(r.Dir, "data-")
	r.Check(err)
	return r.Start(r.Binary, slices.Concat([]string{"serve", "--dev", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
		"--data", data, "--secret-file", filepath.Join(r.Dir, "secret")}, args)...)
}

// ServeYardstick serves a handler at a free port, which it prints for Start. It returns only on errors.
func ServeYardstick(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/\n", l.Addr())
	return http.Serve(l, h)
}

// StartYardstick starts this program as one of the servers to compare with.
func (r *Run) StartYardstick(args ...string) *Process {
	self, err := os.Executable()
	r.Check(err)
	return r.Start(self, args...)
}
