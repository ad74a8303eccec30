// Command bench measures the server beside yardsticks in the same run: HTTP requests beside a
// bare net/http server, live connections beside a bare WebSocket server, and Redis beside a
// script that does nothing. Server and load generator have a core each. It prints tables of
// medians; docs/explanation has them with their conditions.
//
//	go -C bench run .                 all scenarios, in about ten minutes
//	go -C bench run . live            those whose name contains the words
//	go -C bench run . -quick redis    in their shortest form; the figures mean nothing
//	go -C bench run . soak            ten minutes of all that happens, in which nothing may grow; -duration 2h for longer
//	go -C bench run . instructions    instructions of a request and of a delivered change by valgrind, against budgets, in ten minutes at most
//	go -C bench run . profile         writes cmd/writer-presence/default.pgo for profile-guided optimisation, in two minutes
//	go -C bench run . compare         beside other servers, in about fifteen minutes; compare django: beside one of them
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/compare"
	"github.com/writer-presence/writer-presence/bench/internal/growth"
	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/live"
	"github.com/writer-presence/writer-presence/bench/internal/polling"
	"github.com/writer-presence/writer-presence/bench/internal/redis"
)

// profileTime is how long the server is profiled in each of its cases.
const profileTime = 8 * time.Second

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
	pinned := flags.Bool("pinned", false, "do not move to the load generator's core")
	duration := flags.Duration("duration", 10*time.Minute, "how long soak runs")
	rate := flags.Float64("rate", 100, "changes a second of soak; all else that happens in it follows from that")
	var words []string
	for rest := args; ; rest = flags.Args()[1:] { // flags may follow words
		flags.Parse(rest)
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
	}
	chosen, err := choose(words, *quick, *duration, *rate)
	if err != nil {
		return err
	}
	if !*pinned {
		return pin(args)
	}
	fmt.Printf("%s, server and load generator on a core each of %s\n", runtime.Version(), harness.Processor())
	if harness.Realtime() == nil {
		fmt.Println("Servers are not scheduled ahead of other processes, which needs root: p99 figures may be the machine's.")
	}
	return runScenarios(chosen, os.Stdout)
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

func scenarios(quick bool) []harness.Scenario {
	http, sockets, nodes, node := polling.Full, live.Full, redis.Full, growth.Full
	if quick {
		http, sockets, nodes, node = polling.Quick, live.Quick, redis.Quick, growth.Quick
	}
	return slices.Concat([]harness.Scenario{polling.Scenario(http)}, live.Scenarios(sockets), redis.Scenarios(nodes), []harness.Scenario{growth.Scenario(node)})
}

// profile records the profile for profile-guided optimisation: of all kinds of requests and of live changes.
func profile(r *harness.Run) {
	files := append(polling.Profiles(r, profileTime), live.Profile(r, profileTime))
	r.MergeProfiles(filepath.Join(root, "cmd", "writer-presence", "default.pgo"), files)
}

func instructions(quick bool) []harness.Scenario {
	requests, changes := polling.CountedRequests, live.CountedChanges
	if quick {
		requests, changes = 100, 10
	}
	return []harness.Scenario{live.Instructions(changes), polling.Instructions(requests)}
}

// choose returns the scenarios whose name contains the words. Soak, profile, compare and instructions run only when they are
// asked for.
func choose(words []string, quick bool, duration time.Duration, rate float64) (chosen []harness.Scenario, err error) {
	switch {
	case quick && len(words) > 0 && (words[0] == "soak" || words[0] == "profile"):
		return nil, fmt.Errorf("%s has no short form; -duration 1m shortens soak", words[0])
	case slices.Equal(words, []string{"soak"}):
		return []harness.Scenario{live.Soak(duration, rate)}, nil
	case slices.Equal(words, []string{"profile"}):
		return []harness.Scenario{{Name: "profile, for profile-guided optimisation", Run: profile}}, nil
	case len(words) > 0 && words[0] == "compare":
		sizes := compare.Full
		if quick {
			sizes = compare.Quick
		}
		s, err := compare.Scenario(sizes, words[1:])
		return []harness.Scenario{s}, err
	}
	all, names := scenarios(quick), []string{"soak", "profile", "compare", "instructions"}
	if len(words) > 0 && strings.HasPrefix(words[0], "instructions") {
		all = instructions(quick)
	}
	for _, s := range all {
		names = append(names, s.Name)
		if strings.Contains(s.Name, strings.Join(words, " ")) {
			chosen = append(chosen, s)
		}
	}
	if chosen == nil {
		return nil, fmt.Errorf("no scenario's name contains %q; there are: %s", strings.Join(words, " "), strings.Join(names, "; "))
	}
	return chosen, nil
}

func runScenarios(chosen []harness.Scenario, out io.Writer) error {
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
	for _, s := range chosen {
		fmt.Fprintf(out, "\n### %s\n\n", s.Name)
		if err := env.Run(s.Run); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}
