package servertest

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// LiveServer is a world with live connections, on a listener in memory and in a time of
// its own.
type LiveServer struct {
	*Server
	Listener *PipeListener
	// end is SIGTERM; ended is closed when all is over.
	Shutdown context.CancelFunc
	Stopped  <-chan struct{}
}

// RunLive runs a test in a world with live connections.
func RunLive(t *testing.T, test func(*testing.T, *LiveServer), changes ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, NewLive(t, Serve, changes...)) })
}

// ServeFunc serves a handler on a listener until the context ends.
type ServeFunc func(ctx context.Context, l net.Listener, h *httpapi.Handler) error

// Serve is the ServeFunc of the command.
func Serve(ctx context.Context, l net.Listener, h *httpapi.Handler) error { return h.Serve(ctx, l) }

// NewLive starts a server as New does, and serve with it. It must be called in a synctest bubble; the server stops
// when the test ends.
func NewLive(t *testing.T, serve ServeFunc, changes ...func(*Config)) *LiveServer {
	t.Helper()
	return newLive(New(t, append(changes, Direct)...), serve)
}

func newLive(server *Server, serve ServeFunc) *LiveServer {
	w := &LiveServer{Server: server, Listener: NewPipeListener()}
	w.Shutdown, w.Stopped = server.start(FairListener{w.Listener}, serve)
	return w
}

// start serves until the test ends or shutdown is called; stopped is closed when all connections have ended.
func (w *Server) start(l net.Listener, serve ServeFunc) (shutdown context.CancelFunc, stopped <-chan struct{}) {
	ctx, shutdown := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := serve(ctx, l, w.Handler); err != nil {
			w.T.Errorf("Serve ended with %v", err)
		}
	})
	serving.Go(func() { w.Handler.Run(ctx) })
	done := make(chan struct{})
	go func() {
		serving.Wait()
		close(done)
	}()
	w.T.Cleanup(func() {
		shutdown()
		<-done
	})
	return shutdown, done
}

// Socket is a WebSocket as raw as a test needs it. It answers pings, unless it is mute, and
// reads all that comes, unless it is deaf.
type Socket struct {
	T           *testing.T
	Conn        net.Conn
	Messages    chan Message
	IgnorePings bool
	Pings       chan time.Time // when the first hundred came
	Pongs       atomic.Int32
	Done        chan struct{} // when nothing more comes
	CloseCode   int           // of the close frame, once closed; 0 for none
}

// NewSocket returns a socket on a connection whose handshake is done; r has what the server sent after it.
func NewSocket(t *testing.T, conn net.Conn, r *bufio.Reader) *Socket {
	s := &Socket{T: t, Conn: conn, Messages: make(chan Message, 10_000), Pings: make(chan time.Time, 100), Done: make(chan struct{})}
	go s.read(r)
	return s
}

// Message is one of docs/reference/protocol.md, and the text that it came as.
type Message struct {
	Type       string
	Seq        uint64
	Version    uint64
	Base       uint64
	Activity   string
	You        *User
	Conflicts  []User
	Users      []User
	Changed    []User
	At         []int
	Left       []any
	Count      int
	Stale      bool
	Durable    *bool
	Heartbeat  float64
	Code       string
	Error      string
	RetryAfter float64 `json:"retry_after"`

	Text string
}

const LivePath = httpapi.DefaultPrefix + ProjectPath + "live/"

// HandshakeRequest is the request of one, with headers in pairs; one that is empty takes away
// what there is otherwise.
func HandshakeRequest(host, path string, headers ...string) string {
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

// Handshake sends a handshake, and gives the answer with the connection.
func (w *LiveServer) Handshake(path string, headers ...string) (net.Conn, *bufio.Reader, *http.Response) {
	w.T.Helper()
	raw, ok := w.Listener.Dial()
	if !ok {
		w.T.Fatal("nobody listens")
	}
	conn := NewPausableConn(raw)
	io.WriteString(conn, HandshakeRequest(w.Host, path, headers...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		w.T.Fatalf("the handshake: %v", err)
	}
	return conn, r, answer
}

// Connect opens a live connection; headers come in pairs.
func (w *LiveServer) Connect(headers ...string) *Socket {
	w.T.Helper()
	return w.ConnectTo(LivePath, headers...)
}

func (w *LiveServer) ConnectTo(path string, headers ...string) *Socket {
	w.T.Helper()
	conn, r, answer := w.Handshake(path, headers...)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		w.T.Fatalf("the handshake was answered %d %s", answer.StatusCode, body)
	}
	w.T.Cleanup(func() { conn.Close() })
	return NewSocket(w.T, conn, r)
}

// ConnectAs is somebody who opens a live connection, and has not said anything yet.
func (w *LiveServer) ConnectAs(p *Client) *Socket {
	w.T.Helper()
	return w.Connect("Authorization", "Bearer "+p.Token)
}

// Join is somebody who says hello, as JSON without its type, and is told how things are.
func (w *LiveServer) Join(p *Client, hello string) (s *Socket, ack, snapshot Message) {
	w.T.Helper()
	s = w.ConnectAs(p)
	s.Send("hello", hello)
	return s, s.Next("ack"), s.Next("snapshot")
}

// Send sends a message: the fields of a JSON object, or none.
func (s *Socket) Send(kind, fields string) {
	s.T.Helper()
	fields = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(fields), "{"), "}"))
	if fields != "" {
		fields = ", " + fields
	}
	s.SendFrame(0x81, []byte(`{"type": "`+kind+`"`+fields+"}"))
}

