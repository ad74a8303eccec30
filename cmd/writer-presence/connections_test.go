package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
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
	const standard = httpapi.DefaultConnections
	for args, want := range map[string][3]int{ // in total, per user, per address: -1 is no limit
		"":                  {standard, httpapi.DefaultUserConnections, standard / 4},
		"--connections=300": {300, httpapi.DefaultUserConnections, 75},
		"--connections=40":  {40, httpapi.DefaultUserConnections, 32},
		"--user-connections=7 --address-connections=9": {standard, 7, 9},
		"--user-connections=0 --address-connections=0": {standard, -1, -1},
		"--dev": {-1, -1, -1},
		"--dev --connections=300 --user-connections=7": {300, 7, -1},
		"--dev --address-connections=9":                {-1, -1, 9},
	} {
		s := parseFlags(t, args+" --data=data")
		if err := s.validate(); err != nil {
			t.Fatal(err)
		}
		o := s.options()
		if got := [3]int{o.Connections, o.UserConnections, o.AddressConnections}; got != want {
			t.Errorf("%q: %v; want %v", args, got, want)
		}
	}
}

func TestRateFlagsBecomeLimits(t *testing.T) {
	for args, want := range map[string]string{ // per user, per address, projects per address
		"":                                  fmt.Sprint(httpapi.DefaultUserRate, httpapi.DefaultAddressRate, httpapi.DefaultAddressProjects),
		"--user-rate=10 --address-rate=100": "{10 50} {100 500} 10000",
		"--user-rate=0 --address-rate=0 --projects-per-address=0": fmt.Sprint(identity.NoLimit, identity.NoLimit, -1),
		"--dev": fmt.Sprint(identity.NoLimit, identity.NoLimit, -1),
		"--dev --user-rate=10 --projects-per-address=3": fmt.Sprint("{10 50} ", identity.NoLimit, " 3"),
	} {
		o := parseFlags(t, args).options()
		if got := fmt.Sprint(o.UserRate, o.AddressRate, o.AddressProjects); got != want {
			t.Errorf("%q: %v; want %v", args, got, want)
		}
	}
}

// parseFlags returns the settings of a command line of serve.
func parseFlags(t *testing.T, args string) *settings {
	t.Helper()
	var s settings
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(f)
	if err := f.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	return &s
}
