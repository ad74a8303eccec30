package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

const (
	ofProxy     = "Basic YWxpY2U6b3BlbiBzZXNhbWU="
	tokenHeader = "X-Presence-Token"
)

func inTokenHeader(p *servertest.Config) { p.TokenHeader = "x-presence-token" }

// A token comes in the header of TokenHeader beside basic authentication, and in Authorization
// where that header is missing.
func TestTokenHeaderIsReadBeforeAuthorization(t *testing.T) {
	w := servertest.New(t, inTokenHeader, func(p *servertest.Config) { p.Visitors = nil })
	alice, bob := w.As("alice", "1").Token, w.As("bob", "2").Token
	for name, c := range map[string]struct {
		headers []string
		you     string // "" for nobody
	}{
		"bare, beside basic":         {[]string{tokenHeader, alice, "Authorization", ofProxy}, "alice"},
		"bearer, beside basic":       {[]string{tokenHeader, "bearer  " + alice, "Authorization", ofProxy}, "alice"},
		"in another case":            {[]string{strings.ToUpper(tokenHeader), alice}, "alice"},
		"beside another token":       {[]string{tokenHeader, alice, "Authorization", "Bearer " + bob}, "alice"},
		"only Authorization":         {[]string{"Authorization", "Bearer " + bob}, "bob"},
		"empty":                      {[]string{tokenHeader, "", "Authorization", "Bearer " + bob}, "bob"},
		"Bearer without a token":     {[]string{tokenHeader, "Bearer", "Authorization", "Bearer " + bob}, "bob"},
		"only basic":                 {[]string{"Authorization", ofProxy}, ""},
		"a forged one before a good": {[]string{tokenHeader, "forged", "Authorization", "Bearer " + bob}, ""},
	} {
		p := w.Anonymous()
		got := p.Post("update", `{}`, c.headers...)
		if c.you == "" {
			if got.Status != 401 {
				t.Errorf("%s: answered %d %s; due is 401", name, got.Status, got.Body)
			}
			continue
		}
		if you := p.ExpectSuccess(got).You.Username; you != c.you {
			t.Errorf("%s: the request is %s's; due is %s's", name, you, c.you)
		}
	}
	if text := w.Logs.String(); strings.Contains(text, alice) || strings.Contains(text, bob) || strings.Contains(text, "forged") {
		t.Errorf("the log has a token: %s", text)
	}
}

func TestWithoutTokenHeaderOnlyAuthorizationCounts(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Visitors = nil })
	w.Anonymous().Post("update", `{}`, tokenHeader, w.As("alice", "1").Token).ExpectError(t, 401, "unauthenticated")
}

// A handshake's token is kept for the checks again, and ends the connection when it ends.
func TestLiveTokenHeaderIsCheckedAgain(t *testing.T) {
	g := servertest.TokenAuthenticator{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		g["alice"] = time.Now().Add(130 * time.Second)
		s := w.Connect(tokenHeader, "Bearer alice", "Authorization", ofProxy)
		s.Send("hello", `"session": "a", "seq": 1`)
		if ack := s.Next("ack"); ack.You == nil || ack.You.Username != "a" {
			t.Fatalf("the hello was answered %s", ack.Text)
		}
		for range 2 {
			time.Sleep(time.Minute)
			s.Send("update", ``)
			s.SkipTo("ack")
		}
		time.Sleep(40 * time.Second) // past the end of the token
		found := false
		for _, m := range s.Pending() {
			found = found || m.Code == "token_invalid"
		}
		if !found {
			t.Error("the token of the handshake was not checked again")
		}
	}, inTokenHeader, func(p *servertest.Config) { p.Authenticator = g })
}

func TestPreflightsAllowTheTokenHeader(t *testing.T) {
	w := servertest.New(t, listed, inTokenHeader)
	got := w.Do("OPTIONS", "/writer/api"+servertest.ProjectPath+"update/", nil, "Origin", named, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-presence-token")
	if allowed := got.Header.Get("Access-Control-Allow-Headers"); !strings.Contains(allowed, ", "+tokenHeader) {
		t.Errorf("a preflight was answered %d with %q", got.Status, allowed)
	}
	w = servertest.New(t, listed, inTokenHeader, func(p *servertest.Config) { p.Dev = &identity.Dev{} })
	alice := w.As("alice", "1").Token
	got = w.Do("POST", "/writer/api"+servertest.ProjectPath+"update/", strings.NewReader(`{}`), "Origin", named, "Sec-Fetch-Site", "cross-site", "Content-Type", "application/json", tokenHeader, alice, "Authorization", ofProxy)
	if got.Status != 200 {
		t.Errorf("a page of another origin got %d %s", got.Status, got.Body)
	}
}

func TestTheHostGetsTheTokenOfTokenHeader(t *testing.T) {
	asked := make(chan http.Header, 1)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		w.Write([]byte(`{"user_id": 1, "username": "alice"}`))
	}))
	defer application.Close()
	host, err := identity.NewHost(application.URL+"/{project}", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := servertest.New(t, inTokenHeader, func(p *servertest.Config) { p.Authenticator = host })
	w.Anonymous().Update(`{}`, tokenHeader, "a-token", "Authorization", ofProxy)
	if h := <-asked; h.Get("Authorization") != "Bearer a-token" || h.Get(tokenHeader) != "" {
		t.Errorf("the host was asked with %v", h)
	}
}
