package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server on its own core.
type process struct {
	cmd     *exec.Cmd
	address string
}

// start starts a server, and reads from its first line where it listens.
func start(program string, args ...string) (*process, error) {
	c := exec.Command("taskset", append([]string{"-c", serverCore, program}, args...)...)
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400") // the same for both
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: c}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, after, found := strings.Cut(line, "http://")
	if err != nil || !found {
		p.stop()
		return nil, fmt.Errorf("%s said %q: %v", program, line, err)
	}
	p.address = strings.Trim(after, "/\n")
	go io.Copy(io.Discard, out)
	return p, nil
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
}

// cpuTime is what the process has used so far, by the kernel's count of 10 ms ticks.
func (p *process) cpuTime() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// bare is the yardstick: a net/http server with one pattern, that reads the body and
// writes bytes that it was given before.
type bare struct {
	mu      sync.RWMutex
	answers map[string][]byte
}

func newBare() http.Handler {
	b := &bare{answers: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /{name}", func(w http.ResponseWriter, r *http.Request) {
		answer, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.answers[r.PathValue("name")] = answer
	})
	mux.HandleFunc("/{name}", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		b.mu.RLock()
		answer := b.answers[r.PathValue("name")]
		b.mu.RUnlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Write(answer)
	})
	return mux
}

func serveBare(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("bare is at http://%s/\n", l.Addr())
	return http.Serve(l, newBare())
}
