package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

const (
	// shortLease and shortHeartbeat let tests run in real time. A lease lasts ten heartbeats.
	shortLease     = 3 * time.Second
	shortHeartbeat = 300 * time.Millisecond
	// recoveryTime is how long after the end of a fault all nodes must agree (invariant 7).
	recoveryTime = 5 * time.Second
)

// node is a store behind a proxy. Each of its calls must end in time, with an answer or with
// [presence.ErrUnavailable], and versions must not go back.
type node struct {
	*testing.T
	store *redisstore.Store
	proxy *redistest.Proxy
	name  string

	newest    atomic.Uint64 // highest version of the project
	lastError atomic.Value
}

// startNodes starts nodes, each behind a proxy of its own.
func startNodes(t *testing.T, n int, server *redistest.Server, lease time.Duration) []*node {
	t.Helper()
	var nodes []*node
	for range n {
		proxy := redistest.StartProxy(t, server.Addr)
		nodes = append(nodes, startNode(t, proxy.URL(), proxy, lease))
	}
	return nodes
}

var nodesStarted atomic.Int64

// startNode starts a node and waits until it receives wake-ups.
func startNode(t *testing.T, url string, proxy *redistest.Proxy, lease time.Duration) *node {
	t.Helper()
	s := openWith(t, url, redisstore.Options{Lease: lease})
	n := &node{T: t, store: s, proxy: proxy, name: fmt.Sprintf("node %d", nodesStarted.Add(1))}
	n.untilReady(2 * recoveryTime) // this is no recovery, and many tests start at the same time
	return n
}

// call makes a call, and reports whether it was answered.
func (n *node) call(what string, call func() error) (ok bool) {
	began := time.Now()
	err := call()
	if took := time.Since(began); took > maxCall {
		n.Errorf("%s: %s took %v; the limit is %v: %v", n.name, what, took, maxCall, err)
	}
	if err != nil && !errors.Is(err, presence.ErrUnavailable) {
		n.Errorf("%s: %s: %v; want an answer or ErrUnavailable", n.name, what, err)
	}
	if err != nil {
		n.lastError.Store(err.Error())
	}
	return err == nil
}

func (n *node) update(where presence.Project, user presence.User, u presence.Update) (reply presence.Reply, ok bool) {
	ok = n.call("update", func() (err error) {
		reply, err = n.store.Update(context.Background(), where, user, u)
		return err
	})
	return reply, ok
}

func (n *node) leave(where presence.Project, user presence.User, l presence.Leave) (ok bool) {
	return n.call("leave", func() error {
		_, err := n.store.Leave(context.Background(), where, user, l)
		return err
	})
}

// list returns the listed names and the version.
func (n *node) list(where presence.Project) (names string, version uint64, ok bool) {
	before := n.newest.Load()
	ok = n.call("snapshot", func() error {
		s, err := n.store.Snapshot(context.Background(), where)
		if err != nil {
			return err
		}
		for _, o := range s.Occupants {
			names += o.User.Name + " "
		}
		version = s.Version
		if where == project && version < before {
			n.Errorf("%s: the version went back from %d to %d", n.name, before, version)
		}
		for where == project && version > n.newest.Load() {
			n.newest.Store(version)
		}
		return nil
	})
	return strings.TrimSpace(names), version, ok
}

// keepAlive sends heartbeats of a user through the node until the end of the test.
func (n *node) keepAlive(name string, section presence.Section) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seq := uint64(1); ctx.Err() == nil; seq++ {
			n.update(project, writer(name), presence.Update{Session: "tab", Seq: seq, Section: section})
			select {
			case <-time.After(shortHeartbeat):
			case <-ctx.Done():
			}
		}
	}()
	n.Cleanup(func() { cancel(); <-ended })
}

func (n *node) until(what string, within time.Duration, holds func() bool) {
	n.Helper()
	waitUntil(n.T, within, n.name+": "+what, holds)
}

// untilReady waits until the node receives wake-ups.
func (n *node) untilReady(within time.Duration) {
	n.Helper()
	n.until("it receives wake-ups", within, func() bool { return n.store.Ready(context.Background()) == nil })
}

func writer(name string) presence.User { return presence.User{ID: presence.UserID(name), Name: name} }

// screen shows a project as a live connection does: it reads the snapshot when it is woken, and again
// after an error.
type screen struct {
	mu      sync.Mutex
	names   string
	version uint64
}

// watch shows a project on a screen until the end of the test.
func (n *node) watch(where presence.Project) *screen {
	s := &screen{}
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	stop := n.store.Watch(where, wake)
	wake()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-woken:
			}
			names, version, ok := n.list(where)
			s.mu.Lock()
			if ok {
				s.names, s.version = names, version
			} else {
				time.AfterFunc(100*time.Millisecond, wake)
			}
			s.mu.Unlock()
		}
	}()
	n.Cleanup(func() { stop(); cancel(); <-ended })
	return s
}

// shows returns what the screen shows.
func (s *screen) shows() (names string, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names, s.version
}

// agree waits until all nodes and screens show the same names at the same version.
func agree(t *testing.T, nodes []*node, screens []*screen, want string, within time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		var seen []string
		same := true
		note := func(names string, version uint64, ok bool) {
			seen = append(seen, fmt.Sprintf("%q at version %d, answered: %v", names, version, ok))
			same = same && ok && names == want && seen[0] == seen[len(seen)-1]
		}
		for _, n := range nodes {
			note(n.list(project))
		}
		for _, s := range screens {
			names, version := s.shows()
			note(names, version, true)
		}
		switch {
		case same:
			return
		case time.Since(began) > within:
			t.Fatalf("after %v the nodes, and then the screens, show\n  %s\nwant %q at one version", within, strings.Join(seen, "\n  "), want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
