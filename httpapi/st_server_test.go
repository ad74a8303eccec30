package httpapi_test

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
	"strconv"
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

// world is a whole server with a store of its own. Every answer that it gives is
// held against docs/reference/openapi.yaml.
type world struct {
	t    *testing.T
	keys *identity.Keys
	logs *lines
	send func(*http.Request) *http.Response
	host string
	// handler is the whole server, without a connection.
	handler *httpapi.Handler
}

// plan is what a test may want otherwise in its world.
type plan struct {
	httpapi.Options
	Keys     *identity.Keys
	Visitors *identity.Visitors // nil lets none in
	Store    func(presence.Store) presence.Store
	// Direct calls the handler without a connection: where time is the test's own,
	// or where requests come from many addresses.
	Direct bool
}

func direct(p *plan) { p.Direct = true }

// newWorld starts a server with dev tokens and visitors.
func newWorld(t *testing.T, changes ...func(*plan)) *world {
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
	w := &world{t: t, logs: &lines{}}
	keys, err := identity.NewKeys([]byte("the key of a test, and of nothing else"))
	if err != nil {
		t.Fatal(err)
	}
	p := plan{Keys: keys, Visitors: &identity.Visitors{}, Store: func(s presence.Store) presence.Store { return s }}
	p.UserRate, p.AddressRate = identity.NoLimit, identity.NoLimit
	p.Dev = &identity.Dev{}
	p.Log = slog.New(slog.NewTextHandler(w.logs, nil))
	for _, change := range changes {
		change(&p)
	}
	w.keys = p.Keys
	p.Service = presence.NewService(p.Store(store))
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
	if w.handler, err = httpapi.New(p.Options); err != nil {
		t.Fatal(err)
	}
	w.serve(checked(t, w.handler, p.Prefix), p.Direct)
	return w
}

func (w *world) serve(h http.Handler, direct bool) {
	if direct {
		w.host = "127.0.0.1:8080"
		w.send = func(r *http.Request) *http.Response {
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, r)
			return recorder.Result()
		}
		return
	}
	server := httptest.NewServer(h)
	w.t.Cleanup(server.Close)
	w.host = server.Listener.Addr().String()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.send = func(r *http.Request) *http.Response {
		answer, err := client.Do(r)
		if err != nil {
			w.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		return answer
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as it is given; headers come in pairs.
func (w *world) do(method, path string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	return w.doFrom("127.0.0.1", method, path, body, headers...)
}

func (w *world) doFrom(address, method, path string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.host+path, body)
	if err != nil {
		w.t.Fatal(err)
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
	got := w.send(r)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatalf("%s %s: the answer breaks off: %v", method, path, err)
	}
	return answer{got.StatusCode, got.Header, string(text)}
}

// fails checks that it is this error, in the form that errors have.
func (a answer) fails(t *testing.T, status int, code string) {
	t.Helper()
	var body struct {
		Success *bool
		Code    string
		Error   string
	}
	err := json.Unmarshal([]byte(a.body), &body)
	if err != nil || a.status != status || body.Code != code || body.Success == nil || *body.Success || body.Error == "" {
		t.Errorf("answered %d %s\ndue is %d with code %q", a.status, a.body, status, code)
	}
}

type user struct {
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

type reply struct {
	Success   bool
	Version   uint64
	Activity  string
	You       user
	Conflicts []user
	Users     *[]user
	Count     int
	Stale     bool
	Durable   *bool
	Partial   *bool
	Heartbeat float64
}

// person is somebody with a browser: a token, or a jar with one cookie.
type person struct {
	w       *world
	address string
	token   string
	cookie  string
	// made is the last cookie that was set or cleared.
	made *http.Cookie
}

// as is somebody who has a dev token.
func (w *world) as(name string, id presence.UserID) *person {
	w.t.Helper()
	token, _, err := (&identity.Dev{Keys: w.keys}).Token(id, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{w: w, address: "127.0.0.1", token: token}
}

// newcomer is somebody whom nobody knows.
func (w *world) newcomer() *person { return &person{w: w, address: "127.0.0.1"} }

func (p *person) do(method, path, body string, headers ...string) answer {
	p.w.t.Helper()
	if p.token != "" {
		headers = append(headers, "Authorization", "Bearer "+p.token)
	}
	if p.cookie != "" {
		headers = append(headers, "Cookie", p.cookie)
	}
	if method == http.MethodPost {
		headers = append(headers, "Content-Type", "application/json")
	}
	a := p.w.doFrom(p.address, method, path, strings.NewReader(body), headers...)
	p.made = nil
	for _, line := range a.header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			p.w.t.Fatalf("Set-Cookie: %q cannot be read: %v", line, err)
		}
		p.made = c
		if p.cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			p.cookie = ""
		}
	}
	return a
}

const project = "/project/p/presence/"

