package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// A page that reaches --dev through a tunnel is told that --dev is the reason, at every endpoint. It cannot do anything
// about a proxy.
func TestDevExplainsThatItAnswersThisMachineOnly(t *testing.T) {
	w := servertest.New(t)
	live := httptest.NewServer(w.Handler)
	t.Cleanup(live.Close)
	token := w.As("alice", "1").Token
	base := httpapi.DefaultPrefix + servertest.ProjectPath
	for name, headers := range map[string][]string{
		"ngrok":                        {"Host", "abc.ngrok.app", "Origin", "https://abc.ngrok.app"},
		"Codespaces, Host rewritten":   {"Origin", "https://name-8080.app.github.dev", "Sec-Fetch-Site", "cross-site"},
		"an address of the LAN":        {"Host", "192.168.1.20:8080", "Origin", "http://192.168.1.20:8080"},
		"a tunnel without Sec-Fetch-…": {"Origin", "https://abc.trycloudflare.com"},
	} {
		all := append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, headers...)
		for endpoint, got := range map[string]servertest.Response{
			"update": w.Do("POST", base+"update/", strings.NewReader(`{}`), all...),
			"leave":  w.Do("POST", base+"leave/", strings.NewReader(`{}`), all...),
			"token":  w.Do("POST", httpapi.DefaultPrefix+"/dev/token/", strings.NewReader(`{"username": "alice"}`), all...),
			"live":   shakeHands(t, live.Listener.Addr().String(), base+"live/", headers...),
		} {
			if got.Status != 403 || !strings.Contains(got.Body, "--dev") || strings.Contains(got.Body, "proxy") {
				t.Errorf("%s, %s: answered %d %s; want 403 that names --dev and no proxy", name, endpoint, got.Status, got.Body)
			}
		}
	}
	if got := w.Do("GET", base+"list/", nil, "Host", "abc.ngrok.app", "Authorization", "Bearer "+token); got.Status != 403 || !strings.Contains(got.Body, "--dev") {
		t.Errorf("list: answered %d %s; want 403 that names --dev", got.Status, got.Body)
	}
	if logged := w.Logs.String(); strings.Count(logged, "level=WARN") != 1 || !strings.Contains(logged, "--dev answers only 127.0.0.1") {
		t.Errorf("the log has %q; want one warning that names --dev", logged)
	}
}

// Without --dev, and between two pages of this machine, it is a matter of origins.
func TestWithoutDevAForeignPageIsToldAboutOrigins(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*servertest.Config)
		origin string
	}{
		"no --dev":                {func(p *servertest.Config) { p.Dev = nil }, "https://abc.ngrok.app"},
		"--dev, a page of ours":   {func(*servertest.Config) {}, "http://localhost:1"},
		"--dev, ours by its name": {func(*servertest.Config) {}, "http://writer.localhost:1"},
	} {
		w := servertest.New(t, c.change)
		got := w.Do("POST", httpapi.DefaultPrefix+servertest.ProjectPath+"update/", strings.NewReader(`{}`), "Content-Type", "application/json", "Origin", c.origin)
		if got.ExpectError(t, 403, "cross_origin"); strings.Contains(got.Body, "--dev") {
			t.Errorf("%s: answered %s; want no word of --dev", name, got.Body)
		}
	}
}
