package live_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestRecheckEndsConnectionAndSessionOnLostAccess(t *testing.T) { // rule 14, case 38
	for _, c := range []struct {
		why  error
		code string
	}{
		{identity.ErrProjectUnknown, "project_unknown"}, {identity.ErrTokenInvalid, "token_invalid"},
		{identity.ErrNobody, "unauthenticated"}, {identity.ErrCookieInvalid, "cookie_invalid"},
	} {
		auth := &revocable{}
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			bob, _, _ := w.Join(&servertest.Client{Token: "2"}, `"session": "b"`)
			alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a", "seq": 7, "section": "s"`)
			other, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "other-tab", "seq": 7, "section": "t"`)
			bob.Pending()
			alice.Pending()
			alice.ExpectNothing(time.Minute)
			bob.Send("update", "")
			bob.Pending()
			auth.reject("1", c.why)
			began := time.Now()
			for _, s := range []*servertest.Socket{alice, other} {
				if m := s.NextWithin(30 * time.Second); m.Type == "delta" { // of her other tab
					s.ExpectRejected(c.code)
				} else if m.Code != c.code {
					t.Errorf("got %s, want the error %s", m.Text, c.code)
				}
				s.ExpectClose(1008)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("alice's connections ended after %v, want 30 s at most", took)
			}
			deltas := bob.Pending()
			if len(deltas) == 0 || len(deltas[len(deltas)-1].Left) != 1 {
				t.Errorf("bob: got %v, want alice in left at once", deltas)
			}
			bob.Send("update", "")
			bob.Pending()
			bob.ExpectNothing(time.Minute)
		}, func(p *servertest.Config) { p.Authenticator = auth })
	}
}

func TestRecheckRejectsCredentialOfAnotherUser(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		auth.reject("1", errOther)
		m := alice.NextWithin(30 * time.Second)
		if m.Code != "unauthenticated" {
			t.Errorf("got %s, want unauthenticated", m.Text)
		}
		alice.ExpectClose(1008)
	}, func(p *servertest.Config) { p.Authenticator = auth })
}

func TestUnavailableAuthenticatorKeepsConnectionsAndAcceptsNone(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		auth.reject("1", fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable))
		w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer 1")...).ExpectError(t, 503, "unavailable")
		alice.ExpectNothing(100 * time.Second)
		alice.Send("update", "")
		alice.Next("ack")
		auth.reject("1", nil)
		alice.ExpectNothing(100 * time.Second)
	}, func(p *servertest.Config) { p.Authenticator = auth })
}

func TestRecheckUsesTheNewestToken(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		alice.Send("hello", `"session": "a", "token": "1-again"`)
		alice.Pending()
		auth.reject("1", identity.ErrTokenInvalid)
		alice.ExpectNothing(time.Minute)
		auth.reject("1-again", identity.ErrTokenInvalid)
		if m := alice.NextWithin(30 * time.Second); m.Code != "token_invalid" {
			t.Errorf("got %s, want token_invalid", m.Text)
		}
	}, func(p *servertest.Config) { p.Authenticator = auth })
}
