package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Master is the name of the master that Sentinels of [StartSentinel] monitor.
const Master = "writers"

// StartSentinel starts a Sentinel that fails a master over to its replica two seconds after the master
// stops answering; with less, a busy machine would fail over from a master that is alive. Options are
// lines of the Sentinel's configuration. It returns the address for redisstore.Open.
func StartSentinel(t testing.TB, master, replica *Server, options ...string) (url string) {
	t.Helper()
	port := freePort(t)
	host, masterPort, _ := net.SplitHostPort(master.Addr)
	file := filepath.Join(MemoryDir(t), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s %s %s 1\n"+
		"sentinel down-after-milliseconds %[3]s 2000\nsentinel failover-timeout %[3]s 20000\n%[6]s\n", port, filepath.Dir(file), Master, host, masterPort, strings.Join(options, "\n"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	_, replicaPort, _ := net.SplitHostPort(replica.Addr)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "+slave slave") && strings.Contains(lines.Text(), " "+replicaPort+" ") {
			go io.Copy(io.Discard, out)
			return "redis://127.0.0.1:" + port + "?master_set=" + Master
		}
	}
	t.Fatal("the Sentinel ended before it found the replica")
	return ""
}

// StartReplica starts a replica of a master, and waits until the first synchronization is complete.
func StartReplica(t testing.TB, master *Server, options ...string) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	s := Start(t, append([]string{"--replicaof", host + " " + port}, options...)...)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.Do("INFO", "replication"), "master_link_status:up"); {
		if time.Now().After(deadline) {
			t.Fatal("the replica is not connected to its master after 20 s")
		}
	}
	return s
}
