// Package redistest starts redis-server processes for tests, each empty and on a free port, and ends them
// with the test. A [Proxy] in front of one simulates faults.
package redistest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Server is a redis-server process.
type Server struct {
	Addr string // host and port
	Dir  string // of its files

	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start starts a server that persists nothing. Options such as "--requirepass", "secret" are added to its
// command line.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	s := &Server{Dir: MemoryDir(t), t: t}
	port := freePort(t)
	s.Addr = net.JoinHostPort("127.0.0.1", port)
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--appendonly", "no"}, options...)
	s.Run()
	t.Cleanup(s.Kill)
	return s
}

// freePort finds a free port between 10,000 and 20,000 for which the one 10,000 above it is free, too: a cluster uses both.
// The system gives neither to listeners and connections that ask for any port: those begin at 32,768 on Linux.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.N(10_000)
		if isFree(port) && isFree(port+10_000) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port between 10000 and 20000 is free")
	return ""
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		l.Close()
	}
	return err == nil
}

// Run starts the server, for example after Kill, and waits until it accepts connections.
func (s *Server) Run() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("there is no redis-server; run scripts/prepare, which installs it")
	}
	s.cmd = exec.Command(path, s.args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var log []string
	for lines.Scan() {
		log = append(log, lines.Text())
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go io.Copy(io.Discard, out)
			return
		}
	}
	s.t.Fatalf("redis-server ended:\n%s", strings.Join(log, "\n"))
}

// Kill ends the process with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// URL returns the address of the server for redisstore.Open.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Do sends a command and returns the reply as text. An error reply fails the test.
func (s *Server) Do(words ...string) string {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	reply := client.Do(s.t.Context(), client.B().Arbitrary(words...).Build())
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	m, _ := reply.ToMessage()
	if text, err := m.ToString(); err == nil {
		return text
	}
	if n, err := m.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return m.String()
}

// StartCluster starts a cluster of masters without replicas. Each master has an equal range of slots, in
// order.
func StartCluster(t testing.TB, masters int) []*Server {
	t.Helper()
	var nodes []*Server
	for range masters {
		nodes = append(nodes, Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"))
	}
	const slots = 16384
	for i, n := range nodes {
		n.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
		n.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, n := range nodes[1:] {
		host, port, _ := net.SplitHostPort(nodes[0].Addr)
		n.Do("CLUSTER", "MEET", host, port)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, n := range nodes {
		for !strings.Contains(n.Do("CLUSTER", "INFO"), "cluster_state:ok") || strings.Count(n.Do("CLUSTER", "NODES"), "master") < masters {
			if time.Now().After(deadline) {
				t.Fatal("the nodes do not form a cluster within 20 s")
			}
		}
	}
	return nodes
}
