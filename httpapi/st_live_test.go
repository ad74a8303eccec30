package httpapi_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// liveWorld is a world with live connections, on a listener in memory and in a time of
// its own.
type liveWorld struct {
	*world
	l *pipes
	// end is SIGTERM; ended is closed when all is over.
	end   context.CancelFunc
	ended chan struct{}
}

// inLive runs a test in a world with live connections.
func inLive(t *testing.T, test func(*testing.T, *liveWorld), changes ...func(*plan)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &liveWorld{world: newWorld(t, append(changes, direct)...), l: newPipes(), ended: make(chan struct{})}
		w.host = "127.0.0.1:8080"
		ctx, cancel := context.WithCancel(context.Background())
		w.end = cancel
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := httpapi.Serve(ctx, fair{w.l}, w.handler, 0, slog.New(slog.DiscardHandler)); err != nil {
				t.Errorf("Serve ended with %v", err)
			}
		})
		serving.Go(func() { w.handler.Run(ctx) })
		go func() {
			serving.Wait()
			close(w.ended)
		}()
		t.Cleanup(func() {
			w.end()
			<-w.ended
		})
		test(t, w)
	})
}

// socket is a WebSocket as raw as a test needs it. It answers pings, unless it is mute, and
// reads all that comes, unless it is deaf.
type socket struct {
	t      *testing.T
	conn   net.Conn
	in     chan message
	mute   bool
	pings  chan time.Time // when the first hundred came
	pongs  atomic.Int32
	closed chan struct{} // when nothing more comes
	code   int           // of the close frame, once closed; 0 for none
}

// message is one of docs/reference/protocol.md, and the text that it came as.
type message struct {
	Type       string
	Seq        uint64
	Version    uint64
	Base       uint64
	Activity   string
	You        *user
	Conflicts  []user
	Users      []user
	Changed    []user
	At         []int
	Left       []any
	Count      int
	Stale      bool
	Durable    *bool
	Heartbeat  float64
	Code       string
	Error      string
	RetryAfter float64 `json:"retry_after"`

	text string
}

const livePath = httpapi.DefaultPrefix + project + "live/"

// handshake is the request of one, with headers in pairs; one that is empty takes away
// what there is otherwise.
func handshake(host, path string, headers ...string) string {
	all := map[string]string{
		"Host": host, "Origin": "http://" + host, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "writer-presence.v1",
	}
	for i := 0; i < len(headers); i += 2 {
		all[headers[i]] = headers[i+1]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", path)
	for name, value := range all {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	return b.String() + "\r\n"
}

// ask sends a handshake, and gives the answer with the connection.
func (w *liveWorld) ask(path string, headers ...string) (net.Conn, *bufio.Reader, *http.Response) {
	w.t.Helper()
	raw, ok := w.l.dial()
	if !ok {
		w.t.Fatal("nobody listens")
	}
	conn := &line{fairConn: newFairConn(raw), ears: make(chan struct{}, 1)}
	io.WriteString(conn, handshake(w.host, path, headers...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		w.t.Fatalf("the handshake: %v", err)
	}
	return conn, r, answer
}

// connect opens a live connection; headers come in pairs.
func (w *liveWorld) connect(headers ...string) *socket {
	w.t.Helper()
	return w.connectTo(livePath, headers...)
}

func (w *liveWorld) connectTo(path string, headers ...string) *socket {
	w.t.Helper()
	conn, r, answer := w.ask(path, headers...)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		w.t.Fatalf("the handshake was answered %d %s", answer.StatusCode, body)
	}
	s := &socket{t: w.t, conn: conn, in: make(chan message, 10_000), pings: make(chan time.Time, 100), closed: make(chan struct{})}
	w.t.Cleanup(func() { conn.Close() })
	go s.read(r)
	return s
}

// come is somebody who opens a live connection, and has not said anything yet.
func (w *liveWorld) come(p *person) *socket {
	w.t.Helper()
	return w.connect("Authorization", "Bearer "+p.token)
}

// enter is somebody who says hello, as JSON without its type, and is told how things are.
func (w *liveWorld) enter(p *person, hello string) (s *socket, ack, snapshot message) {
	w.t.Helper()
	s = w.come(p)
	s.say("hello", hello)
	return s, s.next("ack"), s.next("snapshot")
}

// say sends a message: the fields of a JSON object, or none.
func (s *socket) say(kind, fields string) {
	s.t.Helper()
	fields = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(fields), "{"), "}"))
	if fields != "" {
		fields = ", " + fields
	}
	s.frame(0x81, []byte(`{"type": "`+kind+`"`+fields+"}"))
}

