package redistest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and a server, and does to what they say as networks do.
type Proxy struct {
	Addr string

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when the fault changes
	conns   []net.Conn
}

// fault is what happens; the zero value passes all on.
type fault struct {
	cut, hold, starve bool
	delay             time.Duration
}

// published is how a message begins that somebody published.
var published = regexp.MustCompile(`^>3\r\n\$[78]\r\ns?message\r\n`)

// StartProxy starts a proxy that passes all on until it is told otherwise.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), changed: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		for client, err := l.Accept(); err == nil; client, err = l.Accept() {
			running.Go(func() { p.serve(client, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		running.Wait()
	})
	return p
}

// URL is the address of the proxy, as a store takes it.
func (p *Proxy) URL() string { return "redis://" + p.Addr }

// Pass passes all on again, and first what was held.
func (p *Proxy) Pass() { p.set(fault{}) }

// Cut closes all connections, and new ones at once.
func (p *Proxy) Cut() { p.set(fault{cut: true}) }

// Hold passes nothing on, as if packets were lost for a while.
func (p *Proxy) Hold() { p.set(fault{hold: true}) }

// Slow holds each message for a while, both ways.
func (p *Proxy) Slow(delay time.Duration) { p.set(fault{delay: delay}) }

// Starve passes on to clients all but what was published.
func (p *Proxy) Starve() { p.set(fault{starve: true}) }

func (p *Proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.fault, p.changed = f, make(chan struct{})
	for _, c := range p.conns {
		if f.cut {
			c.Close()
		}
	}
}

func (p *Proxy) now(more ...net.Conn) (fault, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, more...)
	return p.fault, p.changed
}

func (p *Proxy) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	if f, _ := p.now(client, server); f.cut {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.pass(client, server) })
	p.pass(server, client)
	back.Wait()
}

// pass passes on what one side says, as far as it is allowed to, and that it has gone.
func (p *Proxy) pass(to, from net.Conn) {
	defer to.Close()
	r := bufio.NewReader(from)
	for message, err := next(r); err == nil; message, err = next(r) {
		f, changed := p.now()
		for f.hold || f.delay > 0 {
			var over <-chan time.Time // never, while it is held
			if f.delay > 0 {
				over = time.After(f.delay)
			}
			select {
			case <-over:
				f.delay = 0
			case <-changed:
				f, changed = p.now()
			}
		}
		if !f.starve || !published.Match(message) {
			to.Write(message)
		}
	}
}

// next reads one value in the protocol of Redis.
func next(r *bufio.Reader) ([]byte, error) {
	value, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(string(bytes.TrimSpace(value[1:])))
	switch value[0] {
	case '$', '=', '!':
		if n >= 0 { // -1 is null
			text := make([]byte, n+2)
			_, err = io.ReadFull(r, text)
			value = append(value, text...)
		}
		return value, err
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		n = 0
	}
	for ; n > 0 && err == nil; n-- {
		var part []byte
		part, err = next(r)
		value = append(value, part...)
	}
	return value, err
}
