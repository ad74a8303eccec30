package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands between clients and a server, and does to what they say as networks do.
type Proxy struct {
	Addr string

	server   atomic.Pointer[string] // where to pass on to
	answered atomic.Int64           // commands that Refuse answered

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when the fault changes
	conns   []net.Conn
}

// fault is what happens; the zero value passes all on.
type fault struct {
	cut, hold, starve bool
	delay             time.Duration
	// refused are the first words of commands that are answered with reply, in upper case;
	// "*" stands for all.
	refused map[string]bool
	reply   string
}

// published is how a message begins that somebody published.
var published = regexp.MustCompile(`^>3\r\n\$[78]\r\ns?message\r\n`)

// StartProxy starts a proxy that passes all on until it is told otherwise.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	p := NewProxy(t)
	p.To(server)
	return p
}

// NewProxy starts a proxy to a server that [Proxy.To] names before anybody connects, for
// servers that have to announce the address of their proxy.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), changed: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		for client, err := l.Accept(); err == nil; client, err = l.Accept() {
			running.Go(func() { p.serve(client, *p.server.Load()) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		running.Wait()
	})
	return p
}

// To names the server that the proxy passes on to.
func (p *Proxy) To(server string) { p.server.Store(&server) }

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

// Refuse answers commands with an error reply such as "BUSY …", in the place of the server,
// which does not get them. Commands are first words such as "EVALSHA"; "*" is all of them.
func (p *Proxy) Refuse(reply string, commands ...string) {
	f := fault{refused: map[string]bool{}, reply: "-" + reply + "\r\n"}
	for _, c := range commands {
		f.refused[c] = true
	}
	p.set(f)
}

// Refused counts the commands that Refuse has answered.
func (p *Proxy) Refused() int64 { return p.answered.Load() }

// Kick closes all connections once; new ones are served as before.
func (p *Proxy) Kick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

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
	var refusals sync.Map // of this connection: replies by token
	var back sync.WaitGroup
	back.Go(func() {
		p.pass(client, server, func(message []byte, f fault) []byte {
			if at := bytes.Index(message, []byte(token)); at >= 0 {
				if reply, ok := refusals.LoadAndDelete(string(message[at : at+len(token)+tokenDigits])); ok {
					return []byte(reply.(string))
				}
			}
			if f.starve && published.Match(message) {
				return nil
			}
			return message
		})
	})
	p.pass(server, client, func(message []byte, f fault) []byte {
		if !f.refused["*"] && !f.refused[firstWord(message)] {
			return message
		}
		// The server is asked something harmless in its place, so that replies stay in order.
		name := fmt.Sprintf("%s%0*d", token, tokenDigits, p.answered.Add(1))
		refusals.Store(name, f.reply)
		return fmt.Appendf(nil, "*2\r\n$4\r\nPING\r\n$%d\r\n%s\r\n", len(name), name)
	})
	back.Wait()
}

// token and a number of tokenDigits digits name a command that is refused.
const (
	token       = "refused-by-the-proxy-"
	tokenDigits = 12
)

// firstWord gives the first word of a command, in upper case.
func firstWord(command []byte) string {
	parts := bytes.SplitN(command, []byte("\r\n"), 4) // *n, $n, word, rest
	if len(parts) < 4 {
		return ""
	}
	return strings.ToUpper(string(parts[2]))
}

// pass passes on what one side says, as far as it is allowed to and as change makes it, and that
// it has gone.
func (p *Proxy) pass(to, from net.Conn, change func([]byte, fault) []byte) {
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
		to.Write(change(message, f))
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
