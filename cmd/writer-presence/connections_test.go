package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lxzan/gws"
	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/httpapi"
)

// said is a message of the server on a live connection.
type said struct{ Type, Code string }

// liveClient is one live connection, and what comes on it.
type liveClient struct {
	gws.BuiltinEventHandler
	*gws.Conn
	said  chan said
	ended chan struct{}
}

func (c *liveClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var s said
	json.Unmarshal(m.Bytes(), &s)
	c.said <- s
}

func (c *liveClient) OnClose(*gws.Conn, error) { close(c.ended) }

// dialLive opens a live connection to a server; headers come in pairs.
func dialLive(url, project string, headers ...string) (*liveClient, error) {
	c := &liveClient{said: make(chan said, 1000), ended: make(chan struct{})}
	h := http.Header{"Origin": {url}, "Sec-WebSocket-Protocol": {"writer-presence.v1"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, _, err := gws.NewClient(c, &gws.ClientOption{
		Addr: "ws://" + strings.TrimPrefix(url, "http://") + "/writer/api/project/" + project + "/presence/live/", RequestHeader: h,
	})
	if err != nil {
		return nil, err
	}
	c.Conn = conn
	go conn.ReadLoop()
	return c, nil
}

// answer sends a message and returns the type of the ack, or the code of the error.
func (c *liveClient) answer(message string) string {
	c.WriteString(message)
	late := time.After(10 * time.Second)
	for {
		select {
		case s := <-c.said:
			if s.Type == "ack" || s.Type == "error" {
				return s.Type + s.Code
			}
		case <-c.ended:
			if len(c.said) == 0 { // what came before the end counts first
				return "the connection ended"
			}
		case <-late:
			return "nothing in 10 s"
		}
	}
}

func TestAVisitorLeavesConnectionsOfAProcessToTokenHolders(t *testing.T) { // rule 16
	secret := strings.Repeat("s", 40)
	file := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--connections", "300", "--jwt-secret-file", file, "--visitors", "on", "--data", t.TempDir(), "--admin-addr", "off", "--address-rate", "0", "--user-rate", "0")
	response, err := http.Post(s.url+"/writer/api/project/p/presence/update/", "application/json", strings.NewReader(`{"session": "first"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	cookie := strings.Split(response.Header.Get("Set-Cookie"), ";")[0]
	if response.StatusCode != 200 || cookie == "" {
		t.Fatalf("a visitor's first update was answered %d, with the cookie %q", response.StatusCode, cookie)
	}
	open, rejected := 0, 0
	for i := range 300 {
		c, err := dialLive(s.url, fmt.Sprintf("p%d", i%15), "Cookie", cookie)
		if err != nil {
			rejected++
			continue
		}
		switch said := c.answer(fmt.Sprintf(`{"type": "hello", "session": "s%d"}`, i%20)); said {
		case "ack":
			open++
		case "errortoo_many_connections":
			rejected++
		default:
			t.Fatalf("hello %d of the visitor was answered %s", i, said)
		}
	}
	if open != 60 || rejected != 240 { // four fifths of a quarter of 300
		t.Errorf("a visitor has %d live connections and %d were rejected; want 60 and 240", open, rejected)
	}
	token := tokenMaker{jwt.SigningMethodHS256, []byte(secret)}.token(t, "p")
	c, err := dialLive(s.url, "p")
	if err != nil {
		t.Fatalf("a token holder of the same address cannot connect: %v", err)
	}
	if said := c.answer(`{"type": "hello", "session": "tab", "token": "` + token + `"}`); said != "ack" {
		t.Errorf("a token holder's hello was answered %s", said)
	}
	http.DefaultClient.CloseIdleConnections() // polls by a new connection
	var answer nodeAnswer
	if status := s.post("project/p/presence/update/", token, `{"session": "poll"}`, &answer); status != 200 {
		t.Errorf("a token holder's poll was answered %d %s", status, answer.Code)
	}
}

func TestFlagsOfConnectionsBecomeLimits(t *testing.T) {
	for _, c := range []struct {
		dev  bool
		args string
		want [3]int // of all, of a user, of an address: 0 is the default, -1 is none
	}{
		{false, "", [3]int{0, 0, 0}},
		{false, "--connections=300", [3]int{300, 0, 0}},
		{false, "--user-connections=7 --address-connections=9", [3]int{0, 7, 9}},
		{false, "--user-connections=0 --address-connections=0", [3]int{0, -1, -1}},
		{true, "", [3]int{-1, -1, -1}},
		{true, "--connections=300 --user-connections=7", [3]int{300, 7, -1}},
		{true, "--address-connections=9", [3]int{-1, -1, 9}},
	} {
		s := settings{dev: c.dev}
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		f.IntVar(&s.connections, "connections", httpapi.DefaultConnections, "")
		f.IntVar(&s.userConnections, "user-connections", httpapi.DefaultUserConnections, "")
		f.IntVar(&s.addressConnections, "address-connections", 0, "")
		if err := f.Parse(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		s.limitConnections(f)
		if got := [3]int{s.limits.Connections, s.limits.UserConnections, s.limits.AddressConnections}; got != c.want {
			t.Errorf("dev %v, %q: %v; want %v", c.dev, c.args, got, c.want)
		}
	}
}
