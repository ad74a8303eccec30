package httpapi_test

import (
	"context"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// onlyToken authenticates one token.
func onlyToken(token string) identity.Authenticator {
	return servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
		if r.Token != token {
			return identity.Principal{}, identity.ErrTokenInvalid
		}
		return identity.Principal{User: presence.User{ID: "1", Name: "alice"}}, nil
	})
}

func TestReloadKeepsLiveConnectionsAndEndsThoseThatLostAccess(t *testing.T) { // rule 14
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "old"}, `"session": "a"`)
		alice.Pending()
		reload := func(a identity.Authenticator) {
			t.Helper()
			if err := w.Handler.Reload(httpapi.Options{Authenticator: a, UserRate: identity.NoLimit, AddressRate: identity.NoLimit}); err != nil {
				t.Fatal(err)
			}
		}
		reload(identity.FirstOf(onlyToken("old")))
		alice.ExpectNothing(time.Minute)
		reload(onlyToken("new"))
		if m := alice.NextWithin(30 * time.Second); m.Code != "token_invalid" {
			t.Errorf("within 30 s of the reload got %s, want the error token_invalid", m.Text)
		}
		alice.ExpectClose(1008)
	}, func(p *servertest.Config) { p.Authenticator, p.Dev = onlyToken("old"), nil })
}

func TestReloadReplacesOnlyWhatDiffers(t *testing.T) {
	rate := identity.Rate{PerSecond: 0.001, Burst: 1}
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Authenticator, p.Dev, p.UserRate = onlyToken("1"), nil, rate })
	alice := w.Anonymous()
	alice.Token = "1"
	alice.Update(`{"session": "a", "section": "s"}`)

	same := httpapi.Options{Authenticator: onlyToken("1"), UserRate: rate, Origins: []string{"https://a.example"}}
	for name, change := range map[string]func(*httpapi.Options){
		"an invalid origin":  func(o *httpapi.Options) { o.Origins = []string{"a.example"} },
		"no authenticator":   func(o *httpapi.Options) { o.Authenticator = nil },
		"development tokens": func(o *httpapi.Options) { o.Dev = &identity.Dev{Keys: w.Keys} },
	} {
		wrong := same
		change(&wrong)
		if err := w.Handler.Reload(wrong); err == nil {
			t.Errorf("Reload with %s returned no error", name)
		}
	}
	if got := alice.Post("update", `{"session": "a", "section": "s"}`); got.Header.Get("Vary") == "Origin" || got.Status != 200 {
		t.Errorf("after a Reload with an error the answer is %d with %v, want 200 and no origins as before", got.Status, got.Header)
	}

	if err := w.Handler.Reload(same); err != nil {
		t.Fatal(err)
	}
	alice.Post("update", `{"session": "a", "section": "t"}`).ExpectError(t, 429, "too_many_requests") // the rate goes on counting
	got := alice.GetList("Origin", "https://a.example")
	if origin := got.Header.Get("Access-Control-Allow-Origin"); origin != "https://a.example" {
		t.Errorf("with new origins the answer allows %q", origin)
	}
	same.UserRate = identity.NoLimit
	if err := w.Handler.Reload(same); err != nil {
		t.Fatal(err)
	}
	alice.Update(`{"session": "a", "section": "t"}`)
	if err := (&httpapi.Handler{}).Reload(same); err == nil {
		t.Error("Reload of the zero Handler returned no error")
	}
}
