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

// errorReplies are error replies that Redis gives for reasons other than the command itself. In MOVED and
// ASK, %s stands for an address.
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

// commands are those that a store or its client library sends.
var commands = []string{"EVALSHA", "EVAL", "SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH", "PING", "HELLO", "SELECT", "HGET", "*"}

// Each command is answered with each error while projects are watched. All calls end in time, and the node
// recovers. The client library panics in a goroutine of its own if UNSUBSCRIBE is answered with an error
// (ADR 19).
func TestNoErrorReplyEndsTheProcess(t *testing.T) { // case 60, invariant 10
	t.Parallel()
	server := redistest.Start(t)
	slots := make(chan struct{}, 4) // bounds the stores that are opened at the same time, because Open has a time limit
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
				n := startNode(t, proxy.URL()+"/1", proxy, shortLease)
				all.Go(func() { n.recoversFrom(proxy, reply, command) })
			}
		})
	}
}

// The same with the commands and errors that only a cluster has.
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
			until(t, "the cluster of one server is up", func() bool { return strings.Contains(server.Do("CLUSTER", "INFO"), "cluster_state:ok") })
			n := startNode(t, proxy.URL(), proxy, shortLease)
			for _, command := range []string{"SSUBSCRIBE", "CLUSTER", "*"} {
				n.recoversFrom(proxy, reply, command)
			}
		})
	}
}

// recoversFrom answers a command with an error for longer than probeTimeout, also on new connections, and
// then checks that the node works again.
func (n *node) recoversFrom(proxy *redistest.Proxy, reply, command string) {
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
	proxy.ReplyWithError(reply, command)
	for began := time.Now(); time.Since(began) < 4500*time.Millisecond; time.Sleep(250 * time.Millisecond) { // probeTimeout is 3.5 s
		n.update(where, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
		n.list(where)
	}
	proxy.CloseConnections()
	sent := slices.Contains([]string{"EVALSHA", "SUBSCRIBE", "SSUBSCRIBE", "PUBLISH", "PING", "HELLO", "SELECT", "HGET", "CLUSTER", "*"}, command)
	for began := time.Now(); time.Since(began) < time.Second || sent && proxy.ErrorReplies() == 0 && time.Since(began) < recoveryTime; time.Sleep(250 * time.Millisecond) { // until the error was sent on a new connection
		n.update(where, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
	}
	if sent && proxy.ErrorReplies() == 0 {
		n.Errorf("%s: the command was never sent", what)
	}
	proxy.Pass()
	recovers := func(condition string, holds func() bool) {
		for began := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 2*recoveryTime {
				n.Errorf("%s: %s: after %v this does not hold: %s: %v", n.name, what, 2*recoveryTime, condition, n.lastError.Load())
				return
			}
		}
	}
	recovers("an update is answered", func() bool {
		_, ok := n.update(where, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
		return ok
	})
	recovers("the screen shows it", func() bool {
		names, _ := screen.shows()
		return strings.Contains(names, "Bob")
	})
	recovers("the node receives wake-ups", func() bool { return n.store.Ready(context.Background()) == nil })
}

// While a script runs for more than five seconds, Redis answers all other commands with BUSY.
func TestBusyRedisDoesNotEndTheProcess(t *testing.T) { // case 60
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server, presence.DefaultLease)
	screens := []*screen{nodes[0].watch(project), nodes[1].watch(project)}
	nodes[0].update(project, writer("Alice"), presence.Update{Session: "tab", Section: "a"})
	agree(t, nodes, screens, "Alice", recoveryTime)
	busy := make(chan string, 1)
	go func() {
		busy <- server.Do("EVAL", "local t=redis.call('TIME')[1]; while redis.call('TIME')[1]-t<7 do end return 'over'", "0")
	}()
	for over := false; !over; {
		for _, n := range nodes {
			n.update(project, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
		}
		select {
		case <-busy:
			over = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	for _, n := range nodes {
		n.until("an update is answered", recoveryTime, func() bool {
			_, ok := n.update(project, writer("Bob"), presence.Update{Session: "tab", Section: "b"})
			return ok
		})
	}
	agree(t, nodes, screens, "Alice Bob", recoveryTime)
}
