package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// restartClient is a page with a live connection, which connects again after a restart. It reports an error if anybody
// disappears from its list.
type restartClient struct {
	gws.BuiltinEventHandler
	t       *testing.T
	token   string
	project string
	name    string

	mu        sync.Mutex
	seq       int
	version   uint64
	users     map[string]bool // ids of the listed users
	listed    bool            // a snapshot has come on this connection
	retry     float64         // retry_after of the draining server
	connected *sync.WaitGroup // done at the first snapshot of each connection
	closed    chan struct{}   // closed when the connection is
}

func (c *restartClient) connect(s *server) {
	c.connected.Add(1)
	closed := make(chan struct{})
	c.closed = closed
	conn, err := dialWebSocket(c, s.url, c.project, "Authorization", "Bearer "+c.token)
	if err != nil {
		c.t.Errorf("%s in %s cannot connect: %v", c.name, c.project, err)
		c.connected.Done()
		close(closed)
		return
	}
	go func() {
		conn.ReadLoop()
		close(closed)
	}()
	c.mu.Lock()
	c.seq, c.listed = c.seq+1, false
	hello := fmt.Sprintf(`{"type": "hello", "session": "tab-of-%s", "seq": %d, "section": "s", "known_version": 0}`, c.name, c.seq)
	c.mu.Unlock()
	conn.WriteString(hello)
}

func (c *restartClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	type user struct {
		ID json.Number `json:"user_id"`
	}
	var got struct {
		Type           string
		Version        uint64
		Users, Changed []user
		Left           []json.Number
		Code           string
		RetryAfter     float64 `json:"retry_after"`
	}
	if err := json.Unmarshal(m.Bytes(), &got); err != nil {
		c.t.Errorf("%q: %v", m.Bytes(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch got.Type {
	case "snapshot":
		before := c.users
		c.users = map[string]bool{}
		for _, u := range got.Users {
			c.users[u.ID.String()] = true
		}
		for id := range before {
			if !c.users[id] {
				c.t.Errorf("%s in %s: a snapshot lacks %s", c.name, c.project, id)
			}
		}
		if got.Version < c.version {
			c.t.Errorf("%s in %s: the version went from %d to %d", c.name, c.project, c.version, got.Version)
		}
		c.version = got.Version
		if !c.listed {
			c.listed = true
			c.connected.Done()
		}
	case "delta":
		for _, u := range got.Changed {
			c.users[u.ID.String()] = true
		}
		for _, id := range got.Left {
			c.t.Errorf("%s in %s: in a delta %s leaves", c.name, c.project, id)
		}
		c.version = got.Version
	case "error":
		if got.Code != "draining" || got.RetryAfter <= 0 {
			c.t.Errorf("%s in %s received %s", c.name, c.project, m.Bytes())
		}
		c.retry = got.RetryAfter
	}
}

func (c *restartClient) OnClose(_ *gws.Conn, err error) {
	if closed, ok := err.(*gws.CloseError); ok && closed.Code != 1012 {
		c.t.Errorf("%s in %s was closed with %d", c.name, c.project, closed.Code)
	}
}

func TestRestartUnder1000LiveConnectionsShowsNobodyLeaving(t *testing.T) { // case 33
	const projects, members = 50, 20
	data := t.TempDir()
	s := startServer(t, "--dev", "--data", data)
	addr := s.addr()
	var connected sync.WaitGroup
	var clients []*restartClient
	for m := range members {
		token := s.token(fmt.Sprintf("Writer %d", m))
		for p := range projects {
			clients = append(clients, &restartClient{t: t, token: token, project: fmt.Sprintf("p%d", p), name: fmt.Sprint(m), connected: &connected})
		}
	}
	connect := func() {
		var dialing sync.WaitGroup
		queue := make(chan *restartClient)
		for range 16 {
			dialing.Go(func() {
				for c := range queue {
					c.connect(s)
				}
			})
		}
		for _, c := range clients {
			queue <- c
		}
		close(queue)
		dialing.Wait()
		connected.Wait()
	}
	connect()

	began := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the server ended %v after SIGTERM; want 15s at most", took)
	}
	delays := map[float64]bool{}
	for _, c := range clients {
		<-c.closed
		c.mu.Lock()
		delays[c.retry] = true
		c.mu.Unlock()
	}
	if len(delays) < len(clients)/4 {
		t.Errorf("%d clients got %d different values of retry_after; want a quarter as many at least", len(clients), len(delays))
	}

	s = startServer(t, "--dev", "--data", data, "--addr", addr)
	connect()
	for _, c := range clients {
		c.mu.Lock()
		if len(c.users) != members {
			t.Errorf("%s in %s: %d users are listed after the restart; want %d", c.name, c.project, len(c.users), members)
		}
		c.mu.Unlock()
	}
}
