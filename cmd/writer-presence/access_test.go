package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/writer-presence/writer-presence/identity"
)

// ways are the flags by which people can be identified. The rule that the matrix checks reads them, not the server.
type ways struct{ secret, jwks, host, dev bool }

func (w ways) tokens() bool { return w.secret || w.jwks }

// role is somebody who asks. Its fields are facts about the request, from which the rule derives the answer.
type role struct {
	name string
	// token is "", or what the token says: "thesis" and "other" name a project, "forged" is signed with another key,
	// "dev" is a token of --dev.
	token string
	// session is the cookie of the host application: "", "member" of the thesis, "outsider", or "ended" for one that
	// was signed out.
	session string
	// visitor is the cookie: "", "good" or "forged".
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
	{name: "a session that was signed out", session: "ended"},
	{name: "a session that was signed out and a visitor's cookie", session: "ended", visitor: "good"},
}

// verdict is what the rule says about a request.
type verdict int

const (
	let          verdict = iota // let in as somebody
	newcomer                    // let in, but nobody yet: an update makes a visitor
	unidentified                // 401: nobody knows who this is
	invalid                     // 401: the credentials are bad
	hidden                      // 404: not their project
)

// rule is design rules 14 and 15: the first way that knows the caller decides; a bad token is never anything else; and
// whom no way knows is a visitor only where that was said, or where there is no way at all.
func rule(w ways, visitors string, r role, project string) verdict {
	if r.token != "" && (w.tokens() || w.dev) {
		switch {
		case w.tokens() && r.token == project, w.dev && r.token == "dev":
			return let
		case w.tokens() && (r.token == "thesis" || r.token == "other"):
			return hidden
		}
		return invalid
	}
	if w.host {
		switch {
		case r.session == "member" && project == "thesis":
			return let
		case r.session == "member" || r.session == "outsider":
			return hidden
		}
	}
	open := visitors == "on" || visitors == project || visitors == "" && !w.tokens() && !w.host
	switch {
	case !open:
		return unidentified
	case r.visitor == "good":
		return let
	case r.visitor == "forged":
		return invalid
	}
	return newcomer
}

// status is what an endpoint answers for a verdict; for live it is that of the handshake.
func (v verdict) status(endpoint string) int {
	switch v {
	case let, newcomer:
		if endpoint == "leave" && v == newcomer {
			return 401 // has no session to end
		}
		if endpoint == "live" {
			return 101
		}
		return 200
	case unidentified:
		if endpoint == "live" {
			return 101 // the hello may bring a token
		}
		return 401
	case invalid:
		return 401
	}
	return 404
}

// tokenMaker makes tokens for a secret or for a set of keys.
type tokenMaker struct {
	method jwt.SigningMethod
	key    any
}