// frame sends a masked frame whose first byte is given.
func (s *socket) frame(first byte, payload []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(maskedFrame(first, payload)); err != nil {
		s.t.Logf("a frame could not be sent: %v", err)
	}
}

func maskedFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// read takes in what comes until the end.
func (s *socket) read(r *bufio.Reader) {
	defer close(s.closed)
	for {
		first, payload, err := readFrame(r)
		if err != nil {
			return
		}
		switch first {
		case 0x81:
			m := message{text: string(payload)}
			if err := json.Unmarshal(payload, &m); err != nil {
				s.t.Errorf("a message that is not JSON: %q: %v", payload, err)
			}
			s.in <- m
		case 0x89:
			select {
			case s.pings <- time.Now():
			default: // nobody counts them
			}
			if !s.mute {
				go s.conn.Write(maskedFrame(0x8a, payload))
			}
		case 0x88:
			if len(payload) >= 2 {
				s.code = int(binary.BigEndian.Uint16(payload))
			}
		case 0x8a:
			s.pongs.Add(1)
		default:
			s.t.Errorf("a frame whose first byte is %#x", first)
		}
	}
}

func readFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	if head[1] >= 126 {
		length := make([]byte, 2)
		if head[1] == 127 {
			length = make([]byte, 8)
		}
		if _, err := io.ReadFull(r, length); err != nil {
			return 0, nil, err
		}
		n = 0
		for _, b := range length {
			n = n<<8 | uint64(b)
		}
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// take gives the next message, if one comes in this time; why is empty then, and says what
// happened instead otherwise.
func (s *socket) take(within time.Duration) (m message, why string) {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case m = <-s.in:
		return m, ""
	case <-late.C:
		return m, "nothing came"
	case <-s.closed:
	}
	select {
	case m = <-s.in: // came before the end
		return m, ""
	default:
		return m, fmt.Sprintf("the connection ended with code %d", s.code)
	}
}

// next gives the next message, which has to be of this type.
func (s *socket) next(kind string) message {
	s.t.Helper()
	m, why := s.take(10 * time.Second)
	if why != "" {
		s.t.Fatalf("%s; due is a message of type %s", why, kind)
	}
	if m.Type != kind {
		s.t.Fatalf("there came %s; due is a message of type %s", m.text, kind)
	}
	return m
}

// quiet checks that nothing comes for a while.
func (s *socket) quiet(d time.Duration) {
	s.t.Helper()
	switch m, why := s.take(d); why {
	case "nothing came":
	case "":
		s.t.Errorf("there came %s; due is nothing", m.text)
	default:
		s.t.Error(why)
	}
}

func (s *socket) over() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// ends checks that the connection ends by itself, with this code.
func (s *socket) ends(code int) {
	s.t.Helper()
	select {
	case <-s.closed:
		if s.code != code {
			s.t.Errorf("the connection ended with code %d; due is %d", s.code, code)
		}
	case <-time.After(time.Minute):
		s.t.Fatalf("the connection goes on; due is its end with code %d", code)
	}
}

// skip gives the next message of a type, whatever else comes before.
func (s *socket) skip(kind string) message {
	s.t.Helper()
	for {
		m, why := s.take(10 * time.Second)
		if why != "" {
			s.t.Fatalf("%s; due is a message of type %s", why, kind)
		}
		if m.Type == kind {
			return m
		}
	}
}

// all gives what comes until nothing more is under way, errors and acks among it.
func (s *socket) all() (came []message) {
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
	for len(s.in) > 0 {
		came = append(came, <-s.in)
	}
	return came
}

// refused checks that an error comes that ends the connection.
func (s *socket) refused(code string) {
	s.t.Helper()
	if m := s.next("error"); m.Code != code || m.Error == "" {
		s.t.Errorf("there came %s; due is the error %s", m.text, code)
	}
	s.ends(1008)
}

