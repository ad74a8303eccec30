package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/connlimit"
)

// dialLive opens a live connection over TCP and sends hello if it is not empty. It returns the status of the handshake (0
// if there was no response) and the first message (empty if there was none).
func dialLive(address, project, hello string, headers ...string) (conn net.Conn, status int, first string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, 0, ""
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, servertest.HandshakeRequest(address, strings.Replace(servertest.LivePath, "/p/", "/"+project+"/", 1), headers...))
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return conn, 0, ""
	}
	if answer.StatusCode != http.StatusSwitchingProtocols || hello == "" {
		return conn, answer.StatusCode, ""
	}
	conn.Write(servertest.MaskedFrame(0x81, []byte(`{"type": "hello", `+hello+`}`)))
	_, payload, _ := servertest.ReadFrame(in)
	return conn, answer.StatusCode, string(payload)
}

// waitForNoConnections waits until a handler counts no connections.
func waitForNoConnections(t *testing.T, h *httpapi.Handler) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		open := httpapi.OpenConnections(h)
		if open == (connlimit.Counts{}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("15 s after all connections were closed, %+v are counted, want none", open)
		}
	}
}

func TestConnectionCountsReturnToZeroAfterAStorm(t *testing.T) { // rule 16, invariant 11
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Connections, p.UserConnections, p.AddressConnections = 40, 5, 35 })
	visitor := w.Anonymous()
	visitor.Update(`{"session": "first"}`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	var serving, storm sync.WaitGroup
	serving.Go(func() {
		if err := w.Handler.Serve(ctx, l); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	serving.Go(func() { w.Handler.Run(ctx) })
	defer serving.Wait()
	defer end()
	address := l.Addr().String()
	var tokens []string
	for i := range 4 {
		tokens = append(tokens, w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+1))).Token)
	}
	for worker := range 16 {
		storm.Go(func() {
			for i := range 25 {
				var conn net.Conn
				switch session := fmt.Sprintf(`"session": "s%d"`, worker); rand.N(5) {
				case 0:
					conn, _ = net.Dial("tcp", address)
				case 1:
					if conn, _ = net.Dial("tcp", address); conn != nil {
						fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
						conn.SetReadDeadline(time.Now().Add(time.Second))
						conn.Read(make([]byte, 100))
					}
				case 2:
					conn, _, _ = dialLive(address, "p", "")
				case 3:
					conn, _, _ = dialLive(address, fmt.Sprint("p", i), session, "Cookie", visitor.Cookie)
				case 4:
					conn, _, _ = dialLive(address, fmt.Sprint("p", i), session+`, "token": "`+tokens[worker%4]+`"`)
				}
				if conn != nil {
					conn.Close()
				}
			}
		})
	}
	storm.Wait()
	waitForNoConnections(t, w.Handler)
	conn, _, first := dialLive(address, "p", `"session": "a", "token": "`+tokens[0]+`"`)
	if !strings.Contains(first, `"ack"`) {
		t.Errorf("after the storm a hello got %q", first)
	}
	conn.Close()
	waitForNoConnections(t, w.Handler)
}

func TestLiveConnectionLimitsHoldInAnEmbeddingServer(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserConnections, p.AddressConnections = 4, 5 })
	visitor := w.Anonymous()
	visitor.Update(`{"session": "first"}`)
	server := httptest.NewServer(w.Handler)
	defer server.Close()
	address := server.Listener.Addr().String()
	open := func(i int, who string, headers ...string) (net.Conn, int, string) {
		conn, status, first := dialLive(address, fmt.Sprint("p", i), `"session": "s"`+who, headers...)
		if conn != nil {
			t.Cleanup(func() { conn.Close() })
		}
		return conn, status, first
	}
	var conns []net.Conn
	for i := range 4 { // the limit of a user is four fifths of the limit of an address
		conn, _, first := open(i, "", "Cookie", visitor.Cookie)
		if !strings.Contains(first, `"ack"`) {
			t.Fatalf("hello %d of a visitor got %q", i, first)
		}
		conns = append(conns, conn)
	}
	if _, _, first := open(4, "", "Cookie", visitor.Cookie); !strings.Contains(first, `"too_many_connections"`) {
		t.Errorf("a visitor's hello over the limit got %q, want too_many_connections", first)
	}
	alice := `, "token": "` + w.As("alice", "1").Token + `"`
	if _, _, first := open(4, alice); !strings.Contains(first, `"ack"`) {
		t.Errorf("the hello of a token holder got %q, want an ack", first)
	}
	if _, status, _ := open(5, alice); status != 429 {
		t.Errorf("a handshake over the limit of the address got %d, want 429", status)
	}
	for _, conn := range conns {
		conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, _, first := open(6, alice); strings.Contains(first, `"ack"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("10 s after the visitor's connections have ended, a token holder gets no other one")
		}
	}
}
