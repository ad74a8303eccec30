package httpapi_test

import (
	"context"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestAgentAndPictureComeFromTheAuthenticatorOnly(t *testing.T) { // rules 15, 21
	const claims = `"agent":true,"avatar_url":"https://evil.example/a.png","picture":"https://evil.example/a.png"`
	w := servertest.New(t)
	if got := w.As("alice", "1").Post("update", `{"section":"s",`+claims+`}`); got.Status != 200 || strings.Contains(got.Body, "agent") || strings.Contains(got.Body, "evil") {
		t.Errorf("with fields in the body: got %d %s, want neither an agent nor a picture", got.Status, got.Body)
	}
	w = servertest.New(t, func(p *servertest.Config) {
		p.Authenticator = servertest.AuthenticatorFunc(func(context.Context, identity.Request) (identity.Principal, error) {
			return identity.Principal{User: presence.User{ID: "7", Name: "Bot", AvatarURL: "https://x.example/bot.png", Agent: true}}, nil
		})
	})
	if got := w.Anonymous().Post("update", `{"section":"s","agent":false,"avatar_url":"x"}`); got.Status != 200 || !strings.Contains(got.Body, `"avatar_url":"https://x.example/bot.png"`) || !strings.Contains(got.Body, `"agent":true`) {
		t.Errorf("from the authenticator: got %d %s, want an agent with a picture", got.Status, got.Body)
	}
}

func TestAgentsAndVisitorsSaveWaitAndConflictLikeAnyUser(t *testing.T) { // rules 18 to 21
	for kind, user := range map[string]presence.User{
		"an agent":  {ID: "7", Name: "Bot", Agent: true},
		"a visitor": {ID: presence.VisitorPrefix + "x", Name: "Visitor 1234", Visitor: true},
	} {
		w := servertest.New(t, func(p *servertest.Config) {
			p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
				if r.Header.Get("Cookie") != "" {
					return identity.Principal{User: presence.User{ID: "1", Name: "Alice"}}, nil
				}
				return identity.Principal{User: user}, nil
			})
		})
		it := w.Anonymous()
		it.Update(`{"session": "x", "section": "s", "activity": "idle", "unsaved": true, "waiting_for": "r", "saved": {"section": "r", "revision": "7"}}`)
		alice := w.Anonymous()
		alice.Cookie = "alice"
		got := alice.Update(`{"session": "y", "section": "s", "unless_occupied": true, "known_version": 0}`)
		if got.Activity != "viewing" || servertest.Names(got.Conflicts) != user.Name || got.Conflicts[0].WaitingFor != "r" {
			t.Errorf("%s: got %s, conflicts %+v, want viewing beside %s, who waits for r", kind, got.Activity, got.Conflicts, user.Name)
		}
		if saves := servertest.Saves(got.Saved); saves != "r@7 by "+user.Name {
			t.Errorf("%s: saves %q, want r@7 by %s", kind, saves, user.Name)
		}
	}
}

func TestSavedAndAwaitedSectionsAreNormalised(t *testing.T) { // rules 19, 20
	w := servertest.New(t)
	got := w.As("alice", "1").Post("update", `{"section":"s","waiting_for":"/ms/re\u0301sum\u00e9/","saved":{"section":"./docs//intro/","revision":"7"},"known_version":0}`)
	if got.Status != 200 || !strings.Contains(got.Body, `"waiting_for":"ms/résumé"`) || !strings.Contains(got.Body, `"section":"docs/intro","revision":"7"`) {
		t.Errorf("got %d %s, want both sections in their normal form", got.Status, got.Body)
	}
	w.As("bob", "2").Post("update", `{"section":"s","saved":{"section":"//","revision":"7"}}`).ExpectError(t, 400, "section_invalid")
}
