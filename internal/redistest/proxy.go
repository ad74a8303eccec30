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

// Proxy passes connections on to a server, and can simulate faults of the network and of the server. Its
// methods are safe to call concurrently.
type Proxy struct {
	Addr string

	server  atomic.Pointer[string] // its address
	replied atomic.Int64           // commands that ReplyWithError answered
	dropped atomic.Int64           // messages that DropMessages dropped

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when the fault changes
	conns   []net.Conn
}

// fault is what the proxy does; the zero value passes everything on.
type fault struct {
	cut, hold, dropMessages bool
	delay                   time.Duration
	// rejected has the commands that are answered with reply, in upper case; "*" stands for all.
	rejected map[string]bool
	reply    string
}

// published matches the beginning of a pub/sub message.
var published = regexp.MustCompile(`^>3\r\n\$[78]\r\ns?message\r\n`)

// StartProxy starts a proxy to a server. It ends with the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	p := NewProxy(t)
	p.To(server)
	return p
}

// NewProxy starts a proxy whose server is set later by [Proxy.To], before anybody connects. It is for
// servers that announce the address of their proxy.
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

// To sets the address of the server.
func (p *Proxy) To(server string) { p.server.Store(&server) }

// URL returns the address of the proxy for redisstore.Open.
func (p *Proxy) URL() string { return "redis://" + p.Addr }

// Pass ends the fault. Messages that were held are passed on first.
func (p *Proxy) Pass() { p.set(fault{}) }

// Cut closes all connections, and each new one.
func (p *Proxy) Cut() { p.set(fault{cut: true}) }

// Hold passes nothing on, as if packets were lost. The connections stay open.
func (p *Proxy) Hold() { p.set(fault{hold: true}) }

// Slow delays each message in both directions.
func (p *Proxy) Slow(delay time.Duration) { p.set(fault{delay: delay}) }

// DropMessages drops pub/sub messages to clients, and passes everything else on.
func (p *Proxy) DropMessages() { p.set(fault{dropMessages: true}) }

// Dropped returns how many messages DropMessages has dropped.
func (p *Proxy) Dropped() int64 { return p.dropped.Load() }

// ReplyWithError answers commands such as "EVALSHA" with an error reply such as "BUSY …". The server does
// not get them. The command "*" stands for all.
func (p *Proxy) ReplyWithError(reply string, commands ...string) {
	f := fault{rejected: map[string]bool{}, reply: "-" + reply + "\r\n"}
	for _, c := range commands {
		f.rejected[c] = true
	}
	p.set(f)
}

// ErrorReplies returns how many commands ReplyWithError has answered.
func (p *Proxy) ErrorReplies() int64 { return p.replied.Load() }

// CloseConnections closes all connections once. New ones are served as before.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// set sets the fault, which takes effect on open connections, too.
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

// current returns the fault, and a channel that is closed when it changes. It adds connections to those
// that Cut closes.
func (p *Proxy) current(more ...net.Conn) (fault, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, more...)
	return p.fault, p.changed
}

// serve serves one connection.
func (p *Proxy) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	if f, _ := p.current(client, server); f.cut {
		return
	}
	var replies sync.Map // error replies on this connection, by token
	var back sync.WaitGroup
	back.Go(func() {
		p.pass(client, server, func(message []byte, f fault) []byte {
			if at := bytes.Index(message, []byte(token)); at >= 0 {
				if reply, ok := replies.LoadAndDelete(string(message[at : at+len(token)+tokenDigits])); ok {
					return []byte(reply.(string))
				}
			}
			if f.dropMessages && published.Match(message) {
				p.dropped.Add(1)
				return nil
			}
			return message
		})
	})
	p.pass(server, client, func(message []byte, f fault) []byte {
		if !f.rejected["*"] && !f.rejected[commandName(message)] {
			return message
		}
		// The server gets a PING instead, so that replies stay in order.
		name := fmt.Sprintf("%s%0*d", token, tokenDigits, p.replied.Add(1))
		replies.Store(name, f.reply)
		return fmt.Appendf(nil, "*2\r\n$4\r\nPING\r\n$%d\r\n%s\r\n", len(name), name)
	})
	back.Wait()
}

// token and a number of tokenDigits digits identify a command that is answered with an error.
const (
	token       = "rejected-by-the-proxy-"
	tokenDigits = 12
)

// commandName returns the first word of a command, in upper case.
func commandName(command []byte) string {
	parts := bytes.SplitN(command, []byte("\r\n"), 4) // *n, $n, word, rest
	if len(parts) < 4 {
		return ""
	}
	return strings.ToUpper(string(parts[2]))
}

// pass copies messages from one side to the other, through change and subject to the fault, until one
// side closes its connection.
func (p *Proxy) pass(to, from net.Conn, change func([]byte, fault) []byte) {
	defer to.Close()
	r := bufio.NewReader(from)
	for message, err := next(r); err == nil; message, err = next(r) {
		f, changed := p.current()
		for f.hold || f.delay > 0 {
			var delayed <-chan time.Time // nil, which never fires, while messages are held
			if f.delay > 0 {
				delayed = time.After(f.delay)
			}
			select {
			case <-delayed:
				f.delay = 0
			case <-changed:
				f, changed = p.current()
			}
		}
		to.Write(change(message, f))
	}
}

// next reads one value of the Redis protocol (RESP3).
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
