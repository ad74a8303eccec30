package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lxzan/gws"
)

// stopTime is longer than a server takes to end.
const stopTime = 20 * time.Second

// process is a server on its own core.
type process struct {
	cmd     *exec.Cmd
	address string
	bare    bool
}

// ahead has a server go before all else on its core, where that is allowed. What else a
// machine has to do, such as an agent that looks about once a second for 16 ms, is then
// not measured as a server's p99.
var ahead = sync.OnceValue(func() []string {
	first := []string{"chrt", "--rr", "1"}
	if exec.Command(first[0], append(first[1:], "true")...).Run() != nil {
		return nil
	}
	return first
})

// start starts a server, and reads from its first line where it listens.
func start(program string, args ...string) (*process, error) {
	command := slices.Concat(ahead(), []string{"taskset", "-c", serverCore, program}, args)
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), "GOMAXPROCS=1") // and garbage as each has it collected
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
	defer time.AfterFunc(stopTime, func() { p.cmd.Process.Kill() }).Stop()
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

// memory is what the process holds, in KB, and its fair share of it.
func (p *process) memory() (rss, pss float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "Rss: %f", &rss)
		fmt.Sscanf(line, "Pss: %f", &pss)
	}
	return rss, pss, err
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
	debug.SetGCPercent(400) // about as often as ours, with next to nothing that lives
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("bare is at http://%s/\n", l.Addr())
	return http.Serve(l, newBare())
}

// bareRooms is the yardstick of live connections: what is said to it, it writes to all
// of the room, in frames of a size that it was given before. It knows nobody, asks for no
// sign of life, and keeps nothing.
type bareRooms struct {
	gws.BuiltinEventHandler
	size int

	mu    sync.Mutex
	rooms map[string][]*gws.Conn
}

// bareSession is in which room a connection is.
type bareSession struct {
	gws.SessionStorage // none
	room               string
}

func serveBareLive(address, size string) error {
	b := &bareRooms{rooms: map[string][]*gws.Conn{}}
	var err error
	if b.size, err = strconv.Atoi(size); err != nil {
		return err
	}
	upgrader := gws.NewUpgrader(b, &gws.ServerOption{
		ReadBufferSize: 512, // as ours
		SubProtocols:   []string{"writer-presence.v1"},
		NewSession:     func() gws.SessionStorage { return &bareSession{} },
	})
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("bare is at http://%s/\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		socket.Session().(*bareSession).room = r.URL.Path
		b.mu.Lock()
		b.rooms[r.URL.Path] = append(b.rooms[r.URL.Path], socket)
		b.mu.Unlock()
		go socket.ReadLoop()
	}))
}

func (b *bareRooms) OnClose(socket *gws.Conn, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := socket.Session().(*bareSession).room
	b.rooms[room] = slices.DeleteFunc(b.rooms[room], func(s *gws.Conn) bool { return s == socket })
}

func (b *bareRooms) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	text := message.Bytes()
	text = append(text, bytes.Repeat([]byte{' '}, max(0, b.size-len(text)))...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.rooms[socket.Session().(*bareSession).room] {
		s.WriteMessage(gws.OpcodeText, text)
	}
}
