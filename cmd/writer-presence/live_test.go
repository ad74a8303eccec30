package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// page is one with a live connection, which comes back when the server goes away.
type page struct {
	gws.BuiltinEventHandler
	t       *testing.T
	token   string
	project string
	name    string

	mu       sync.Mutex
	seq      int
	known    uint64
	users    map[string]bool // by id: who is listed
	here     bool            // the list of this connection has come
	retry    float64         // what the server said when it went away
	arrived  *sync.WaitGroup // done when the list of a new connection is here
	departed *sync.WaitGroup // done when the connection has ended
}

func (p *page) connect(s *server) {
	p.arrived.Add(1)
	p.departed = &sync.WaitGroup{}
	p.departed.Add(1)
	host := strings.TrimPrefix(s.url, "http://")
	socket, _, err := gws.NewClient(p, &gws.ClientOption{
		Addr: "ws://" + host + "/writer/api/project/" + p.project + "/presence/live/",
		RequestHeader: http.Header{
			"Origin": {s.url}, "Authorization": {"Bearer " + p.token}, "Sec-WebSocket-Protocol": {"writer-presence.v1"},
		},
		ReadBufferSize: 512,
	})
	if err != nil {
		p.t.Errorf("%s in %s cannot connect: %v", p.name, p.project, err)
		p.arrived.Done()
		p.departed.Done()
		return
	}
	go func() {
		socket.ReadLoop()
		p.departed.Done()
	}()
	p.mu.Lock()
	p.seq, p.here = p.seq+1, false
	hello := fmt.Sprintf(`{"type": "hello", "session": "tab-of-%s", "seq": %d, "section": "s", "known_version": 0}`, p.name, p.seq)
	p.mu.Unlock()
	socket.WriteString(hello)
}

func (p *page) OnMessage(_ *gws.Conn, m *gws.Message) {
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
		p.t.Errorf("%q: %v", m.Bytes(), err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch got.Type {
	case "snapshot":
		before := p.users
		p.users = map[string]bool{}
		for _, u := range got.Users {
			p.users[u.ID.String()] = true
		}
		for id := range before {
			if !p.users[id] {
				p.t.Errorf("%s in %s sees that %s is gone, by a snapshot", p.name, p.project, id)
			}
		}
		if got.Version < p.known {
			p.t.Errorf("%s in %s: the version went from %d to %d", p.name, p.project, p.known, got.Version)
		}
		p.known = got.Version
		if !p.here {
			p.here = true
			p.arrived.Done()
		}
	case "delta":
		for _, u := range got.Changed {
			p.users[u.ID.String()] = true
		}
		for _, id := range got.Left {
			p.t.Errorf("%s in %s sees %s leave", p.name, p.project, id)
		}
		p.known = got.Version
	case "error":
		if got.Code != "draining" || got.RetryAfter <= 0 {
			p.t.Errorf("%s in %s was told %s", p.name, p.project, m.Bytes())
		}
		p.retry = got.RetryAfter
	}
}

func (p *page) OnClose(_ *gws.Conn, err error) {
	if closed, ok := err.(*gws.CloseError); ok && closed.Code != 1012 {
		p.t.Errorf("%s in %s was closed with %d", p.name, p.project, closed.Code)
	}
}

func TestARestartUnderTwoThousandConnectionsShowsNobodyLeaving(t *testing.T) { // case 33
	const projects, members = 100, 20
	data := t.TempDir()
	s := start(t, "--dev", "--data", data)
	address := strings.TrimPrefix(s.url, "http://")
	var arrived sync.WaitGroup
	var pages []*page
	for m := range members {
		token := s.token(fmt.Sprintf("Writer %d", m))
		for p := range projects {
			pages = append(pages, &page{t: t, token: token, project: fmt.Sprintf("p%d", p), name: fmt.Sprint(m), arrived: &arrived})
		}
	}
	connect := func() {
		var dialing sync.WaitGroup
		queue := make(chan *page)
		for range 16 {
			dialing.Go(func() {
				for p := range queue {
					p.connect(s)
				}
			})
		}
		for _, p := range pages {
			queue <- p
		}
		close(queue)
		dialing.Wait()
		arrived.Wait()
	}
	connect()

	began := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the end: %v, %s", err, s.stderr)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the end took %v", took)
	}
	delays := map[float64]bool{}
	for _, p := range pages {
		p.departed.Wait()
		p.mu.Lock()
		delays[p.retry] = true
		p.mu.Unlock()
	}
	if len(delays) < len(pages)/4 {
		t.Errorf("%d pages were told %d different times to come back", len(pages), len(delays))
	}

	s = start(t, "--dev", "--data", data, "--addr", address)
	connect()
	for _, p := range pages {
		p.mu.Lock()
		if len(p.users) != members {
			t.Errorf("%s in %s sees %d people after the restart; due: %d", p.name, p.project, len(p.users), members)
		}
		p.mu.Unlock()
	}
}
