package live_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestLiveAWithdrawnMembershipEndsTheConnectionAndThePresence(t *testing.T) { // rule 14, case 38
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
			auth.refuse("1", c.why)
			began := time.Now()
			for _, s := range []*servertest.Socket{alice, other} {
				if m := s.NextWithin(30 * time.Second); m.Type == "delta" { // of the other tab
					s.ExpectRejected(c.code)
				} else if m.Code != c.code {
					t.Errorf("there came %s; due is the error %s", m.Text, c.code)
				}
				s.ExpectClose(1008)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("alice was let go after %v; due is 30 s at most", took)
			}
			news := bob.Pending()
			if len(news) == 0 || len(news[len(news)-1].Left) != 1 {
				t.Errorf("alice was let go, and bob was told %v; due is at once that she left", news)
			}
			bob.Send("update", "")
			bob.Pending()
			bob.ExpectNothing(time.Minute)
		}, func(p *servertest.Config) { p.Authenticator = auth })
	}
}

func TestLiveAnotherUserByTheSameCredentialIsNobody(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		auth.refuse("1", errOther)
		m := alice.NextWithin(30 * time.Second)
		if m.Code != "unauthenticated" {
			t.Errorf("there came %s", m.Text)
		}
		alice.ExpectClose(1008)
	}, func(p *servertest.Config) { p.Authenticator = auth })
}

func TestLiveAGateThatDoesNotKnowLetsNobodyInAndNobodyGo(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		auth.refuse("1", fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable))
		w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer 1")...).ExpectError(t, 503, "unavailable")
		alice.ExpectNothing(100 * time.Second)
		alice.Send("update", "")
		alice.Next("ack")
		auth.refuse("1", nil)
		alice.ExpectNothing(100 * time.Second)
	}, func(p *servertest.Config) { p.Authenticator = auth })
}

func TestLiveTheNewestTokenIsTheOneThatIsAskedAbout(t *testing.T) {
	auth := &revocable{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		alice.Send("hello", `"session": "a", "token": "1-again"`)
		alice.Pending()
		auth.refuse("1", identity.ErrTokenInvalid)
		alice.ExpectNothing(time.Minute)
		auth.refuse("1-again", identity.ErrTokenInvalid)
		if m := alice.NextWithin(30 * time.Second); m.Code != "token_invalid" {
			t.Errorf("there came %s", m.Text)
		}
	}, func(p *servertest.Config) { p.Authenticator = auth })
}
