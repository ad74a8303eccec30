package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// fromConn is a connection with a remote address.
type fromConn struct {
	net.Conn
	address net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.address }

// limitedServer is a server with a limit of connections; its clients have addresses.
type limitedServer struct {
	*servertest.LiveServer
	dialled []net.Conn
}

// embeddedServe serves as an application does that has the handler in its own http.Server.
func embeddedServe(ctx context.Context, l net.Listener, h *httpapi.Handler) error {
	server := &http.Server{Handler: h}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func runLimited(t *testing.T, connections int, test func(*limitedServer), changes ...func(*servertest.Config)) {
	t.Helper()
	runLimitedBy(t, servertest.Serve, connections, test, changes...)
}

func runLimitedBy(t *testing.T, serve servertest.ServeFunc, connections int, test func(*limitedServer), changes ...func(*servertest.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		changes = append(changes, func(p *servertest.Config) {
			p.Connections = connections
			p.UserProjects, p.VisitorProjects, p.AddressProjects = -1, -1, -1
		})
		w := &limitedServer{LiveServer: servertest.NewLive(t, serve, changes...)}
		hangUp := func() {
			for _, conn := range w.dialled {
				conn.Close()
			}
		}
		defer hangUp() // also after t.Fatal, so that the server can stop
		test(w)
		hangUp()
		time.Sleep(time.Minute)
		synctest.Wait()
		if open := httpapi.OpenConnections(w.Handler); open != (connlimit.Counts{}) {
			t.Errorf("after all connections have ended, %+v are counted, want none", open)
		}
	})
}

// dial connects from an address. It fails the test if the server does not accept within 5 s.
func (w *limitedServer) dial(from string) net.Conn {
	w.T.Helper()
	ours, theirs := net.Pipe()
	address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 4711))
	if !w.Listener.Offer(fromConn{theirs, address}, 5*time.Second) {
		w.T.Fatalf("a connection from %s was not taken in 5 s", from)
	}
	w.dialled = append(w.dialled, ours)
	return ours
}

// get sends a request on a connection and returns the answer.
func (w *limitedServer) get(conn net.Conn, path string, headers ...string) (status int, body string, header http.Header) {
	w.T.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	text := "GET " + path + " HTTP/1.1\r\nHost: " + w.Host + "\r\n"
	for i := 0; i < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	io.WriteString(conn, text+"\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error(), nil
	}
	content, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(content), answer.Header
}

// open connects a live connection, and returns the status of the handshake if it was rejected.
func (w *limitedServer) open(from, path string, headers ...string) (s *servertest.Socket, status int) {
	w.T.Helper()
	raw := w.dial(from)
	conn := servertest.NewPausableConn(raw)
	io.WriteString(conn, servertest.HandshakeRequest(w.Host, path, headers...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, 0
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		io.Copy(io.Discard, answer.Body)
		return nil, answer.StatusCode
	}
	return servertest.NewSocket(w.T, conn, r), answer.StatusCode
}

// expectConnects checks that a user with a token can connect and poll from an address.
func (w *limitedServer) expectConnects(name, from string, headers ...string) {
	w.T.Helper()
	alice := w.As(name, presence.UserID("7"+fmt.Sprint(len(name))))
	s, status := w.open(from, servertest.LivePath, headers...)
	if s == nil {
		w.T.Errorf("%s with a token: the handshake from %s got %d, want 101", name, from, status)
		return
	}
	time.Sleep(100 * time.Millisecond) // network latency
	s.Send("hello", `"session": "tab", "token": "`+alice.Token+`"`)
	s.Next("ack")
	s.Next("snapshot")
	status, body, _ := w.get(w.dial(from), strings.Replace(servertest.LivePath, "live", "list", 1), append(headers, "Authorization", "Bearer "+alice.Token)...)
	if status != 200 || !strings.Contains(body, `"username":"`+name+`"`) {
		w.T.Errorf("%s with a token polls from %s: got %d %s, want a list with %s", name, from, status, body, name)
	}
	time.Sleep(15 * time.Second)
	if s.Closed() {
		w.T.Errorf("the live connection of %s, with a token, was closed with %d", name, s.CloseCode)
	}
}

// visitorCookies creates n visitors and returns their cookies.
func (w *limitedServer) visitorCookies(n int) (cookies []string) {
	w.T.Helper()
	for range n {
		p := w.Anonymous()
		p.Update(`{"session": "first"}`)
		cookies = append(cookies, p.Cookie)
	}
	return cookies
}
