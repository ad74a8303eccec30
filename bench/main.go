// Command bench measures the server beside a bare net/http server that answers the
// same bytes, in the same run: the server on one core, the load on another, in turns.
// Live connections are measured beside a bare server of the same library.
// Several nodes are measured with the Redis that they share, and Redis alone beside a script
// that does nothing. It prints tables of medians; docs/explanation/performance.md and docs/explanation/scaling.md keep
// them with their conditions.
//
//	go run ./bench            all cases
//	go run ./bench durable    those whose name contains the word
//	go run ./bench live       those of live connections
//	go run ./bench redis      those of several nodes on Redis: see docs/explanation/scaling.md
//	go run ./bench model      what millions of people need, reckoned from those
//	go run ./bench model write    likewise, into docs/explanation/scaling.md
package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	serverCore = "0"
	loadCore   = "1"
	rounds     = 7
	roundTime  = 2 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "bare" {
		return serveBare(args[1])
	}
	if len(args) == 3 && args[0] == "bare-ws" {
		return serveBareLive(args[1], args[2])
	}
	if len(args) > 0 && args[0] == "model" {
		return runModel(len(args) > 1 && args[1] == "write")
	}
	if len(args) == 0 || args[0] != "pinned" {
		return pin(args)
	}
	only := strings.Join(args[1:], " ")

	dir, err := os.MkdirTemp("", "writer-presence-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "writer-presence")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/writer-presence").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	fmt.Printf("%s, %s, server and load on a core each\n", cpuModel(), runtime.Version())
	if ahead() == nil {
		fmt.Println("The servers could not be put ahead of other processes (that needs root): their p99 may be the machine's.")
	}
	if err := runHTTP(only, binary, dir); err != nil {
		return err
	}
	if err := runLive(only, binary, dir); err != nil {
		return err
	}
	return runRedis(only, binary, dir, fullSizes)
}

func runHTTP(only, binary, dir string) error {
	begun := false
	for _, c := range cases {
		if !strings.Contains(c.name, only) {
			continue
		}
		if !begun {
			begun = true
			fmt.Printf("\n%d rounds of %v each in turns\n\n", rounds, roundTime)
			fmt.Printf("| %-46s | %-22s | %-22s | %s | %s |\n", "case", "ours: µs CPU, req/s", "bare: µs CPU, req/s", "CPU, ratio", "req/s, ratio")
			fmt.Println("| --- | --- | --- | --- | --- |")
		}
		if err := measure(c, binary, dir); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// pin starts this program again on the core of the load.
func pin(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command("taskset", append([]string{"-c", loadCore, self, "pinned"}, args...)...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}

// figure is what one round came to.
type figure struct{ cpu, rate float64 }

func measure(c benchCase, binary, dir string) error {
	data, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return err
	}
	ours, err := start(binary, "serve", "--dev", "--addr", "127.0.0.1:0", "--data", data)
	if err != nil {
		return err
	}
	defer ours.stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bare, err := start(self, "bare", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer bare.stop()

	clients, err := c.clients(ours.address)
	if err != nil {
		return err
	}
	twins, err := bareTwins(bare.address, ours.address, clients)
	if err != nil {
		return err
	}
	var a, b []figure
	for round := range rounds + 1 {
		fa, err := ours.load(clients)
		if err != nil {
			return err
		}
		fb, err := bare.load(twins)
		if err != nil {
			return err
		}
		if round > 0 { // the first one warms up
			a, b = append(a, fa), append(b, fb)
		}
	}
	cpu := func(f figure) float64 { return f.cpu }
	rate := func(f figure) float64 { return f.rate }
	fmt.Printf("| %-46s | %8.2f, %9.0f    | %8.2f, %9.0f    | %10.2f | %12.2f |\n", c.name,
		median(a, cpu), median(a, rate), median(b, cpu), median(b, rate),
		medianRatio(a, b, cpu), medianRatio(a, b, rate))
	return nil
}

func median[F any](all []F, of func(F) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// medianRatio is of the rounds, pair by pair: the speed of a machine drifts.
func medianRatio[F any](a, b []F, of func(F) float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = of(a[i]) / of(b[i])
	}
	slices.SortFunc(ratios, cmp.Compare)
	return ratios[len(ratios)/2]
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
