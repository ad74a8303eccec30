// Package servertest starts whole servers for the tests of packages httpapi and live, with clients that speak to
// them over memory or TCP. Every HTTP answer is checked against docs/reference/openapi.yaml.
package servertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// Server is a whole server with a store of its own. Every answer that it gives is
// held against docs/reference/openapi.yaml.
type Server struct {
	T         *testing.T
	Keys      *identity.Keys
	Logs      *Log
	roundTrip func(*http.Request) *http.Response
	Host      string
	// handler is the whole server, without a connection.
	Handler *httpapi.Handler
}

// Config is what a test may want otherwise in its world.
type Config struct {
	httpapi.Options
	Keys      *identity.Keys
	Visitors  *identity.Visitors // nil lets none in
	WrapStore func(presence.Store) presence.Store
	// Direct calls the handler without a connection: where time is the test's own,
	// or where requests come from many addresses.
	direct bool
}

func Direct(p *Config) { p.direct = true }

// New starts a server with dev tokens and visitors.
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
			t.Errorf("the store ended with %v", err)
		}
	})
	w := &Server{T: t, Logs: &Log{}}
	keys, err := identity.NewKeys([]byte("the key of a test, and of nothing else"))
	if err != nil {
		t.Fatal(err)
	}
	p := Config{Keys: keys, Visitors: &identity.Visitors{}, WrapStore: func(s presence.Store) presence.Store { return s }}
	p.UserRate, p.AddressRate = identity.NoLimit, identity.NoLimit
	p.Dev = &identity.Dev{}
	p.Log = slog.New(slog.NewTextHandler(w.Logs, nil))
	for _, change := range changes {
		change(&p)
	}
	w.Keys = p.Keys
	p.Service = presence.NewService(p.WrapStore(store))
	var gates []identity.Authenticator
	if p.Dev != nil {
		p.Dev.Keys = p.Keys
		gates = append(gates, p.Dev)
	}
	if p.Visitors != nil {
		p.Visitors.Keys = p.Keys
		if p.Visitors.Allowed == nil {
			p.Visitors.Allowed = identity.EveryProject
		}
		if p.Visitors.Rate == (identity.Rate{}) {
			p.Visitors.Rate = identity.NoLimit
		}
		gates = append(gates, p.Visitors)
	}
	if p.Authenticator == nil {
		p.Authenticator = identity.FirstOf(gates...)
	}
	if p.Prefix == "" {
		p.Prefix = httpapi.DefaultPrefix
	}
	if w.Handler, err = httpapi.New(p.Options); err != nil {
		t.Fatal(err)
	}
	w.serve(CheckContract(t, w.Handler, p.Prefix), p.direct)
	return w
}

func (w *Server) serve(h http.Handler, direct bool) {
	if direct {
		w.Host = "127.0.0.1:8080"
		w.roundTrip = func(r *http.Request) *http.Response {
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, r)
			return recorder.Result()
		}
		return
	}
	server := httptest.NewServer(h)
	w.T.Cleanup(server.Close)
	w.Host = server.Listener.Addr().String()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.roundTrip = func(r *http.Request) *http.Response {
		answer, err := client.Do(r)
		if err != nil {
			w.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		return answer
	}
}

// Answer is what came back.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Send sends a request.
func (w *Server) Send(r *http.Request) *http.Response { return w.roundTrip(r) }

// Do sends a request as it is given; headers come in pairs.
func (w *Server) Do(method, path string, body io.Reader, headers ...string) Response {
	w.T.Helper()
	return w.DoFrom("127.0.0.1", method, path, body, headers...)
}

func (w *Server) DoFrom(address, method, path string, body io.Reader, headers ...string) Response {
	w.T.Helper()
	r, err := http.NewRequestWithContext(w.T.Context(), method, "http://"+w.Host+path, body)
	if err != nil {
		w.T.Fatal(err)
	}
	r.RemoteAddr = address + ":4711" // a connection has its own
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
	got := w.Send(r)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.T.Fatalf("%s %s: the answer breaks off: %v", method, path, err)
	}
	return Response{got.StatusCode, got.Header, string(text)}
}