// leaves waits until it is told that somebody left, and nothing else, and gives how long
// that took.
func (s *socket) leaves(name string, id any, within time.Duration) time.Duration {
	s.t.Helper()
	began := time.Now()
	m, why := s.take(within)
	if why != "" {
		s.t.Fatalf("%s in %v; due is that %s left", why, within, name)
	}
	if m.Type != "delta" || len(m.Changed) != 0 || len(m.Left) != 1 || m.Left[0] != id {
		s.t.Fatalf("there came %s; due is that %s left", m.text, name)
	}
	return time.Since(began)
}

// upgrading are the headers of a handshake, for a request without a connection, which is
// held against docs/reference/openapi.yaml. Others come in pairs; an empty one takes away.
func upgrading(w *liveWorld, headers ...string) (pairs []string) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake(w.host, livePath, headers...))))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, values := range r.Header {
		for _, value := range values {
			pairs = append(pairs, name, value)
		}
	}
	return append(pairs, "Host", r.Host)
}

// skipTo gives the next message of one of these types.
func (s *socket) skipTo(kinds ...string) message {
	s.t.Helper()
	for {
		m, why := s.take(10 * time.Second)
		if why != "" {
			s.t.Fatalf("%s; due is a message of type %v", why, kinds)
		}
		for _, kind := range kinds {
			if m.Type == kind {
				return m
			}
		}
	}
}

// isListedTo checks who is in the list of somebody with a token.
func (w *liveWorld) isListedTo(token, due string) {
	w.t.Helper()
	p := &person{w: w.world, address: "127.0.0.1", token: token}
	if got := names(*p.list().Users); got != due {
		w.t.Errorf("listed are %q, due is %q", got, due)
	}
}

// handshakes sends some over connections, and checks that each is answered so.
func (w *liveWorld) handshakes(status int, code string, all map[string][]string) {
	w.t.Helper()
	for name, headers := range all {
		conn, _, got := w.ask(livePath, headers...)
		if status == http.StatusSwitchingProtocols {
			if got.StatusCode != status || got.Header.Get("Sec-WebSocket-Protocol") != "writer-presence.v1" || got.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				w.t.Errorf("%s: answered %v; due is a connection", name, got)
			}
		} else {
			body, _ := io.ReadAll(got.Body)
			direct := w.do("GET", livePath, nil, upgrading(w, headers...)...) // which is held against the contract
			for _, got := range []answer{{got.StatusCode, got.Header, string(body)}, direct} {
				if got.status != status || !strings.Contains(got.body, `"code":"`+code+`"`) {
					w.t.Errorf("%s: answered %d %s; due is %d %s", name, got.status, got.body, status, code)
				}
			}
		}
		conn.Close()
	}
}

// isUnavailable checks that an error says so, and nothing of its cause.
func (m message) isUnavailable(t *testing.T, seq uint64) {
	t.Helper()
	if m.Code != "unavailable" || m.Seq != seq || m.RetryAfter != 1 || strings.Contains(m.text, "canary") || strings.Contains(m.text, "10.1.2.3") {
		t.Errorf("there came %s; due is unavailable of message %d, to be tried again after 1 s", m.text, seq)
	}
}

// listen serves live connections over TCP, and gives where.
func (w *world) listen() (host string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.listenOn(l)
}

// dialLive opens a live connection over TCP.
func (w *world) dialLive(host string, p *person) *socket {
	w.t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	io.WriteString(conn, handshake(host, livePath, "Authorization", "Bearer "+p.token))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatalf("the handshake was answered %v, %v", answer, err)
	}
	s := &socket{t: w.t, conn: conn, in: make(chan message, 10_000), closed: make(chan struct{})}
	w.t.Cleanup(func() {
		conn.Close()
		<-s.closed
	})
	go s.read(r)
	return s
}

// ack gives the next ack, whatever else is told before.
func (s *socket) ack() message {
	s.t.Helper()
	for {
		m, why := s.take(10 * time.Second)
		if why != "" {
			s.t.Errorf("%s; due is an ack", why)
			return message{}
		}
		if m.Type == "ack" {
			return m
		}
	}
}

