package servertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// LiveServer is a server with live connections over a listener in memory. It runs in a synctest bubble.
type LiveServer struct {
	*Server
	Listener *PipeListener
	Shutdown context.CancelFunc // does what SIGTERM does
	Stopped  <-chan struct{}    // closed when all connections have ended
}

// RunLive runs a test with a LiveServer in a synctest bubble.
func RunLive(t *testing.T, test func(*testing.T, *LiveServer), changes ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, NewLive(t, Serve, changes...)) })
}

// ServeFunc serves a handler on a listener until the context ends.
type ServeFunc func(ctx context.Context, l net.Listener, h *httpapi.Handler) error

// Serve calls the Serve method of the handler.
func Serve(ctx context.Context, l net.Listener, h *httpapi.Handler) error { return h.Serve(ctx, l) }

// NewLive starts a server that serve serves. It must be called in a synctest bubble; the server stops when the test ends.
func NewLive(t *testing.T, serve ServeFunc, changes ...func(*Config)) *LiveServer {
	t.Helper()
	return newLive(New(t, append(changes, Direct)...), serve)
}

func newLive(server *Server, serve ServeFunc) *LiveServer {
	s := &LiveServer{Server: server, Listener: NewPipeListener()}
	s.Shutdown, s.Stopped = server.start(FairListener{s.Listener}, serve)
	return s
}

// start serves until the test ends or shutdown is called; stopped is closed when all connections have ended.
func (s *Server) start(l net.Listener, serve ServeFunc) (shutdown context.CancelFunc, stopped <-chan struct{}) {
	ctx, shutdown := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := serve(ctx, l, s.Handler); err != nil {
			s.T.Errorf("Serve returned %v", err)
		}
	})
	serving.Go(func() { s.Handler.Run(ctx) })
	done := make(chan struct{})
	go func() {
		serving.Wait()
		close(done)
	}()
	s.T.Cleanup(func() {
		shutdown()
		<-done
	})
	return shutdown, done
}

// AnotherNode starts another server on the same store.
func (s *LiveServer) AnotherNode(store presence.Store) *LiveServer {
	s.T.Helper()
	node := &Server{T: s.T, Keys: s.Keys, Logs: &Log{}, Host: s.Host}
	var err error
	node.Handler, err = httpapi.New(httpapi.Options{
		Service: presence.NewService(store), Dev: &identity.Dev{Keys: s.Keys}, Authenticator: &identity.Dev{Keys: s.Keys},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	node.serve(node.Handler, true)
	return newLive(node, Serve)
}

// ListenOn serves on l until the test ends, and returns its address.
func (s *Server) ListenOn(l net.Listener) (host string) {
	s.start(l, Serve)
	return l.Addr().String()
}

// Listen serves on a free TCP port until the test ends, and returns its address.
func (s *Server) Listen() (host string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.T.Fatal(err)
	}
	return s.ListenOn(l)
}

// Connect opens a live connection to project p. Headers are names and values in turn.
func (s *LiveServer) Connect(headers ...string) *Socket {
	s.T.Helper()
	return s.ConnectTo(LivePath, headers...)
}

// ConnectTo opens a live connection to a path.
func (s *LiveServer) ConnectTo(path string, headers ...string) *Socket {
	s.T.Helper()
	conn, r, answer := s.Handshake(path, headers...)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		s.T.Fatalf("got %d %s, want a connection", answer.StatusCode, body)
	}
	s.T.Cleanup(func() { conn.Close() })
	return NewSocket(s.T, conn, r)
}

// ConnectAs opens a live connection with the token of a client, without a hello.
func (s *LiveServer) ConnectAs(p *Client) *Socket {
	s.T.Helper()
	return s.Connect("Authorization", "Bearer "+p.Token)
}

// Join opens a live connection and says hello with the JSON members hello. It returns the ack and the first snapshot.
func (s *LiveServer) Join(p *Client, hello string) (socket *Socket, ack, snapshot Message) {
	s.T.Helper()
	socket = s.ConnectAs(p)
	socket.Send("hello", hello)
	return socket, socket.Next("ack"), socket.Next("snapshot")
}

// ConnectSlowly opens a live connection that reads perSecond bytes a second, and says hello.
func (s *LiveServer) ConnectSlowly(perSecond int) (net.Conn, *bufio.Reader) {
	s.T.Helper()
	conn, ok := s.Listener.Dial()
	if !ok {
		s.T.Fatal("the listener is closed")
	}
	s.T.Cleanup(func() { conn.Close() })
	io.WriteString(conn, HandshakeRequest(s.Host, LivePath, "Authorization", "Bearer "+s.As("reader", "1").Token))
	r := bufio.NewReaderSize(SlowReader{conn, perSecond}, 16)
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 101 {
		s.T.Fatalf("got %v, %v, want a connection", answer, err)
	}
	go conn.Write(MaskedFrame(FinBit|OpText, []byte(`{"type": "hello", "session": "slow"}`)))
	return conn, r
}

// SendRequest sends a request over a connection of its own, and returns the connection to read the response from.
func (s *LiveServer) SendRequest(method, path, token, body string) net.Conn {
	s.T.Helper()
	conn, ok := s.Listener.Dial()
	if !ok {
		s.T.Fatal("the listener is closed")
	}
	s.T.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, s.Host, token, len(body), body)
	return conn
}

// DialLive opens a live connection over TCP with the token of a client.
func (s *Server) DialLive(host string, p *Client) *Socket {
	s.T.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		s.T.Fatal(err)
	}
	io.WriteString(conn, HandshakeRequest(host, LivePath, "Authorization", "Bearer "+p.Token))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		s.T.Fatalf("got %v, %v, want a connection", answer, err)
	}
	socket := NewSocket(s.T, conn, r)
	s.T.Cleanup(func() {
		conn.Close()
		<-socket.Done
	})
	return socket
}

// AddUsers adds n users to project p; each takes about 250 bytes of the list.
func (s *LiveServer) AddUsers(n int) {
	s.T.Helper()
	for i := range n {
		s.As(fmt.Sprintf("person with the number %d", i), presence.UserID(fmt.Sprint(1000+i))).
			Update(fmt.Sprintf(`{"session": "s", "section": "manuscript/chapter-%d"}`, i))
	}
}

// ExpectListedTo checks the usernames in the list that a token gets.
func (s *LiveServer) ExpectListedTo(token, want string) {
	s.T.Helper()
	p := &Client{Server: s.Server, Address: "127.0.0.1", Token: token}
	if got := Names(*p.List().Users); got != want {
		s.T.Errorf("got %q in the list, want %q", got, want)
	}
}