func (p *person) post(what, body string, headers ...string) answer {
	p.w.t.Helper()
	return p.do(http.MethodPost, httpapi.DefaultPrefix+project+what+"/", body, headers...)
}

func (p *person) get(headers ...string) answer {
	p.w.t.Helper()
	return p.do(http.MethodGet, httpapi.DefaultPrefix+project+"list/", "", headers...)
}

// update sends one that has to succeed.
func (p *person) update(body string, headers ...string) reply {
	p.w.t.Helper()
	return p.succeed(p.post("update", body, headers...))
}

func (p *person) leave(body string) reply {
	p.w.t.Helper()
	return p.succeed(p.post("leave", body))
}

func (p *person) list() reply {
	p.w.t.Helper()
	return p.succeed(p.get())
}

func (p *person) succeed(a answer) reply {
	p.w.t.Helper()
	var r reply
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != 200 || !r.Success {
		p.w.t.Fatalf("answered %d %s\ndue is success", a.status, a.body)
	}
	return r
}

// names gives who is there, in the order of the list.
func names(users []user) string {
	var all []string
	for _, u := range users {
		all = append(all, u.Username)
	}
	return strings.Join(all, " ")
}

// isListed checks who is in the list.
func (w *world) isListed(due string) {
	w.t.Helper()
	if got := names(*w.as("watcher", "999").list().Users); got != due {
		w.t.Errorf("listed are %q, due is %q", got, due)
	}
}

// lines is a log that may be written at once.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// metric returns a metric of the server, 0 if there is none. Labels come in pairs. A histogram counts its
// observations.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	for key, value := range w.metrics(name) {
		if key == strings.Join(labels, " ") {
			return value
		}
	}
	return 0
}

// metrics returns the metrics of a name, by their labels in pairs.
func (w *world) metrics(name string) map[string]float64 {
	w.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.handler.Metrics())
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
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

// gunzip returns the answer decompressed.
func (a answer) gunzip(t *testing.T) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatalf("answered %d, %q: %v", a.status, a.header, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hasCORS checks the headers by which a page of the origin may read an answer; none for an empty origin.
func (a answer) hasCORS(t *testing.T, name, origin string, credentials bool) {
	t.Helper()
	due := map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": origin}
	if origin != "" {
		due["Access-Control-Expose-Headers"] = "ETag, Retry-After"
	}
	if credentials {
		due["Access-Control-Allow-Credentials"] = "true"
	}
	for _, header := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		got := strings.Join(a.header[header], " | ")
		if header == "Vary" { // a list depends on how it may be compressed, too
			got = strings.TrimSuffix(got, ", Accept-Encoding")
		}
		if got != due[header] {
			t.Errorf("%s: answered %d with %s %q; due is %q", name, a.status, header, got, due[header])
		}
	}
}

// requests returns how many requests were counted, by operation and status.
func (w *world) requests() map[string]uint64 {
	all := map[string]uint64{}
	for labels, n := range w.metrics("requests_total") {
		field := strings.Fields(labels)
		all[field[1]+" "+field[3]] = uint64(n)
	}
	return all
}

// histogram returns a histogram of an operation.
func (w *world) histogram(name, operation string) *dto.Histogram {
	w.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.handler.Metrics())
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "writer_presence_"+name && m.GetLabel()[0].GetValue() == operation {
				return m.GetHistogram()
			}
		}
	}
	w.t.Fatalf("there is no histogram %s of %s", name, operation)
	return nil
}

const tokenPath = "/writer/api/dev/token/"

type tokenAnswer struct {
	Token string
	User  user
}

// token asks for one, and has to get it.
func (w *world) token(body string) tokenAnswer {
	w.t.Helper()
	got := w.newcomer().do("POST", tokenPath, body)
	var a tokenAnswer
	if err := json.Unmarshal([]byte(got.body), &a); err != nil || got.status != 200 || a.Token == "" {
		w.t.Fatalf("%s answered %d %s\ndue is a token", body, got.status, got.body)
	}
	return a
}

const cause = "dial tcp 10.1.2.3:6379: password canary-password"

// jsonText encodes a text for JSON with every odd character escaped, so that the
// request's own bytes are plain.
func jsonText(s string) string {
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

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// in sends to a project; a list is a GET.
func (p *person) in(project, what, body string, headers ...string) answer {
	p.w.t.Helper()
	method := http.MethodPost
	if what == "list" {
		method = http.MethodGet
	}
	return p.do(method, httpapi.DefaultPrefix+"/project/"+project+"/presence/"+what+"/", body, headers...)
}

// rejections returns how many tokens were rejected for a reason, or for all reasons together.
func (w *world) rejections(reason identity.Reason) (n float64) {
	for labels, count := range w.metrics("token_rejections_total") {
		if reason == "" || labels == "reason "+string(reason) {
			n += count
		}
	}
	return n
}

const (
	cookieName     = "writer_presence_visitor"
	hostCookieName = "__Host-writer_presence_visitor"
)
