// Package servertest starts whole servers for the tests of packages httpapi and live, with clients that connect to
// them in memory or over TCP. Every HTTP response is checked against docs/reference/openapi.yaml.
package servertest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// Server is a handler with a store of its own and a way to send requests to it.
type Server struct {
	T         *testing.T
	Keys      *identity.Keys
	Logs      *Log
	roundTrip func(*http.Request) *http.Response
	Host      string
	Handler   *httpapi.Handler
}

// Config is what a test can change before the server starts.
type Config struct {
	httpapi.Options
	Keys      *identity.Keys
	Visitors  *identity.Visitors // nil rejects visitors
	WrapStore func(presence.Store) presence.Store
	direct    bool
}

// Direct makes New call the handler without a connection, for tests that control time or the addresses of clients.
func Direct(p *Config) { p.direct = true }

// New starts a server with dev tokens and visitors and without rate limits. It fails the test at every response that
// docs/reference/openapi.yaml does not allow. The server stops when the test ends.
func New(t *testing.T, changes ...func(*Config)) *Server {
	t.Helper()
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the store's Run returned %v", err)
		}
	})
	s := &Server{T: t, Logs: &Log{}}
	keys, err := identity.NewKeys([]byte("the key of a test, and of nothing else"))
	if err != nil {
		t.Fatal(err)
	}
	p := Config{Keys: keys, Visitors: &identity.Visitors{}, WrapStore: func(store presence.Store) presence.Store { return store }}
	p.UserRate, p.AddressRate = identity.NoLimit, identity.NoLimit
	p.Dev = &identity.Dev{}
	p.Log = slog.New(slog.NewTextHandler(s.Logs, nil))
	for _, change := range changes {
		change(&p)
	}
	s.Keys = p.Keys
	p.Service = presence.NewService(p.WrapStore(store))
	var authenticators []identity.Authenticator
	if p.Dev != nil {
		p.Dev.Keys = p.Keys
		authenticators = append(authenticators, p.Dev)
	}
	if p.Visitors != nil {
		p.Visitors.Keys = p.Keys
		if p.Visitors.Allowed == nil {
			p.Visitors.Allowed = identity.EveryProject
		}
		if p.Visitors.Rate == (identity.Rate{}) {
			p.Visitors.Rate = identity.NoLimit
		}
		authenticators = append(authenticators, p.Visitors)
	}
	if p.Authenticator == nil {
		p.Authenticator = identity.FirstOf(authenticators...)
	}
	if p.Prefix == "" {
		p.Prefix = httpapi.DefaultPrefix
	}
	if s.Handler, err = httpapi.New(p.Options); err != nil {
		t.Fatal(err)
	}
	s.serve(CheckContract(t, s.Handler, p.Prefix), p.direct)
	return s
}

// serve connects Send to the handler: by calls if direct is true, else over HTTP.
func (s *Server) serve(h http.Handler, direct bool) {
	if direct {
		s.Host = "127.0.0.1:8080"
		s.roundTrip = func(r *http.Request) *http.Response {
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, r)
			return recorder.Result()
		}
		return
	}
	server := httptest.NewServer(h)
	s.T.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.roundTrip = func(r *http.Request) *http.Response {
		answer, err := client.Do(r)
		if err != nil {
			s.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		return answer
	}
}

// Send sends a request and returns the response.
func (s *Server) Send(r *http.Request) *http.Response { return s.roundTrip(r) }

// Do sends a request from 127.0.0.1. Headers are names and values in turn.
func (s *Server) Do(method, path string, body io.Reader, headers ...string) Response {
	s.T.Helper()
	return s.DoFrom("127.0.0.1", method, path, body, headers...)
}

// DoFrom sends a request from an IP address, which only a Direct server sees.
func (s *Server) DoFrom(address, method, path string, body io.Reader, headers ...string) Response {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), method, "http://"+s.Host+path, body)
	if err != nil {
		s.T.Fatal(err)
	}
	r.RemoteAddr = address + ":4711" // only a Direct server sees it; a connection has its own address
	if strings.Contains(address, ":") {
		r.RemoteAddr = "[" + address + "]:4711"
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	got := s.Send(r)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		s.T.Fatalf("%s %s: cannot read the response: %v", method, path, err)
	}
	return Response{got.StatusCode, got.Header, string(text)}
}

// ExpectListed checks the usernames in the list, in order and separated by spaces.
func (s *Server) ExpectListed(want string) {
	s.T.Helper()
	if got := Names(*s.As("watcher", "999").List().Users); got != want {
		s.T.Errorf("got %q in the list, want %q", got, want)
	}
}

const (
	// ProjectPath is the path of project p below the prefix.
	ProjectPath = "/project/p/presence/"
	// LivePath is the path of live connections to project p.
	LivePath     = httpapi.DefaultPrefix + ProjectPath + "live/"
	DevTokenPath = httpapi.DefaultPrefix + "/dev/token/"

	// CookieName is the name of the visitor cookie over HTTP, HostCookieName the one over HTTPS.
	CookieName     = "writer_presence_visitor"
	HostCookieName = "__Host-writer_presence_visitor"
)

// SecretCause is the text of an internal error that no client may see.
const SecretCause = "dial tcp 10.1.2.3:6379: password canary-password"

// JSONString encodes a text as a JSON string in ASCII: all other characters are escaped.
func JSONString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// root returns the top directory of the repository.
func root() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	panic("the working directory is not inside the repository")
}

// ReadGolden returns a golden message from testdata/wire.
func ReadGolden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(root() + "/testdata/wire/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
