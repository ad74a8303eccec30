package main

import (
	"bufio"
	"bytes"
	"context"
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

	"github.com/redis/rueidis"
)

// startRedis starts a redis-server on the core of the servers, which keeps nothing on disk.
func startRedis(dir string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	command := slices.Concat(ahead(), []string{"taskset", "-c", serverCore, "redis-server",
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"})
	c := exec.Command(command[0], command[1:]...)
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: c, address: address}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("redis-server ended: %w", err)
		}
		if strings.Contains(line, "eady to accept connections") {
			go io.Copy(io.Discard, out)
			return p, nil
		}
	}
}

// runTime is what all threads of a process have used so far, to the nanosecond: the ticks of
// cpuTime are too coarse for short rounds.
func runTime(pid int) (all time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, errors.Join(err, fmt.Errorf("process %d has no threads", pid))
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		all += time.Duration(ns)
	}
	return all, nil
}

// recorder stands between a store and Redis, and keeps the commands that come by: what is
// measured is what the store says, to the byte.
type recorder struct {
	net.Listener
	to string

	mu       sync.Mutex
	commands [][]string
}

func record(to string) (*recorder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &recorder{Listener: l, to: to}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(from)
		}
	}()
	return r, nil
}

func (r *recorder) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer to.Close()
	go io.Copy(from, to)
	in := bufio.NewReader(from)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.commands = append(r.commands, command)
		r.mu.Unlock()
		if _, err := to.Write(encoded(command...)); err != nil { // now that it is kept
			return
		}
	}
}

func readCommand(in *bufio.Reader) (words []string, err error) {
	length := func(kind byte) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil || line[0] != kind {
			return 0, errors.Join(err, fmt.Errorf("not a command: %q", line))
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := length('*')
	for range n {
		size, err := length('$')
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:size]))
	}
	return words, err
}

// last gives the last script that was called, and forgets all.
func (r *recorder) last() ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.commands = nil }()
	for _, command := range slices.Backward(r.commands) {
		if command[0] == "EVALSHA" {
			return command, nil
		}
	}
	return nil, errors.New("the store called no script")
}

// Numbers in a recorded command that are others each time it is said. All have as many digits.
const (
	someRoom     = "1234567"
	somePerson   = "7654321"
	someSection  = "2222222"
	numberDigits = 7
)

// template is a command with places to fill in.
type template struct {
	text                                     []byte
	rooms, persons, sections, seqs, versions []int
}

// newTemplate finds the places in a text that was said when the room had a version.
func newTemplate(version uint64, text []byte) *template {
	t := &template{text: text}
	places := func(number string) (all []int) {
		for at := 0; ; at++ {
			next := bytes.Index(t.text[at:], []byte(number))
			if next < 0 {
				return all
			}
			at += next
			all = append(all, at)
		}
	}
	t.rooms, t.persons, t.sections = places(someRoom), places(somePerson), places(someSection)
	t.seqs = places(strconv.Itoa(firstSeq))
	if version > 0 {
		t.versions = places(strconv.FormatUint(version, 10))
	}
	return t
}

func encoded(words ...string) []byte {
	text := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		text = fmt.Appendf(text, "$%d\r\n%s\r\n", len(word), word)
	}
	return text
}

// says is what is filled in.
type says struct {
	room, person, section int
	seq                   int64
	version               uint64
}

func (t *template) append(out []byte, s says) []byte {
	start := len(out)
	out = append(out, t.text...)
	text := out[start:]
	fill(text, t.rooms, numberDigits, uint64(s.room))
	fill(text, t.persons, numberDigits, uint64(s.person))
	fill(text, t.sections, numberDigits, uint64(s.section))
	fill(text, t.seqs, 10, uint64(s.seq))
	fill(text, t.versions, 13, s.version)
	return out
}

func fill(text []byte, places []int, digits int, number uint64) {
	for _, at := range places {
		rest := number
		for i := at + digits - 1; i >= at; i-- {
			text[i] = '0' + byte(rest%10)
			rest /= 10
		}
	}
}

// pipe is a connection that has many commands under way, as that of a busy node has.
type pipe struct {
	fd    int
	file  *os.File
	out   []byte
	rest  []byte // the beginning of an answer
	asked []int  // the rooms of which answers are due

	place, said, left int // of its operations in a town
}

const (
	pipes = 8
	depth = 16 // commands in one write
)

func dialPipe(address string) (*pipe, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the file is a connection of its own
	p := &pipe{}
	if p.file, err = conn.(*net.TCPConn).File(); err != nil {
		return nil, err
	}
	p.fd = int(p.file.Fd())
	return p, syscall.SetNonblock(p.fd, true)
}