// SendFrame sends a masked frame whose first byte is given.
func (s *Socket) SendFrame(first byte, payload []byte) {
	s.T.Helper()
	if _, err := s.Conn.Write(MaskedFrame(first, payload)); err != nil {
		s.T.Logf("a frame could not be sent: %v", err)
	}
}

func MaskedFrame(first byte, payload []byte) []byte {
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

// Read takes in what comes until the end.
func (s *Socket) read(r *bufio.Reader) {
	defer close(s.Done)
	for {
		first, payload, err := ReadFrame(r)
		if err != nil {
			return
		}
		switch first {
		case 0x81:
			m := Message{Text: string(payload)}
			if err := json.Unmarshal(payload, &m); err != nil {
				s.T.Errorf("a message that is not JSON: %q: %v", payload, err)
			}
			s.Messages <- m
		case 0x89:
			select {
			case s.Pings <- time.Now():
			default: // nobody counts them
			}
			if !s.IgnorePings {
				go s.Conn.Write(MaskedFrame(0x8a, payload))
			}
		case 0x88:
			if len(payload) >= 2 {
				s.CloseCode = int(binary.BigEndian.Uint16(payload))
			}
		case 0x8a:
			s.Pongs.Add(1)
		default:
			s.T.Errorf("a frame whose first byte is %#x", first)
		}
	}
}

func ReadFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
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

var errNoMessage = errors.New("no message arrived")

// Receive returns the next message. It returns an error if none arrives in this time, or if the connection ends.
func (s *Socket) Receive(timeout time.Duration) (Message, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case m := <-s.Messages:
		return m, nil
	case <-timer.C:
		return Message{}, errNoMessage
	case <-s.Done:
	}
	select {
	case m := <-s.Messages: // arrived before the end
		return m, nil
	default:
		return Message{}, fmt.Errorf("the connection was closed with code %d", s.CloseCode)
	}
}

// Next gives the next message, which has to be of this type.
func (s *Socket) Next(kind string) Message {
	s.T.Helper()
	m, err := s.Receive(10 * time.Second)
	if err != nil {
		s.T.Fatalf("%v; want a message of type %s", err, kind)
	}
	if m.Type != kind {
		s.T.Fatalf("there came %s; due is a message of type %s", m.Text, kind)
	}
	return m
}

// ExpectNothing checks that nothing comes for a while.
func (s *Socket) ExpectNothing(d time.Duration) {
	s.T.Helper()
	switch m, err := s.Receive(d); err {
	case errNoMessage:
	case nil:
		s.T.Errorf("got %s, want no message for %v", m.Text, d)
	default:
		s.T.Error(err)
	}
}

func (s *Socket) Closed() bool {
	select {
	case <-s.Done:
		return true
	default:
		return false
	}
}

// ExpectClose checks that the connection ends by itself, with this code.
func (s *Socket) ExpectClose(code int) {
	s.T.Helper()
	select {
	case <-s.Done:
		if s.CloseCode != code {
			s.T.Errorf("the connection ended with code %d; due is %d", s.CloseCode, code)
		}
	case <-time.After(time.Minute):
		s.T.Fatalf("the connection goes on; due is its end with code %d", code)
	}
}

// Pending gives what comes until nothing more is under way, errors and acks among it.
func (s *Socket) Pending() (came []Message) {
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
	for len(s.Messages) > 0 {
		came = append(came, <-s.Messages)
	}
	return came
}

