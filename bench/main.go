// Command bench measures the server beside yardsticks in the same run: HTTP requests beside a
// bare net/http server, live connections beside a bare WebSocket server, and Redis beside a
// script that does nothing. Server and load generator have a core each. It prints tables of
// medians; docs/explanation has them with their conditions.
//
//	go -C bench run .                 all scenarios, in about ten minutes
//	go -C bench run . live            those whose name contains the words
//	go -C bench run . -quick redis    in their shortest form; the figures mean nothing
//	go -C bench run . -list           their names
//	go -C bench run . model           what millions of people need, computed from measured costs
//	go -C bench run . model write     likewise, into docs/explanation/scaling.md
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/writer-presence/writer-presence/bench/internal/capacity"
	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/live"
	"github.com/writer-presence/writer-presence/bench/internal/polling"
	"github.com/writer-presence/writer-presence/bench/internal/redis"
)

// root is the root of the repository from the directory of this module, where `go -C bench run` runs.
const root = ".."

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if served, err := serveYardstick(args); served {
		return err
	}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	quick := flags.Bool("quick", false, "run scenarios in their shortest form, whose figures mean nothing")
	list := flags.Bool("list", false, "print the names of the scenarios")
	pinned := flags.Bool("pinned", false, "do not move to the load generator's core")
	flags.Parse(args)
	words := strings.Join(flags.Args(), " ")
	switch {
	case words == "model":
		fmt.Print(capacity.Text(capacity.Measured))
		return nil
	case words == "model write":
		return capacity.WriteDocument(filepath.Join(root, capacity.Document), capacity.Measured)
	case *list:
		scenarios, _ := scenarios(*quick, os.Stdout)
		for _, s := range scenarios {
			fmt.Println(s.Name)
		}
		return nil
	case !*pinned:
		return pin(args)
	}
	fmt.Printf("%s, %s, server and load generator on a core each\n", cpuModel(), runtime.Version())
	if harness.Realtime() == nil {
		fmt.Println("Servers are not scheduled ahead of other processes, which needs root: p99 figures may be the machine's.")
	}
	return runScenarios(words, *quick, os.Stdout)
}

// serveYardstick serves if the arguments, which scenarios give, say so.
func serveYardstick(args []string) (served bool, err error) {
	switch {
	case len(args) == 1 && args[0] == "yardstick-http":
		return true, polling.ServeYardstick()
	case len(args) == 2 && args[0] == "yardstick-websocket":
		return true, live.ServeYardstick(args[1])
	}
	return false, nil
}

// pin replaces this process by one on the load generator's core.
func pin(args []string) error {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(taskset, append([]string{"taskset", "-c", harness.LoadCore, self, "-pinned"}, args...), os.Environ())
}

func scenarios(quick bool, out io.Writer) ([]harness.Scenario, *redis.Suite) {
	http, sockets, nodes := polling.Full, live.Full, redis.Full
	if quick {
		http, sockets, nodes = polling.Quick, live.Quick, redis.Quick
	}
	suite := &redis.Suite{Sizes: nodes, Costs: capacity.Measured}
	all := polling.Scenarios(http, out)
	all = append(all, live.Scenarios(sockets)...)
	return append(all, suite.Scenarios()...), suite
}

// runScenarios runs the scenarios whose name contains the words.
func runScenarios(words string, quick bool, out io.Writer) error {
	dir, err := os.MkdirTemp("", "writer-presence-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env := harness.Env{Binary: filepath.Join(dir, "writer-presence"), Dir: dir, Out: out}
	build := exec.Command("go", "build", "-o", env.Binary, "./cmd/writer-presence")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	all, suite := scenarios(quick, out)
	found := false
	for _, s := range all {
		if !strings.Contains(s.Name, words) {
			continue
		}
		switch {
		case !s.SharesTable:
			fmt.Fprintf(out, "\n### %s\n\n", s.Name)
		case !found:
			fmt.Fprintln(out)
		}
		found = true
		if err := env.Run(s.Run); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	if !found {
		return fmt.Errorf("no scenario's name contains %q; -list prints the names", words)
	}
	if suite.Measured {
		fmt.Fprintf(out, "\nFor bench/internal/capacity/costs.go (what was not measured is unchanged):\n\n%s", suite.Costs.GoCode())
	}
	return nil
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
