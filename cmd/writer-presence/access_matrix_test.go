package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ways are the authenticators of a server, for the rule below.
type ways struct{ secret, jwks, host, dev bool }

func (w ways) tokens() bool { return w.secret || w.jwks }

// role describes the credentials of a request, from which the rule derives the answer.
type role struct {
	name string
	// token is "" for none, "thesis" or "other" for a token of that project, "forged" for one that is signed with another
	// key, "dev" for a token of --dev.
	token string
	// session is the session cookie of the host application: "" for none, "member" for a member of the thesis,
	// "outsider", or "ended" for a user who has signed out.
	session string
	// visitor is the visitor cookie: "" for none, "good" or "forged".
	visitor string
}

var roles = []role{
	{name: "no credentials"},
	{name: "a visitor", visitor: "good"},
	{name: "a forged visitor's cookie", visitor: "forged"},
	{name: "a token for the thesis", token: "thesis"},
	{name: "a token for another project", token: "other"},
	{name: "a forged token", token: "forged"},
	{name: "a token of --dev", token: "dev"},
	{name: "a forged token and a visitor's cookie", token: "forged", visitor: "good"},
	{name: "another project's token and a visitor's cookie", token: "other", visitor: "good"},
	{name: "a member's session", session: "member"},
	{name: "an outsider's session", session: "outsider"},
	{name: "an outsider's session and a visitor's cookie", session: "outsider", visitor: "good"},
	{name: "an ended session", session: "ended"},
	{name: "an ended session and a visitor's cookie", session: "ended", visitor: "good"},
}

// verdict is the result of the rule for a request.
type verdict int

const (
	allowed         verdict = iota
	newVisitor              // allowed, and an update makes the caller a visitor
	unauthenticated         // 401: no credentials
	invalid                 // 401: invalid credentials
	hidden                  // 404: a project of others
)

// rule states rules 14 and 15: the first authenticator that finds its credentials decides, a bad token is rejected whatever
// else the request has, and a request without credentials is a visitor's only in open projects.
func rule(w ways, visitors string, r role, project string) verdict {
	if r.token != "" && (w.tokens() || w.dev) {
		switch {
		case w.tokens() && r.token == project, w.dev && r.token == "dev":
			return allowed
		case w.tokens() && (r.token == "thesis" || r.token == "other"):
			return hidden
		}
		return invalid
	}
	if w.host {
		switch {
		case r.session == "member" && project == "thesis":
			return allowed
		case r.session == "member" || r.session == "outsider":
			return hidden
		}
	}
	open := visitors == "on" || visitors == project || visitors == "" && !w.tokens() && !w.host
	switch {
	case !open:
		return unauthenticated
	case r.visitor == "good":
		return allowed
	case r.visitor == "forged":
		return invalid
	}
	return newVisitor
}

// status returns the status of an endpoint's answer; for live that of the handshake.
func (v verdict) status(endpoint string) int {
	switch v {
	case allowed, newVisitor:
		if endpoint == "leave" && v == newVisitor {
			return 401 // there is no session to end
		}
		if endpoint == "live" {
			return 101
		}
		return 200
	case unauthenticated:
		if endpoint == "live" {
			return 101 // the hello may have a token
		}
		return 401
	case invalid:
		return 401
	}
	return 404
}

// It sends every request: authenticators × --visitors × role × project × endpoint. The expected answer comes from rule,
// which uses no code of the server.
func TestAccessWithEveryCombinationOfFlags(t *testing.T) { // rules 14 and 15
	a := newAccessFixture(t)
	for _, w := range []ways{
		{}, {secret: true}, {jwks: true}, {host: true}, {secret: true, host: true}, {jwks: true, host: true}, {dev: true}, {dev: true, host: true},
	} {
		for _, visitors := range []string{"", "on", "off", "blog", "thesis"} {
			t.Run(fmt.Sprintf("%+v,visitors=%q", w, visitors), func(t *testing.T) {
				t.Parallel()
				args := []string{"--secret-file", a.key, "--user-rate", "0", "--address-rate", "0", "--visitor-rate", "0"}
				if w.secret {
					args = append(args, "--jwt-secret-file", a.secret)
				}
				if w.jwks {
					args = append(args, "--jwks-url", a.jwks)
				}
				if w.host {
					args = append(args, "--auth-url", a.host)
				}
				if w.dev {
					args = append(args, "--dev")
				}
				if visitors != "" {
					args = append(args, "--visitors", visitors)
				}
				addr, _ := startInProcess(t, args...)
				for _, r := range roles {
					for _, project := range []string{"thesis", "blog", "absent"} {
						want := rule(w, visitors, r, project)
						headers := a.headers(t, w, r)
						for _, endpoint := range []string{"list", "update", "leave", "live"} {
							status, body := request(t, addr, project, endpoint, headers)
							if status != want.status(endpoint) {
								t.Errorf("%s, %s of %s: answered %d %s; want %d", r.name, endpoint, project, status, body, want.status(endpoint))
							}
							if want >= unauthenticated && strings.Contains(body, "user_id") {
								t.Errorf("%s, %s of %s: a rejection shows %s", r.name, endpoint, project, body)
							}
						}
						answer := hello("http://"+addr, project, headers)
						if (answer == "ack") != (want == allowed) {
							t.Errorf("%s: a hello in %s was answered %q; want ack: %v", r.name, project, answer, want == allowed)
						}
					}
				}
			})
		}
	}
}

// request sends one request.
func request(t *testing.T, addr, project, endpoint string, headers []string) (status int, text string) {
	t.Helper()
	method, body := http.MethodPost, `{"session": "s", "section": "a", "user_id": 1, "username": "Member"}`
	switch endpoint {
	case "list", "live":
		method, body = http.MethodGet, ""
	case "leave":
		body = `{"session": "another"}`
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/writer/api/project/"+project+"/presence/"+endpoint+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if endpoint == "live" {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Protocol": "writer-presence.v1", "Origin": "http://" + addr,
		} {
			r.Header.Set(name, value)
		}
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return answer.StatusCode, ""
	}
	all, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(all)
}

// hello opens a live connection and says hello. It returns the answer, or the error of the handshake.
func hello(url, project string, headers []string) (answer string) {
	c, err := dialLive(url, project, headers...)
	if err != nil {
		return err.Error()
	}
	defer c.NetConn().Close()
	return c.send(`{"type": "hello", "session": "live", "seq": 1, "section": "a"}`)
}
