package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
)

// errorReplies are the error replies of Redis that say nothing about a command itself. MOVED and
// ASK name an address: %s.
var errorReplies = []string{
	"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
	"LOADING Redis is loading the dataset in memory",
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	"READONLY You can't write against a read only replica.",
	"NOPERM User few has no permissions to run the 'unsubscribe' command",
	"NOAUTH Authentication required.",
	"OOM command not allowed when used memory > 'maxmemory'.",
	"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
	"NOREPLICAS Not enough good replicas to write.",
	"CLUSTERDOWN The cluster is down",
	"TRYAGAIN Multiple keys request during rehashing of slot",
	"MOVED 8000 %s",
	"ASK 8000 %s",
	"NOSCRIPT No matching script. Please use EVAL.",
	"UNKILLABLE Sorry the script already executed write commands against the dataset.",
	"ERR max number of clients reached",
	"ERR unknown command",
}

// commands are those that a store, or its client library, sends to a server.
var commands = []string{"EVALSHA", "EVAL", "SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH", "PING", "HELLO", "SELECT", "HGET", "*"}

// TestNoErrorReplyEndsTheProcess answers each command with each error, with live watchers. All
// calls end in time, and all is as before when the fault is over. The client library used to panic
// when UNSUBSCRIBE was answered with an error, in a goroutine of its own.
func TestNoErrorReplyEndsTheProcess(t *testing.T) { // case 60, invariant 10
	t.Parallel()
	server := redistest.Start(t)
	slots := make(chan struct{}, 4) // so that a busy machine can open all the stores in time
	for _, reply := range errorReplies {
		code, _, _ := strings.Cut(reply, " ")
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			var all sync.WaitGroup
			defer all.Wait()
			for _, command := range commands {
				proxy := redistest.StartProxy(t, server.Addr)
				n := startNode(t, proxy.URL()+"/1", proxy, leaseHere)
				all.Go(func() { n.survives(proxy, reply, command) })
			}
		})
	}
}

// TestNoErrorReplyEndsTheProcessOnACluster is the same for the commands that only a cluster has.
func TestNoErrorReplyEndsTheProcessOnACluster(t *testing.T) { // case 60, invariant 10
	t.Parallel()
	for _, reply := range errorReplies {
		code, _, _ := strings.Cut(reply, " ")
		if !slices.Contains([]string{"BUSY", "LOADING", "NOPERM", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"}, code) {
			continue
		}
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			proxy := redistest.NewProxy(t)
			_, port, _ := net.SplitHostPort(proxy.Addr)
			server := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", port)
			proxy.To(server.Addr)
			server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
			for deadline := time.Now().Add(soon); !strings.Contains(server.Do("CLUSTER", "INFO"), "cluster_state:ok"); {
				if time.Now().After(deadline) {
					t.Fatal("the cluster of one does not start")
				}
			}
			n := startNode(t, proxy.URL(), proxy, leaseHere)
			for _, command := range []string{"SSUBSCRIBE", "CLUSTER", "*"} {
				n.survives(proxy, reply, command)
			}
		})
	}
}

// survives answers a command with an error for longer than a node takes to find out that it is deaf,
// also on new connections, and then holds the node to working again.
func (n *node) survives(proxy *redistest.Proxy, reply, command string) {
	what := command + " answered with " + reply
	if strings.Contains(reply, "%s") {
		reply = fmt.Sprintf(reply, proxy.Addr)
	}
	where := presence.Project(command + "x")
	if command == "*" {
		where = "all"
	}
	screen := n.watch(where)
	n.update(where, writer("Zoe"), presence.Update{Session: "tab", Section: "a"})
	proxy.Refuse(reply, command)
	for began := time.Now(); time.Since(began) < 4500*time.Millisecond; time.Sleep(250 * time.Millisecond) { // deaf after 3.5 s
		n.update(where, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
		n.list(where)
	}
	proxy.Kick()
	sent := slices.Contains([]string{"EVALSHA", "SUBSCRIBE", "SSUBSCRIBE", "PUBLISH", "PING", "HELLO", "SELECT", "HGET", "CLUSTER", "*"}, command)
	for began := time.Now(); time.Since(began) < time.Second || sent && proxy.Refused() == 0 && time.Since(began) < soon; time.Sleep(250 * time.Millisecond) { // so that there are new connections
		n.update(where, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
	}
	if sent && proxy.Refused() == 0 {
		n.Errorf("%s: it was never sent", what)
	}
	proxy.Pass()
	heals := func(what string, holds func() bool) {
		for began := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 2*soon {
				n.Errorf("%s: after the fault it is not so that %s: %v", n.name, what, n.why.Load())
				return
			}
		}
	}
	heals(what+": a change is taken in", func() bool {
		_, known := n.update(where, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
		return known
	})
	heals(what+": watchers see it", func() bool {
		names, _ := screen.shows()
		return strings.Contains(names, "Bob")
	})
	heals(what+": wake-ups come", func() bool { return n.store.Ready(context.Background()) == nil })
}

// TestABusyRedisEndsNoProcess runs a script for longer than Redis allows before it answers all others
// with BUSY.
func TestABusyRedisEndsNoProcess(t *testing.T) { // case 60
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server, presence.DefaultLease)
	screens := []*screen{nodes[0].watch(page), nodes[1].watch(page)}
	nodes[0].update(page, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
	agree(t, nodes, screens, "Alice", soon)
	busy := make(chan string, 1)
	go func() {
		busy <- server.Do("EVAL", "local t=redis.call('TIME')[1]; while redis.call('TIME')[1]-t<7 do end return 'over'", "0")
	}()
	for over := false; !over; {
		for _, n := range nodes {
			n.update(page, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
		}
		select {
		case <-busy:
			over = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	for _, n := range nodes {
		n.until("an update is taken in", soon, func() bool {
			_, known := n.update(page, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
			return known
		})
	}
	agree(t, nodes, screens, "Alice Bob", soon)
}