func (m tokenMaker) token(t *testing.T, projects ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(m.method, jwt.MapClaims{"sub": "tok", "username": "Tok", "projects": projects, "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = "k"
	text, err := token.SignedString(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// accessWorld has what all servers of the matrix have in common: keys, a host application and a key set.
type accessWorld struct {
	secret, key  string // files
	secretText   []byte
	private      *ecdsa.PrivateKey
	host, jwks   string // addresses
	visitor, dev string // a cookie and a token signed with key
}

func newAccessWorld(t *testing.T) *accessWorld {
	t.Helper()
	dir := t.TempDir()
	w := &accessWorld{secret: filepath.Join(dir, "jwt"), key: filepath.Join(dir, "key"), secretText: []byte(strings.Repeat("s", 40))}
	if err := os.WriteFile(w.secret, w.secretText, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := identity.ReadKeys(w.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := (&identity.Visitors{Keys: keys, Allowed: identity.EveryProject}).Authenticate(t.Context(), identity.Request{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	w.visitor = made.Cookie.Name + "=" + made.Cookie.Value
	if w.dev, _, err = (&identity.Dev{Keys: keys}).Token("7", "Dev"); err != nil {
		t.Fatal(err)
	}
	if w.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	point, err := w.private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	jwks := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(out, `{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig", "x": %q, "y": %q}]}`, encode(point[1:33]), encode(point[33:]))
	}))
	t.Cleanup(jwks.Close)
	// As login middleware does: the signed-out get 401 for every project, before anything else is looked at.
	host := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		cookie, _ := r.Cookie("session")
		switch {
		case cookie == nil || cookie.Value == "ended":
			out.WriteHeader(http.StatusUnauthorized)
			io.WriteString(out, `{}`)
		case cookie.Value == "member" && r.URL.Path == "/thesis/":
			io.WriteString(out, `{"user_id": 1, "username": "Member"}`)
		default:
			out.WriteHeader(http.StatusNotFound)
			io.WriteString(out, `{}`)
		}
	}))
	t.Cleanup(host.Close)
	w.jwks, w.host = jwks.URL, host.URL+"/{project}/"
	return w
}

// headers are the request's, as pairs.
func (a *accessWorld) headers(t *testing.T, w ways, r role) (headers []string) {
	t.Helper()
	maker := tokenMaker{jwt.SigningMethodHS256, a.secretText}
	if w.jwks {
		maker = tokenMaker{jwt.SigningMethodES256, a.private}
	}
	forger := tokenMaker{jwt.SigningMethodHS256, []byte(strings.Repeat("f", 40))}
	switch r.token {
	case "thesis", "other":
		headers = append(headers, "Authorization", "Bearer "+maker.token(t, r.token))
	case "forged":
		headers = append(headers, "Authorization", "Bearer "+forger.token(t, "thesis", "blog", "*"))
	case "dev":
		headers = append(headers, "Authorization", "Bearer "+a.dev)
	}
	var cookies []string
	if r.session != "" {
		cookies = append(cookies, "session="+r.session)
	}
	switch r.visitor {
	case "good":
		cookies = append(cookies, a.visitor)
	case "forged":
		cookies = append(cookies, a.visitor[:len(a.visitor)-4]+"AAAA")
	}
	if len(cookies) > 0 {
		headers = append(headers, "Cookie", strings.Join(cookies, "; "))
	}
	return headers
}

// inProcess runs serve in this process until the test ends, and returns its address and its log.
func inProcess(t *testing.T, args ...string) (addr string, log *output) {
	t.Helper()
	out, stdout := io.Pipe()
	log = &output{}
	data := t.TempDir() // before the cleanup below, so that it is removed after the server has ended
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data", data}, args...), []string{"GOGC=100"}, stdout, log)
		stdout.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve %q ended with %v", args, err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("serve %q did not start: %v\n%s", args, err, log)
	}
	return strings.TrimSuffix(strings.TrimSpace(line[strings.Index(line, "http://")+len("http://"):]), "/"), log
}

// TestWhoGetsInByEveryCombinationOfFlags asks for everything as everybody: ways to identify × --visitors × role × project ×
// endpoint. What is expected comes from rule, which knows nothing of the server.
func TestWhoGetsInByEveryCombinationOfFlags(t *testing.T) { // rules 14 and 15
	a := newAccessWorld(t)
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
				addr, _ := inProcess(t, args...)
				for _, r := range roles {
					for _, project := range []string{"thesis", "blog", "absent"} {
						want := rule(w, visitors, r, project)
						headers := a.headers(t, w, r)
						for _, endpoint := range []string{"list", "update", "leave", "live"} {
							status, body := a.ask(t, addr, project, endpoint, headers)
							if status != want.status(endpoint) {
								t.Errorf("%s, %s of %s: answered %d %s; want %d", r.name, endpoint, project, status, body, want.status(endpoint))
							}
							if want >= unidentified && strings.Contains(body, "user_id") {
								t.Errorf("%s, %s of %s is rejected, and shown %s", r.name, endpoint, project, body)
							}
						}
						code := a.hello(t, addr, project, headers)
						if admitted := code == ""; admitted != (want == let) {
							t.Errorf("%s: a hello in %s gets %q; want admitted: %v", r.name, project, code, want == let)
						}
					}
				}
			})
		}
	}
}

// ask sends one request.
func (a *accessWorld) ask(t *testing.T, addr, project, endpoint string, headers []string) (status int, text string) {
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
		for i, h := range handshakeHeaders {
			if i%2 == 0 {
				r.Header.Set(h, handshakeHeaders[i+1])
			}
		}
		r.Header.Set("Origin", "http://"+addr)
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

var handshakeHeaders = []string{
	"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "writer-presence.v1",
}

// hello opens a live connection and says hello on it. It returns "" if an ack comes, the code of an error, or the status
// of a handshake that was rejected.
func (a *accessWorld) hello(t *testing.T, addr, project string, headers []string) (code string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET /writer/api/project/%s/presence/live/ HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n", project, addr, addr)
	for pair := range slices.Chunk(slices.Concat(handshakeHeaders, headers), 2) {
		fmt.Fprintf(&b, "%s: %s\r\n", pair[0], pair[1])
	}
	b.WriteString("\r\n")
	conn.Write(b.Bytes())
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return answer.Status
	}
	message := `{"type": "hello", "session": "live", "seq": 1, "section": "a"}`
	conn.Write(append([]byte{0x81, 0x80 | byte(len(message)), 0, 0, 0, 0}, message...)) // one text frame, masked with zeros
	for {
		frame, err := readFrame(in)
		if err != nil {
			t.Fatalf("a hello in %s: %v", project, err)
		}
		var said struct{ Type, Code string }
		if json.Unmarshal(frame, &said) == nil && said.Type == "ack" {
			return ""
		} else if said.Type == "error" {
			return said.Code
		}
	}
}

// readFrame reads a frame of a server.
func readFrame(in *bufio.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	size := int(head[1])
	if size == 126 {
		if _, err := io.ReadFull(in, head); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint16(head))
	}
	frame := make([]byte, size)
	_, err := io.ReadFull(in, frame)
	return frame, err
}
