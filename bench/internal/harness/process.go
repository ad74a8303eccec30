package harness

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Servers and load generator have a core each.
const (
	ServerCore = "0"
	LoadCore   = "1"
)

// stopTimeout is longer than a server takes to drain.
const stopTimeout = 20 * time.Second

// Process is a server on ServerCore.
type Process struct {
	Address string
	pid     int
}

// Self returns this process, for scenarios that measure what runs in it.
func Self() *Process { return &Process{pid: os.Getpid()} }

// Realtime returns a command prefix that schedules a server ahead of other processes, or nil
// where that is not allowed. Without it, whatever else the machine does is measured as the
// server's p99.
var Realtime = sync.OnceValue(func() []string {
	prefix := []string{"chrt", "--rr", "1"}
	if exec.Command(prefix[0], append(prefix[1:], "true")...).Run() != nil {
		return nil
	}
	return prefix
})

// Processor returns the model of the machine's processor.
func Processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, model, _ := strings.Cut(string(text), "model name\t: ")
	model, _, _ = strings.Cut(model, "\n")
	return cmp.Or(model, "an unknown processor")
}

// Start starts a server that prints a line with its http:// address, and stops it when the
// scenario ends.
func (r *Run) Start(program string, args ...string) *Process {
	address := ""
	p := r.StartWhen(func(line string) (found bool) {
		_, address, found = strings.Cut(line, "http://")
		return found
	}, program, args...)
	p.Address = address[:strings.IndexAny(address, "/ \n")]
	return p
}

// FreeAddress returns an address of this machine for a server that cannot take a free port by itself.
func (r *Run) FreeAddress() (address, port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	r.Check(err)
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return l.Addr().String(), port
}

// StartRedis starts a redis-server that writes nothing to disk.
func (r *Run) StartRedis() *Process {
	address, port := r.FreeAddress()
	p := r.StartWhen(func(line string) bool { return strings.Contains(line, "eady to accept connections") },
		"redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", r.Dir, "--save", "", "--appendonly", "no")
	p.Address = address
	return p
}

// StartWhen starts a server, and returns once ready has accepted a line of its output or log. It stops the server when
// the scenario ends.
func (r *Run) StartWhen(ready func(line string) bool, program string, args ...string) *Process {
	prefix, env := Realtime(), []string{"GOMAXPROCS=1"}
	if r.counting {
		prefix, env = valgrind(r.Dir), append(env, "GOGC=off")
	}
	command := slices.Concat([]string{"taskset", "-c", ServerCore}, prefix, []string{program}, args)
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), env...)
	out, err := c.StdoutPipe()
	r.Check(err)
	c.Stderr = c.Stdout
	r.Check(c.Start())
	r.Cleanup(func() {
		defer time.AfterFunc(stopTimeout, func() { c.Process.Kill() }).Stop()
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	})
	lines, last := bufio.NewReader(out), ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			r.Check(fmt.Errorf("%s ended before it was ready, and said last: %s", program, last))
		}
		if last = line; ready(line) {
			break
		}
	}
	go io.Copy(io.Discard, lines)
	return &Process{pid: c.Process.Pid}
}

// CPU returns the CPU time, in µs, that the processes have used so far.
func (r *Run) CPU(processes ...*Process) (micros float64) {
	for _, p := range processes {
		t, err := cpu(p.pid)
		r.Check(err)
		micros += float64(t.Nanoseconds()) / 1000
	}
	return micros
}

// FamilyCPU returns the CPU time, in µs, that the processes and the children that they have at present have used so far.
// What a child used that has ended is not counted.
func (r *Run) FamilyCPU(processes ...*Process) (micros float64) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	r.Check(err)
	for _, stat := range stats {
		text, _ := os.ReadFile(stat) // empty if that process has ended
		_, fields, _ := strings.Cut(string(text), ") ")
		child, state, parent := 0, "", 0
		fmt.Sscan(string(text), &child)
		fmt.Sscan(fields, &state, &parent)
		if slices.ContainsFunc(processes, func(p *Process) bool { return p.pid == parent }) {
			t, _ := cpu(child)
			micros += float64(t.Nanoseconds()) / 1000
		}
	}
	return micros + r.CPU(processes...)
}

// cpu adds up the threads of a process to the nanosecond: the ticks of /proc/<pid>/stat are
// too coarse for short rounds.
func cpu(pid int) (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, errors.Join(err, fmt.Errorf("process %d has no threads", pid))
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// Memory returns the resident set and the proportional set of a process, in KB.
func (r *Run) Memory(p *Process) (rss, pss float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
	r.Check(err)
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "Rss: %f", &rss)
		fmt.Sscanf(line, "Pss: %f", &pss)
	}
	return rss, pss
}