// ExpectRejected checks that an error comes that ends the connection.
func (s *Socket) ExpectRejected(code string) {
	s.T.Helper()
	if m := s.Next("error"); m.Code != code || m.Error == "" {
		s.T.Errorf("there came %s; due is the error %s", m.Text, code)
	}
	s.ExpectClose(1008)
}

// ExpectLeft waits until it is told that somebody left, and nothing else, and gives how long
// that took.
func (s *Socket) ExpectLeft(name string, id any, within time.Duration) time.Duration {
	s.T.Helper()
	began := time.Now()
	m, err := s.Receive(within)
	if err != nil {
		s.T.Fatalf("%v within %v; want a delta that %s left", err, within, name)
	}
	if m.Type != "delta" || len(m.Changed) != 0 || len(m.Left) != 1 || m.Left[0] != id {
		s.T.Fatalf("there came %s; due is that %s left", m.Text, name)
	}
	return time.Since(began)
}

// UpgradeHeaders are the headers of a handshake, for a request without a connection, which is
// held against docs/reference/openapi.yaml. Others come in pairs; an empty one takes away.
func (w *LiveServer) HandshakeHeaders(headers ...string) (pairs []string) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(HandshakeRequest(w.Host, LivePath, headers...))))
	if err != nil {
		w.T.Fatal(err)
	}
	for name, values := range r.Header {
		for _, value := range values {
			pairs = append(pairs, name, value)
		}
	}
	return append(pairs, "Host", r.Host)
}

// SkipTo returns the next message of one of these types, and discards those before it.
func (s *Socket) SkipTo(types ...string) Message {
	s.T.Helper()
	for {
		m, err := s.Receive(10 * time.Second)
		if err != nil {
			s.T.Fatalf("%v; want a message of type %s", err, strings.Join(types, " or "))
		}
		if slices.Contains(types, m.Type) {
			return m
		}
	}
}

// ExpectListedTo checks who is in the list of somebody with a token.
func (w *LiveServer) ExpectListedTo(token, due string) {
	w.T.Helper()
	p := &Client{Server: w.Server, Address: "127.0.0.1", Token: token}
	if got := Names(*p.List().Users); got != due {
		w.T.Errorf("listed are %q, due is %q", got, due)
	}
}

// ExpectHandshakes sends some over connections, and checks that each is answered so.
func (w *LiveServer) ExpectHandshakes(status int, code string, all map[string][]string) {
	w.T.Helper()
	for name, headers := range all {
		conn, _, got := w.Handshake(LivePath, headers...)
		if status == http.StatusSwitchingProtocols {
			if got.StatusCode != status || got.Header.Get("Sec-WebSocket-Protocol") != "writer-presence.v1" || got.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				w.T.Errorf("%s: answered %v; due is a connection", name, got)
			}
		} else {
			body, _ := io.ReadAll(got.Body)
			direct := w.Do("GET", LivePath, nil, w.HandshakeHeaders(headers...)...) // which is held against the contract
			for _, got := range []Response{{got.StatusCode, got.Header, string(body)}, direct} {
				if got.Status != status || !strings.Contains(got.Body, `"code":"`+code+`"`) {
					w.T.Errorf("%s: answered %d %s; due is %d %s", name, got.Status, got.Body, status, code)
				}
			}
		}
		conn.Close()
	}
}

// ExpectUnavailable checks that an error says so, and nothing of its cause.
func (m Message) ExpectUnavailable(t *testing.T, seq uint64) {
	t.Helper()
	if m.Code != "unavailable" || m.Seq != seq || m.RetryAfter != 1 || strings.Contains(m.Text, "canary") || strings.Contains(m.Text, "10.1.2.3") {
		t.Errorf("there came %s; due is unavailable of message %d, to be tried again after 1 s", m.Text, seq)
	}
}

// Listen serves live connections over TCP, and gives where.
func (w *Server) Listen() (host string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.T.Fatal(err)
	}
	return w.ListenOn(l)
}

// DialLive opens a live connection over TCP.
func (w *Server) DialLive(host string, p *Client) *Socket {
	w.T.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.T.Fatal(err)
	}
	io.WriteString(conn, HandshakeRequest(host, LivePath, "Authorization", "Bearer "+p.Token))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		w.T.Fatalf("the handshake was answered %v, %v", answer, err)
	}
	s := NewSocket(w.T, conn, r)
	w.T.Cleanup(func() {
		conn.Close()
		<-s.Done
	})
	return s
}