func (p *pipe) send() error {
	for len(p.out) > 0 {
		n, err := syscall.Write(p.fd, p.out)
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		p.out = p.out[max(n, 0):]
	}
	return nil
}

// receive reads what is there into a buffer that pipes share, and gives each whole answer.
func (p *pipe) receive(in []byte, each func(answer []byte) error) error {
	kept := copy(in, p.rest)
	n, err := syscall.Read(p.fd, in[kept:])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.ErrUnexpectedEOF
	}
	text := in[:kept+n]
	for len(text) > 0 {
		rest, whole := cutAnswer(text)
		if !whole {
			break
		}
		if text[0] == '-' {
			return fmt.Errorf("Redis said %s", text[:len(text)-len(rest)])
		}
		if err := each(text[:len(text)-len(rest)]); err != nil {
			return err
		}
		text = rest
	}
	p.rest = append(p.rest[:0], text...)
	return nil
}

// cutAnswer cuts off one answer, with all that is in it.
func cutAnswer(b []byte) (rest []byte, whole bool) {
	for due := 1; due > 0; due-- {
		end := bytes.IndexByte(b, '\n')
		if end < 1 {
			return nil, false
		}
		line := b[:end-1]
		b = b[end+1:]
		switch line[0] {
		case '*', '$':
			n := 0
			for _, digit := range line[1:] {
				if digit == '-' { // nothing is there
					n = 0
					break
				}
				n = n*10 + int(digit-'0')
			}
			if line[0] == '*' {
				due += n
			} else if line[1] != '-' {
				if len(b) < n+2 {
					return nil, false
				}
				b = b[n+2:]
			}
		}
	}
	return b, true
}

// versionIn is the second number of a script's answer, 0 for other answers.
func versionIn(answer []byte) (version uint64) {
	if answer[0] != '*' {
		return 0
	}
	lines := bytes.SplitN(answer, []byte("\r\n"), 4)
	if len(lines) < 4 || lines[2][0] != ':' {
		return 0
	}
	version, _ = strconv.ParseUint(string(lines[2][1:]), 10, 64)
	return version
}

// redisFigure is what a round came to.
type redisFigure struct {
	micros, rate float64 // µs of CPU of Redis for an operation; operations a second
	busy, load   float64 // the shares of their cores that Redis and this process used
	in, out      float64 // bytes to and from Redis for an operation
	scripts      float64 // called for an operation
	self         float64 // µs of CPU of this process for an operation
}

// gauge is what Redis and this process have used so far, and what Redis was told and said.
type gauge struct {
	at        time.Time
	cpu, self time.Duration
	in, out   float64
	scripts   float64
}

func (b *redisBench) gauge() (g gauge, err error) {
	in, err := b.info("stats", "total_net_input_bytes")
	if err != nil {
		return g, err
	}
	out, err := b.info("stats", "total_net_output_bytes")
	if err != nil {
		return g, err
	}
	scripts, err := b.info("commandstats", "cmdstat_evalsha")
	if err != nil {
		return g, err
	}
	g = gauge{in: in, out: out, scripts: scripts}
	if g.self, err = runTime(os.Getpid()); err != nil {
		return g, err
	}
	g.cpu, err = runTime(b.redis.cmd.Process.Pid)
	g.at = time.Now()
	return g, err
}

// since is what came to pass between two looks, with n operations.
func (g gauge) since(before gauge, n int) redisFigure {
	ops, took := float64(n), g.at.Sub(before.at)
	return redisFigure{
		micros:  float64((g.cpu - before.cpu).Nanoseconds()) / 1000 / ops,
		rate:    ops / took.Seconds(),
		busy:    (g.cpu - before.cpu).Seconds() / took.Seconds(),
		load:    (g.self - before.self).Seconds() / took.Seconds(),
		in:      (g.in - before.in) / ops,
		out:     (g.out - before.out) / ops,
		scripts: (g.scripts - before.scripts) / ops,
		self:    float64((g.self - before.self).Nanoseconds()) / 1000 / ops,
	}
}

// info reads a number of INFO, or the first of several in one line.
func (b *redisBench) info(section, name string) (number float64, err error) {
	text, err := b.client.Do(context.Background(), b.client.B().Info().Section(section).Build()).ToString()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			rest = strings.TrimPrefix(rest, "calls=")
			fmt.Sscanf(rest, "%f", &number)
		}
	}
	return number, err
}

func openClient(address string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
}
