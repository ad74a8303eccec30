package web

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	presence "writer-presence"
	"writer-presence/identity"
)

const (
	// subprotocol names docs/protocol.md.
	subprotocol = "writer-presence.v1"
	maxMessage  = maxBody
	// helloTime is how long a connection may be open without saying whose it is.
	helloTime = 10 * time.Second
	// turnEvery is how far apart the turns of a connection are: when it is pinged, and when
	// it is asked again whether its user may. Less than the 30 s of rule 14.
	turnEvery = 25 * time.Second
	// turns are how many groups the connections have their turns in, one after the other:
	// a burst of pings would delay everybody else.
	turns = 250
	// readBuffer is the size of what a connection reads in one go; most messages fit.
	readBuffer = 128
	// closeTime is how long a last word may take.
	closeTime = time.Second
	// slowTime is how long a frame may take: whoever reads slower is cut off.
	slowTime = 10 * time.Second
	// mostPings is how many pings of a client are answered between two turns.
	mostPings = 100
)

// live holds the live connections, and what they are told.
type live struct {
	*Handler
	upgrader *gws.Upgrader
	feeds    feeds
	began    time.Time

	mu     sync.Mutex
	conns  [turns]map[*liveConn]struct{}
	next   int // the group that the next connection comes into
	ending bool
	open   sync.WaitGroup
}

func newLive(s *Handler) *live {
	l := &live{Handler: s, began: time.Now(), feeds: newFeeds(s.Tracker)}
	l.upgrader = gws.NewUpgrader(liveEvents{}, &gws.ServerOption{
		ReadBufferSize:     readBuffer,
		ParallelGolimit:    1,
		ReadMaxPayloadSize: maxMessage,
		CheckUtf8Enabled:   true,
		SubProtocols:       []string{subprotocol},
		NewSession:         func() gws.SessionStorage { return &liveConn{live: l} },
	})
	return l
}

// Run sees to the live connections until the context ends: pings them, and asks again
// whether their users may. Then it tells each that it goes away, and returns when they
// have gone, within ten seconds.
func (s *Handler) Run(ctx context.Context) { s.live.run(ctx) }

func (l *live) run(ctx context.Context) {
	tick := time.NewTicker(turnEvery / turns)
	defer tick.Stop()
	for group := 0; ctx.Err() == nil; group = (group + 1) % turns {
		select {
		case <-tick.C:
			for _, c := range l.group(group) {
				go c.turn()
			}
		case <-ctx.Done():
		}
	}
	l.drain()
}

// uptime is a clock that nobody sets.
func (l *live) uptime() time.Duration { return time.Since(l.began) }

func (l *live) group(i int) []*liveConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*liveConn, 0, len(l.conns[i]))
	for c := range l.conns[i] {
		conns = append(conns, c)
	}
	return conns
}

// drain tells every connection when to come back: spread out, so that whoever serves them
// next is not met by all at once.
func (l *live) drain() {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	var all []*liveConn
	for i := range turns {
		all = append(all, l.group(i)...)
	}
	spread := min(time.Second+time.Duration(len(all))*2*time.Millisecond, 20*time.Second)
	for _, c := range all {
		go c.drain(time.Second/2 + rand.N(spread))
	}
	gone := make(chan struct{})
	go func() {
		l.open.Wait()
		close(gone)
	}()
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
		for _, c := range all {
			c.conn.cut()
		}
		<-gone
	}
	l.feeds.end()
}

// enter counts a connection in, unless there is to be an end.
func (l *live) enter(c *liveConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return false
	}
	l.open.Add(1)
	c.group = l.next
	l.next = (l.next + 1) % turns
	if l.conns[c.group] == nil {
		l.conns[c.group] = map[*liveConn]struct{}{}
	}
	l.conns[c.group][c] = struct{}{}
	return true
}

func (l *live) forget(c *liveConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns[c.group], c)
	l.open.Done()
}

// upgrade answers GET …/live/. Whom the request alone tells to be refused is refused here,
// as by list; who can only say it in a hello has to wait for that.
func (l *live) upgrade(w http.ResponseWriter, r *http.Request, project string) {
	if !isHandshake(r) {
		l.fail(w, r, errUpgrade)
		return
	}
	if !l.isOurs(r) {
		l.fail(w, r, errCrossOrigin)
		return
	}
	who, err := l.admit(w, r, project, true)
	if errors.Is(err, identity.ErrNobody) {
		err = nil // a hello may say more
	}
	if err = cmp.Or(err, who.above); err != nil {
		l.fail(w, r, err)
		return
	}
	l.mu.Lock()
	ending := l.ending
	l.mu.Unlock()
	if ending {
		l.fail(w, r, errDraining)
		return
	}
	conn, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		l.fail(w, r, err)
		return
	}
	l.begin(conn, early.Reader, r, who)
}