// ExpectAnswers checks that there is an ack, and a snapshot or none.
func (s *Socket) ExpectAckAndSnapshot(snapshot bool, version uint64, known string) {
	s.T.Helper()
	var types []string
	for _, m := range s.Pending() {
		types = append(types, m.Type)
		if m.Version != version {
			s.T.Errorf("%s is known: there came %s; the version is %d", known, m.Text, version)
		}
	}
	due := []string{"ack"}
	if snapshot {
		due = append(due, "snapshot")
	}
	if !slices.Equal(types, due) {
		s.T.Errorf("%q is known: there came %q; due is %q", known, types, due)
	}
}

// AnotherNode is another node on the same store.
func (w *LiveServer) AnotherNode(store presence.Store) *LiveServer {
	w.T.Helper()
	world := &Server{T: w.T, Keys: w.Keys, Logs: &Log{}, Host: w.Host}
	var err error
	world.Handler, err = httpapi.New(httpapi.Options{
		Service: presence.NewService(store), Dev: &identity.Dev{Keys: w.Keys}, Authenticator: &identity.Dev{Keys: w.Keys},
	})
	if err != nil {
		w.T.Fatal(err)
	}
	world.serve(world.Handler, true)
	return newLive(world, Serve)
}

// NextWithin gives the next message, in whatever time it has.
func (s *Socket) NextWithin(within time.Duration) Message {
	s.T.Helper()
	m, err := s.Receive(within)
	if err != nil {
		s.T.Fatal(err)
	}
	return m
}

func (m Message) ExpectError(t *testing.T, code string) {
	t.Helper()
	if m.Code != code {
		t.Errorf("there came %s; due is %s", m.Text, code)
	}
}

// Golden gives a golden message.
func ReadGolden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(root() + "/testdata/wire/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// value is what a message says, but for the versions and times that a test cannot choose.
func decodeComparable(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	hideVersionsAndTimes(v)
	return v
}

func hideVersionsAndTimes(v any) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			hideVersionsAndTimes(each)
		}
	case map[string]any:
		for name, each := range v {
			switch name {
			case "version", "base", "last_seen", "retry_after":
				v[name] = fmt.Sprintf("%T", each)
			default:
				hideVersionsAndTimes(each)
			}
		}
	}
}

// ExpectGolden checks that a message is the golden one.
func (m Message) ExpectGolden(t *testing.T, name string) {
	t.Helper()
	if due := ReadGolden(t, name); !reflect.DeepEqual(decodeComparable(t, []byte(m.Text)), decodeComparable(t, due)) {
		t.Errorf("there came %s\ndue is %s", m.Text, due)
	}
}

// SlowReader reads PerSecond bytes a second, a tenth of a second's worth at a time, or a byte.
type SlowReader struct {
	net.Conn
	PerSecond int
}

func (r SlowReader) Read(b []byte) (int, error) {
	n := min(max(1, r.PerSecond/10), len(b))
	time.Sleep(time.Duration(n) * time.Second / time.Duration(r.PerSecond))
	return r.Conn.Read(b[:n])
}

// Fill lists so many people in the project, whose list has about 250 bytes for each.
func (w *LiveServer) AddUsers(n int) {
	w.T.Helper()
	for i := range n {
		w.As(fmt.Sprintf("person with the number %d", i), presence.UserID(fmt.Sprint(1000+i))).
			Update(fmt.Sprintf(`{"session": "s", "section": "manuscript/chapter-%d"}`, i))
	}
}

// Request sends one over a connection of its own, and returns the connection.
func (w *LiveServer) SendRequest(method, path, token, body string) net.Conn {
	w.T.Helper()
	conn, ok := w.Listener.Dial()
	if !ok {
		w.T.Fatal("nobody listens")
	}
	w.T.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, w.Host, token, len(body), body)
	return conn
}

// HelloSlowly opens a live connection that is read so slowly, and says hello.
func (w *LiveServer) ConnectSlowly(perSecond int) (net.Conn, *bufio.Reader) {
	w.T.Helper()
	conn, ok := w.Listener.Dial()
	if !ok {
		w.T.Fatal("nobody listens")
	}
	w.T.Cleanup(func() { conn.Close() })
	io.WriteString(conn, HandshakeRequest(w.Host, LivePath, "Authorization", "Bearer "+w.As("reader", "1").Token))
	r := bufio.NewReaderSize(SlowReader{conn, perSecond}, 16)
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 101 {
		w.T.Fatalf("the handshake: %v, %v", answer, err)
	}
	go conn.Write(MaskedFrame(0x81, []byte(`{"type": "hello", "session": "slow"}`)))
	return conn, r
}
