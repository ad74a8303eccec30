package httpapi_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// Case 42: no token, cookie or text of a request comes back in an error or goes into
// the log, whatever the request fails at.
func TestNothingOfARequestIsInErrorsOrTheLog(t *testing.T) { // case 42, invariant 12
	const canary = "CaNaRy7"
	store := &weak{}
	w := servertest.New(t, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { store.Store = s; return store }
	})
	headers := func(kind string) []string {
		return []string{
			"Content-Type", kind, "User-Agent", canary, "X-Forwarded-For", canary, "X-CSRFToken", canary, "Referer", "http://" + w.Host + "/" + canary,
			"Accept", canary, "If-None-Match", canary,
		}
	}
	credentials := [][]string{
		nil, {"Authorization", "Bearer " + canary}, {"Authorization", canary}, {"Authorization", "Basic " + canary},
		{"Cookie", servertest.CookieName + "=" + canary}, {"Cookie", servertest.HostCookieName + "=" + canary + "; session=" + canary}, {"Cookie", "sessionid=" + canary},
		{"Authorization", "Bearer " + w.As(canary, canary).Token},
	}
	bodies := []string{
		canary, `{"` + canary + `"`, `{"section":["` + canary + `"]}`, `{"section":"` + canary + `//"}`, `{"section":"` + strings.Repeat(canary, 20) + `"}`,
		`{"session":"` + canary + ` "}`, `{"activity":"` + canary + `"}`, `{"seq":"` + canary + `"}`, `{"known_version":"` + canary + `"}`,
		`{"username":["` + canary + `"]}`, `{"username":" ","user_id":"` + canary + `"}`, `{"username":"a","user_id":"visitor-` + canary + `"}`,
		`{"section":"` + canary + `","session":"` + canary + `"}`,
	}
	base := "/writer/api/project/"
	paths := []string{
		base + "p/presence/update/", base + "p/presence/leave/", base + "p/presence/list/", base + canary + ":/presence/update/", "/" + canary,
		base + "p/presence/update/?token=" + canary, base + "p/presence/list/?token=" + canary, servertest.DevTokenPath + "?token=" + canary,
	}
	seen, fives := 0, 0
	for _, failing := range []error{nil, fmt.Errorf("the store: %w", presence.ErrUnavailable), errors.New("the store")} {
		store.err = failing
		for _, method := range []string{"POST", "GET", "DELETE"} {
			for _, path := range paths {
				for _, credential := range credentials {
					for i, body := range bodies {
						for _, kind := range []string{"application/json", canary} {
							if i > 0 && (method != "POST" || kind == canary) {
								continue // the body is not read there
							}
							got := w.Do(method, path, strings.NewReader(body), append(headers(kind), credential...)...)
							if got.Status < 400 {
								continue
							}
							seen++
							if got.Status >= 500 {
								fives++
							}
							if text := got.Body + fmt.Sprint(got.Header); strings.Contains(text, canary) {
								t.Fatalf("%s %s %s %s answered %d %s\nwith a text of the request", method, path, credential, body, got.Status, text)
							}
						}
					}
				}
			}
		}
	}
	logged := w.Logs.String()
	if seen < 1000 || fives < 100 {
		t.Errorf("only %d errors were seen, %d of them the server's own", seen, fives)
	}
	if strings.Contains(logged, canary) {
		t.Errorf("the log has a text of a request: %.2000s", logged)
	}
}

// Case 43: what is logged stays in its line, whoever chose it.
func TestWhatIsLoggedStaysInItsLine(t *testing.T) { // case 43, invariant 12
	forged := "x\nlevel=ERROR msg=forged\r\u202e\u2028\x1b[31m"
	for name, handler := range map[string]func(*servertest.Log) slog.Handler{
		"text": func(l *servertest.Log) slog.Handler { return slog.NewTextHandler(l, nil) },
		"JSON": func(l *servertest.Log) slog.Handler { return slog.NewJSONHandler(l, nil) },
	} {
		logs, store := &servertest.Log{}, &weak{err: fmt.Errorf("%s: %w", forged, presence.ErrUnavailable)}
		w := servertest.New(t, func(p *servertest.Config) {
			p.WrapStore = func(s presence.Store) presence.Store { store.Store = s; return store }
			p.Log = slog.New(handler(logs))
		})
		w.Do("POST", "/writer/api/project/p/presence/update/", strings.NewReader(`{}`), "Content-Type", "application/json").ExpectError(t, 503, "unavailable")
		logged := logs.String()
		if strings.Count(logged, "\n") != 1 || strings.ContainsAny(logged, "\r\x1b") || name == "text" && strings.ContainsAny(logged, "\u202e\u2028") {
			t.Errorf("the log (%s) is %q; due is one line, with odd characters escaped", name, logged)
		}
		if !strings.Contains(logged, "forged") {
			t.Errorf("the log (%s) has not the cause: %q", name, logged)
		}
	}
}