// answers checks that there is an ack, and a snapshot or none.
func (s *socket) answers(snapshot bool, version uint64, known string) {
	s.t.Helper()
	var types []string
	for _, m := range s.all() {
		types = append(types, m.Type)
		if m.Version != version {
			s.t.Errorf("%s is known: there came %s; the version is %d", known, m.text, version)
		}
	}
	due := []string{"ack"}
	if snapshot {
		due = append(due, "snapshot")
	}
	if !slices.Equal(types, due) {
		s.t.Errorf("%q is known: there came %q; due is %q", known, types, due)
	}
}

// beside is another node on the same store.
func (w *liveWorld) beside(store presence.Store) *liveWorld {
	w.t.Helper()
	world := &world{t: w.t, keys: w.keys, logs: &lines{}, host: w.host}
	var err error
	world.handler, err = httpapi.New(httpapi.Options{
		Service: presence.NewService(store), Dev: &identity.Dev{Keys: w.keys}, Authenticator: &identity.Dev{Keys: w.keys},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	world.serve(world.handler, true)
	node := &liveWorld{world: world, l: newPipes()}
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		httpapi.Serve(ctx, fair{node.l}, node.handler, 0, slog.New(slog.DiscardHandler))
	})
	serving.Go(func() { node.handler.Run(ctx) })
	w.t.Cleanup(func() { end(); serving.Wait() })
	return node
}

// take1 gives the next message, in whatever time it has.
func (s *socket) take1(within time.Duration) message {
	s.t.Helper()
	m, why := s.take(within)
	if why != "" {
		s.t.Fatal(why)
	}
	return m
}

func (m message) fails(t *testing.T, code string) {
	t.Helper()
	if m.Code != code {
		t.Errorf("there came %s; due is %s", m.text, code)
	}
}

// golden gives a golden message.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(root() + "/testdata/wire/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// value is what a message says, but for the versions and times that a test cannot choose.
func value(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	timeless(v)
	return v
}

func timeless(v any) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			timeless(each)
		}
	case map[string]any:
		for name, each := range v {
			switch name {
			case "version", "base", "last_seen", "retry_after":
				v[name] = fmt.Sprintf("%T", each)
			default:
				timeless(each)
			}
		}
	}
}

// isGolden checks that a message is the golden one.
func (m message) isGolden(t *testing.T, name string) {
	t.Helper()
	if due := golden(t, name); !reflect.DeepEqual(value(t, []byte(m.text)), value(t, due)) {
		t.Errorf("there came %s\ndue is %s", m.text, due)
	}
}

// slowReader reads perSecond bytes a second, a tenth of a second's worth at a time, or a byte.
type slowReader struct {
	net.Conn
	perSecond int
}

func (r slowReader) Read(b []byte) (int, error) {
	n := min(max(1, r.perSecond/10), len(b))
	time.Sleep(time.Duration(n) * time.Second / time.Duration(r.perSecond))
	return r.Conn.Read(b[:n])
}

// crowd lists so many people in the project, whose list has about 250 bytes for each.
func (w *liveWorld) crowd(n int) {
	w.t.Helper()
	for i := range n {
		w.as(fmt.Sprintf("person with the number %d", i), presence.UserID(fmt.Sprint(1000+i))).
			update(fmt.Sprintf(`{"session": "s", "section": "manuscript/chapter-%d"}`, i))
	}
}

// request sends one over a connection of its own, and returns the connection.
func (w *liveWorld) request(method, path, token, body string) net.Conn {
	w.t.Helper()
	conn, ok := w.l.dial()
	if !ok {
		w.t.Fatal("nobody listens")
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, w.host, token, len(body), body)
	return conn
}

// helloSlowly opens a live connection that is read so slowly, and says hello.
func (w *liveWorld) helloSlowly(perSecond int) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, ok := w.l.dial()
	if !ok {
		w.t.Fatal("nobody listens")
	}
	w.t.Cleanup(func() { conn.Close() })
	io.WriteString(conn, handshake(w.host, livePath, "Authorization", "Bearer "+w.as("reader", "1").token))
	r := bufio.NewReaderSize(slowReader{conn, perSecond}, 16)
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 101 {
		w.t.Fatalf("the handshake: %v, %v", answer, err)
	}
	go conn.Write(maskedFrame(0x81, []byte(`{"type": "hello", "session": "slow"}`)))
	return conn, r
}
