package httpapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// debugging sets the log of a server to level debug.
func debugging(logs *servertest.Log) func(*servertest.Config) {
	return func(p *servertest.Config) {
		p.Log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// lineOf returns the newest log line about an error code, "" if there is none.
func lineOf(logs *servertest.Log) (last string) {
	for line := range strings.Lines(logs.String()) {
		if strings.Contains(line, "answered with an error") {
			last = line
		}
	}
	return last
}

var requestID = regexp.MustCompile(`request=([A-Za-z0-9.-]+) `)

// The line and the response have the same request id. Of the client's input the line has ids only.
func TestEachRejectedRequestIsLoggedAtDebug(t *testing.T) {
	logs := &servertest.Log{}
	w := servertest.New(t, debugging(logs), func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
	good := jwtOf(t, "sub", "1042", "projects", []string{"p"})
	const hidden = "hidden-section"
	list, update := httpapi.DefaultPrefix+servertest.ProjectPath+"list/", httpapi.DefaultPrefix+servertest.ProjectPath+"update/"
	for name, c := range map[string]struct {
		method, path, body, token string
		want                      []string
	}{
		"no token":              {"GET", list, "", "", []string{"project=p ", `user="" `, "code=unauthenticated"}},
		"a bad token":           {"GET", list, "", jwtOf(t, "sub", 7), []string{"project=p ", "code=token_invalid", "reason=bad_subject"}},
		"a project":             {"GET", strings.Replace(list, "/p/", "/q/", 1), "", good, []string{"project=q ", "user=1042 ", "code=project_unknown"}},
		"a section":             {"POST", update, `{"section": "` + hidden + strings.Repeat("x", 100) + `"}`, good, []string{"project=p ", "user=1042 ", "code=section_too_long"}},
		"a body":                {"POST", update, `{"section": "` + hidden + `"`, good, []string{"user=1042 ", "code=bad_json"}},
		"an address":            {"GET", "/nothing/" + good, "", "", []string{`project="" `, "code=not_found"}},
		"a token for a project": {"GET", strings.Replace(list, "/p/", "/"+good+"/", 1), "", good, []string{`project="" `, "code=project_invalid"}},
		"a method":              {"PUT", update, "", good, []string{"project=p ", "code=method_not_allowed"}},
		"another origin":        {"POST", update, "{}", good, []string{"project=p ", "code=cross_origin"}},
	} {
		for _, id := range []string{"", "from-a-proxy.1", strings.Repeat("x", 256), "a\tb"} {
			headers := []string{"Content-Type", "application/json", "Cookie", "session=hidden-cookie"}
			if id != "" {
				headers = append(headers, "X-Request-ID", id)
			}
			if c.token != "" {
				headers = append(headers, "Authorization", "Bearer "+c.token)
			}
			if name == "another origin" {
				headers = append(headers, "Origin", foreign)
			}
			before := strings.Count(logs.String(), "answered with an error")
			got := w.Do(c.method, c.path, strings.NewReader(c.body), headers...)
			if n := strings.Count(logs.String(), "answered with an error") - before; n != 1 {
				t.Fatalf("%s: the log has %d lines for a request that got %d", name, n, got.Status)
			}
			line := lineOf(logs)
			found := requestID.FindStringSubmatch(line)
			if found == nil || got.Header.Get("X-Request-Id") != found[1] || id == "from-a-proxy.1" && found[1] != id || id != "from-a-proxy.1" && len(found[1]) != 26 {
				t.Errorf("%s: for the id %q the response has %q and the log %s", name, id, got.Header.Get("X-Request-Id"), line)
			}
			for _, want := range append(c.want, "level=DEBUG", "via=http") {
				if !strings.Contains(line, want) {
					t.Errorf("%s: the log has %s, want %s", name, line, want)
				}
			}
		}
	}
	for _, secret := range append(strings.Split(good, ".")[1:], "hidden-", "session=") {
		if strings.Contains(logs.String(), secret) {
			t.Errorf("the log has %s: %s", secret, logs)
		}
	}
}

// The request id is the one of the handshake if that had one.
func TestEachLiveRejectionIsLoggedAtDebug(t *testing.T) {
	logs := &servertest.Log{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		good := jwtOf(t, "sub", "1042", "projects", []string{"p"})
		for _, id := range []string{"", "of-the-handshake"} {
			headers := []string{"X-Request-ID", id}
			s := w.Connect(headers...)
			s.Send("hello", `"session": "a", "token": "`+jwtOf(t, "sub", "1043", "projects", []string{"q"})+`"`)
			s.Next("error")
			if line := lineOf(logs); !strings.Contains(line, "code=project_unknown") || !strings.Contains(line, "user=1043") {
				t.Errorf("a hello for another project: the log has %s", line)
			}
			s = w.Connect(headers...)
			s.Send("hello", `"session": "a", "token": "`+good+`"`)
			s.Next("ack")
			s.Next("snapshot")
			s.Send("update", `"section": "hidden-`+strings.Repeat("x", 100)+`"`)
			s.Next("error")
			line := lineOf(logs)
			for _, want := range []string{"level=DEBUG", "via=live", "project=p", "user=1042", "code=section_too_long"} {
				if !strings.Contains(line, want) {
					t.Errorf("an update: the log has %s, want %s", line, want)
				}
			}
			if found := requestID.FindStringSubmatch(line); found == nil || id != "" && found[1] != id || id == "" && !strings.HasPrefix(found[1], "live-") {
				t.Errorf("for the id %q the log has %s", id, line)
			}
		}
		if text := logs.String(); strings.Contains(text, "hidden-") || strings.Contains(text, strings.Split(good, ".")[1]) {
			t.Errorf("the log has a section or a token: %s", text)
		}
	}, debugging(logs), func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
}

func TestRejectionsHaveNoLogLineAndNoNewRequestIDWithoutDebug(t *testing.T) {
	w := servertest.New(t)
	for _, id := range []string{"", "x"} {
		got := w.Do("GET", "/nothing/", nil, "X-Request-ID", id)
		if got.Header.Get("X-Request-Id") != id || w.Logs.String() != "" {
			t.Errorf("a request with the id %q was answered with %v, and the log has %s", id, got.Header, w.Logs)
		}
	}
}

// blank is a ResponseWriter that discards the response.
type blank struct{ h http.Header }

func (b blank) Header() http.Header         { return b.h }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

// The baseline is a handler without a log.
func TestRejectionsAllocateNothingForTheLogWithoutDebug(t *testing.T) {
	measure := func(log *slog.Logger) float64 {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Log, p.Authenticator = log, identity.FirstOf() })
		r := httptest.NewRequest("GET", "http://127.0.0.1"+httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil)
		out := blank{http.Header{}}
		return testing.AllocsPerRun(1000, func() {
			clear(out.h)
			w.Handler.ServeHTTP(out, r)
		})
	}
	none := measure(nil)
	info := measure(slog.New(slog.NewTextHandler(io.Discard, nil)))
	debug := measure(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if info > none || debug <= info {
		t.Errorf("a rejection takes %g allocations without a log, %g at level info and %g at debug", none, info, debug)
	}
}