// begin takes a connection over from HTTP.
func (l *live) begin(conn net.Conn, early *bufio.Reader, r *http.Request, who asker) {
	reader := io.Reader(conn)
	if n := early.Buffered(); n > 0 { // sent before it was asked for
		sent, _ := early.Peek(n)
		reader = io.MultiReader(bytes.NewReader(bytes.Clone(sent)), conn)
	}
	// gws knows lists in one line only, and another Upgrade than websocket not at all.
	r.Header["Connection"], r.Header["Upgrade"], r.Header["Sec-Websocket-Protocol"] = []string{"Upgrade"}, []string{"websocket"}, []string{subprotocol}
	out := &lingering{Conn: conn}
	socket, err := l.upgrader.UpgradeFromConn(out, bufio.NewReaderSize(reader, readBuffer), r)
	if err != nil {
		conn.Close() // it has been told so
		return
	}
	c := socket.Session().(*liveConn)
	c.socket, c.conn = socket, out
	c.project, c.says = presence.Project(strings.Clone(string(who.request.Project))), newCredentials(who.request)
	c.heard.Store(int64(l.uptime()))
	if !l.enter(c) {
		c.conn.cut()
		return
	}
	c.hello = time.AfterFunc(helloTime, func() { c.refuse(errHelloLate) })
	go c.run() // with a stack of its own: that of the request has grown
}

// isHandshake tells whether a request asks for this protocol over WebSocket (RFC 6455, 4.2.1).
func isHandshake(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(first(r.Header, "Sec-Websocket-Key"))
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && has(r.Header["Connection"], "upgrade", strings.EqualFold) &&
		has(r.Header["Upgrade"], "websocket", strings.EqualFold) && first(r.Header, "Sec-Websocket-Version") == "13" && err == nil && len(key) == 16 &&
		has(r.Header["Sec-Websocket-Protocol"], subprotocol, func(a, b string) bool { return a == b })
}

// has tells whether a word is in a list that has commas.
func has(lines []string, word string, same func(a, b string) bool) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if same(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// isOurs tells whether a handshake comes from a page that may open a live connection: for
// WebSocket, browsers leave it to the server to ask.
func (l *live) isOurs(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) != 1 || l.Dev != nil && !isLocal(r.Host) {
		return false
	}
	if len(l.Origins) > 0 {
		return slices.ContainsFunc(l.Origins, func(o string) bool { return strings.EqualFold(o, origins[0]) })
	}
	origin, err := url.Parse(origins[0])
	return err == nil && (origin.Scheme == "http" || origin.Scheme == "https") && strings.EqualFold(origin.Host, r.Host)
}

// credentials are what of a request tells who is asking, kept to ask again. They are kept
// small: there are as many as connections.
type credentials struct {
	token, cookie, authorization string
	secure                       bool
}

func newCredentials(r identity.Request) credentials {
	return credentials{
		token:         strings.Clone(r.Token),
		cookie:        strings.Join(r.Header["Cookie"], "; "),
		authorization: strings.Clone(first(r.Header, "Authorization")),
		secure:        r.Secure,
	}
}

func (c credentials) request(project presence.Project) identity.Request {
	r := identity.Request{Project: project, Header: http.Header{}, Token: c.token, Secure: c.secure, Looking: true}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	return r
}

// lingering is a connection whose other side can read to the end what it was told: that
// would be lost if this side closed with something left to read. Nothing follows a close
// frame.
type lingering struct {
	net.Conn
	over atomic.Bool // a close frame was sent
}

func (c *lingering) Write(frame []byte) (int, error) {
	if frame[0] == closeFrame {
		c.over.Store(true)
	} else if c.over.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(frame)
}

// Close ends the writing, and the reading soon; then cut ends it all.
func (c *lingering) Close() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		return c.SetReadDeadline(time.Now().Add(closeTime))
	}
	return c.Conn.Close()
}

// cut ends the connection at once.
func (c *lingering) cut() { c.Conn.Close() }