// ExpectError checks that it is this error, in the form that errors have.
func (a Response) ExpectError(t *testing.T, status int, code string) {
	t.Helper()
	var body struct {
		Success *bool
		Code    string
		Error   string
	}
	err := json.Unmarshal([]byte(a.Body), &body)
	if err != nil || a.Status != status || body.Code != code || body.Success == nil || *body.Success || body.Error == "" {
		t.Errorf("answered %d %s\ndue is %d with code %q", a.Status, a.Body, status, code)
	}
}

type User struct {
	ID       any `json:"user_id"`
	Username string
	Section  string
	Sections []string
	Activity string
	LastSeen time.Time `json:"last_seen"`
	Color    string    `json:"avatar_color"`
	Initials string
	Visitor  bool
}

type Reply struct {
	Success   bool
	Version   uint64
	Activity  string
	You       User
	Conflicts []User
	Users     *[]User
	Count     int
	Stale     bool
	Durable   *bool
	Partial   *bool
	Heartbeat float64
}

// Client is somebody with a browser: a token, or a jar with one cookie.
type Client struct {
	Server  *Server
	Address string
	Token   string
	Cookie  string
	// made is the last cookie that was set or cleared.
	SetCookie *http.Cookie
}

// As is somebody who has a dev token.
func (w *Server) As(name string, id presence.UserID) *Client {
	w.T.Helper()
	token, _, err := (&identity.Dev{Keys: w.Keys}).Token(id, name)
	if err != nil {
		w.T.Fatal(err)
	}
	return &Client{Server: w, Address: "127.0.0.1", Token: token}
}

// Anonymous is somebody whom nobody knows.
func (w *Server) Anonymous() *Client { return &Client{Server: w, Address: "127.0.0.1"} }

func (p *Client) Do(method, path, body string, headers ...string) Response {
	p.Server.T.Helper()
	if p.Token != "" {
		headers = append(headers, "Authorization", "Bearer "+p.Token)
	}
	if p.Cookie != "" {
		headers = append(headers, "Cookie", p.Cookie)
	}
	if method == http.MethodPost {
		headers = append(headers, "Content-Type", "application/json")
	}
	a := p.Server.DoFrom(p.Address, method, path, strings.NewReader(body), headers...)
	p.SetCookie = nil
	for _, line := range a.Header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			p.Server.T.Fatalf("Set-Cookie: %q cannot be read: %v", line, err)
		}
		p.SetCookie = c
		if p.Cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			p.Cookie = ""
		}
	}
	return a
}

const ProjectPath = "/project/p/presence/"

func (p *Client) Post(what, body string, headers ...string) Response {
	p.Server.T.Helper()
	return p.Do(http.MethodPost, httpapi.DefaultPrefix+ProjectPath+what+"/", body, headers...)
}

func (p *Client) GetList(headers ...string) Response {
	p.Server.T.Helper()
	return p.Do(http.MethodGet, httpapi.DefaultPrefix+ProjectPath+"list/", "", headers...)
}

// Update sends one that has to succeed.
func (p *Client) Update(body string, headers ...string) Reply {
	p.Server.T.Helper()
	return p.ExpectSuccess(p.Post("update", body, headers...))
}

func (p *Client) Leave(body string) Reply {
	p.Server.T.Helper()
	return p.ExpectSuccess(p.Post("leave", body))
}

func (p *Client) List() Reply {
	p.Server.T.Helper()
	return p.ExpectSuccess(p.GetList())
}

func (p *Client) ExpectSuccess(a Response) Reply {
	p.Server.T.Helper()
	var r Reply
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil || a.Status != 200 || !r.Success {
		p.Server.T.Fatalf("answered %d %s\ndue is success", a.Status, a.Body)
	}
	return r
}

// Names gives who is there, in the order of the list.
func Names(users []User) string {
	var all []string
	for _, u := range users {
		all = append(all, u.Username)
	}
	return strings.Join(all, " ")
}

