package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/httpapi"
)

func TestVisitorsCannotUseAllConnectionsOfAServer(t *testing.T) { // rule 16
	s := startServer(t, "--connections", "300", "--jwt-secret-file", secretFile(t), "--visitors", "on", "--data", t.TempDir(), "--admin-addr", "off", "--address-rate", "0", "--user-rate", "0")
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
		switch answer := c.send(fmt.Sprintf(`{"type": "hello", "session": "s%d"}`, i%20)); answer {
		case "ack":
			open++
		case "errortoo_many_connections":
			rejected++
		default:
			t.Fatalf("hello %d of the visitor was answered %s", i, answer)
		}
	}
	if open != 60 || rejected != 240 { // four fifths of a quarter of 300
		t.Errorf("the visitor has %d live connections and %d were rejected; want 60 and 240", open, rejected)
	}
	token := signToken(t, jwt.MapClaims{"sub": "1", "username": "Alice", "projects": []string{"p"}})
	c, err := dialLive(s.url, "p")
	if err != nil {
		t.Fatalf("a user with a token cannot connect from the same address: %v", err)
	}
	if answer := c.send(`{"type": "hello", "session": "tab", "token": "` + token + `"}`); answer != "ack" {
		t.Errorf("the hello of a user with a token was answered %s", answer)
	}
	http.DefaultClient.CloseIdleConnections() // the poll needs a new connection
	var reply updateReply
	if status := s.post("project/p/presence/update/", token, `{"session": "poll"}`, &reply); status != 200 {
		t.Errorf("the poll of a user with a token was answered %d %s", status, reply.Code)
	}
}

func TestConnectionFlagsBecomeLimits(t *testing.T) {
	for _, c := range []struct {
		dev  bool
		args string
		want [3]int // in total, per user, per address: 0 is the default, -1 is no limit
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
