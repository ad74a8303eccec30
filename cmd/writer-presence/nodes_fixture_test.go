package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

// shortLease is the lease of most nodes: short enough for a test to pause a node for longer.
const shortLease = 3 * time.Second

// nodes are server processes that share a Redis and a signing key. Each reaches Redis through its own proxy.
type nodes struct {
	*testing.T
	servers []*server
	proxies []*redistest.Proxy
}

func startNodes(t *testing.T, n int, lease, heartbeat time.Duration) *nodes {
	t.Helper()
	redis := redistest.Start(t)
	key := filepath.Join(t.TempDir(), "secret")
	all := &nodes{T: t}
	for range n {
		proxy := redistest.StartProxy(t, redis.Addr)
		all.proxies = append(all.proxies, proxy)
		all.servers = append(all.servers, startServer(t, "--dev", "--redis-url", proxy.URL(), "--secret-file", key, "--data", t.TempDir(),
			"--lease", lease.String(), "--heartbeat", heartbeat.String()))
	}
	return all
}

// post sends an update or a leave to a node, which must answer within 5 s.
func (n *nodes) post(node int, operation, token, body string) (reply updateReply, status int) {
	began := time.Now()
	status = n.servers[node].post("project/p/presence/"+operation+"/", token, body, &reply)
	if took := time.Since(began); took > 5*time.Second {
		n.Errorf("node %d answered %d after %v", node, status, took)
	}
	return reply, status
}

// list returns the users that a node lists, each with a space and the sections, the version and the status.
func (n *nodes) list(node int, token string) (users []string, version uint64, status int) {
	n.Helper()
	l, status := n.servers[node].list(token)
	for _, u := range l.Users {
		users = append(users, u.Username+" "+strings.Join(u.Sections, ","))
	}
	return users, l.Version, status
}

// waitForList waits until the given nodes list the same users at the same version, and returns the version.
func (n *nodes) waitForList(token string, timeout time.Duration, which []int, want ...string) (version uint64) {
	n.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var lists []string
		same := true
		for i, node := range which {
			users, v, status := n.list(node, token)
			lists = append(lists, fmt.Sprintf("node %d: %q at %d, status %d", node, users, v, status))
			same = same && status == 200 && slices.Equal(users, want) && (i == 0 || v == version)
			version = v
		}
		if same {
			return version
		}
		if time.Since(began) > timeout {
			n.Fatalf("after %v:\n  %s\nwant: %q", timeout, strings.Join(lists, "\n  "), want)
		}
	}
}

// sendHeartbeats renews a session through a node until the test ends.
func (n *nodes) sendHeartbeats(node int, name, section string) {
	n.sendHeartbeatsAfter(0, node, name, section)
}

// sendHeartbeatsAfter is sendHeartbeats for a session whose newest message had the number seq.
func (n *nodes) sendHeartbeatsAfter(seq, node int, name, section string) {
	token := n.servers[node].token(name)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seq := seq + 1; ctx.Err() == nil; seq++ {
			n.post(node, "update", token, fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q}`, seq, section))
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	n.Cleanup(func() { cancel(); <-ended })
}