// ExpectListed checks who is in the list.
func (w *Server) ExpectListed(due string) {
	w.T.Helper()
	if got := Names(*w.As("watcher", "999").List().Users); got != due {
		w.T.Errorf("listed are %q, due is %q", got, due)
	}
}

// Log is a log that may be written at once.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Metric returns a metric of the server, 0 if there is none. Labels come in pairs. A histogram counts its
// observations.
func (w *Server) Metric(name string, labels ...string) float64 {
	w.T.Helper()
	for key, value := range w.metrics(name) {
		if key == strings.Join(labels, " ") {
			return value
		}
	}
	return 0
}

// metrics returns the metrics of a name, by their labels in pairs.
func (w *Server) metrics(name string) map[string]float64 {
	w.T.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.Handler.Metrics())
	families, err := registry.Gather()
	if err != nil {
		w.T.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "writer_presence_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName(), l.GetValue())
			}
			all[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// Gunzip returns the answer decompressed.
func (a Response) Gunzip(t *testing.T) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(a.Body))
	if err != nil {
		t.Fatalf("answered %d, %q: %v", a.Status, a.Header, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ExpectCORS checks the headers by which a page of the origin may read an answer; none for an empty origin.
func (a Response) ExpectCORS(t *testing.T, name, origin string, credentials bool) {
	t.Helper()
	due := map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": origin}
	if origin != "" {
		due["Access-Control-Expose-Headers"] = "ETag, Retry-After"
	}
	if credentials {
		due["Access-Control-Allow-Credentials"] = "true"
	}
	for _, header := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		got := strings.Join(a.Header[header], " | ")
		if header == "Vary" { // a list depends on how it may be compressed, too
			got = strings.TrimSuffix(got, ", Accept-Encoding")
		}
		if got != due[header] {
			t.Errorf("%s: answered %d with %s %q; due is %q", name, a.Status, header, got, due[header])
		}
	}
}

// Requests returns how many requests were counted, by operation and status.
func (w *Server) RequestCounts() map[string]uint64 {
	all := map[string]uint64{}
	for labels, n := range w.metrics("requests_total") {
		field := strings.Fields(labels)
		all[field[1]+" "+field[3]] = uint64(n)
	}
	return all
}

// Histogram returns a histogram of an operation.
func (w *Server) Histogram(name, operation string) *dto.Histogram {
	w.T.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.Handler.Metrics())
	families, err := registry.Gather()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "writer_presence_"+name && m.GetLabel()[0].GetValue() == operation {
				return m.GetHistogram()
			}
		}
	}
	w.T.Fatalf("there is no histogram %s of %s", name, operation)
	return nil
}

const DevTokenPath = "/writer/api/dev/token/"

// DevToken is a dev token and whom it is for.
type DevToken struct {
	Token string
	User  User
}

// Token asks for one, and has to get it.
func (w *Server) NewDevToken(body string) DevToken {
	w.T.Helper()
	got := w.Anonymous().Do("POST", DevTokenPath, body)
	var a DevToken
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || got.Status != 200 || a.Token == "" {
		w.T.Fatalf("%s answered %d %s\ndue is a token", body, got.Status, got.Body)
	}
	return a
}

const SecretCause = "dial tcp 10.1.2.3:6379: password canary-password"

// JsonText encodes a text for JSON with every odd character escaped, so that the
// request's own bytes are plain.
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

// In sends to a project; a list is a GET.
func (p *Client) DoIn(project, what, body string, headers ...string) Response {
	p.Server.T.Helper()
	method := http.MethodPost
	if what == "list" {
		method = http.MethodGet
	}
	return p.Do(method, httpapi.DefaultPrefix+"/project/"+project+"/presence/"+what+"/", body, headers...)
}

// Rejections returns how many tokens were rejected for a reason, or for all reasons together.
func (w *Server) Rejections(reason identity.Reason) (n float64) {
	for labels, count := range w.metrics("token_rejections_total") {
		if reason == "" || labels == "reason "+string(reason) {
			n += count
		}
	}
	return n
}

const (
	CookieName     = "writer_presence_visitor"
	HostCookieName = "__Host-writer_presence_visitor"
)
