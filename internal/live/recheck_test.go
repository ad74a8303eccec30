package live_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
		doors := &moody{}
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			bob, _, _ := w.Join(&servertest.Client{Token: "2"}, `"session": "b"`)
			alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a", "seq": 7, "section": "s"`)
			other, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "other-tab", "seq": 7, "section": "t"`)
			bob.Pending()
			alice.Pending()
			alice.ExpectNothing(time.Minute)
			bob.Send("update", "")
			bob.Pending()
			doors.set("1", c.why)
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
		}, func(p *servertest.Config) { p.Authenticator = doors })
	}
}

func TestLiveAnotherUserByTheSameCredentialIsNobody(t *testing.T) {
	doors := &moody{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		doors.set("1", errOther)
		m := alice.NextWithin(30 * time.Second)
		if m.Code != "unauthenticated" {
			t.Errorf("there came %s", m.Text)
		}
		alice.ExpectClose(1008)
	}, func(p *servertest.Config) { p.Authenticator = doors })
}

func TestLiveAGateThatDoesNotKnowLetsNobodyInAndNobodyGo(t *testing.T) {
	doors := &moody{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		doors.set("1", fmt.Errorf("%s: %w", servertest.SecretCause, presence.ErrUnavailable))
		w.Do("GET", servertest.LivePath, nil, w.HandshakeHeaders("Authorization", "Bearer 1")...).ExpectError(t, 503, "unavailable")
		alice.ExpectNothing(100 * time.Second)
		alice.Send("update", "")
		alice.Next("ack")
		doors.set("1", nil)
		alice.ExpectNothing(100 * time.Second)
	}, func(p *servertest.Config) { p.Authenticator = doors })
}

func TestLiveTheNewestTokenIsTheOneThatIsAskedAbout(t *testing.T) {
	doors := &moody{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, `"session": "a"`)
		alice.Send("hello", `"session": "a", "token": "1-again"`)
		alice.Pending()
		doors.set("1", identity.ErrTokenInvalid)
		alice.ExpectNothing(time.Minute)
		doors.set("1-again", identity.ErrTokenInvalid)
		if m := alice.NextWithin(30 * time.Second); m.Code != "token_invalid" {
			t.Errorf("there came %s", m.Text)
		}
	}, func(p *servertest.Config) { p.Authenticator = doors })
}

// moody is a gate for users 1 and 2, by their ids as tokens, that changes its mind.
type moody struct {
	mu   sync.Mutex
	says map[string]error
}

var errOther = errors.New("somebody else")

func (g *moody) set(token string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.says == nil {
		g.says = map[string]error{}
	}
	g.says[token] = err
}

func (g *moody) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := presence.UserID(r.Token[:1])
	switch err := g.says[r.Token]; err {
	case nil:
		return identity.Principal{User: presence.User{ID: id, Name: "writer " + string(id)}}, nil
	case errOther:
		return identity.Principal{User: presence.User{ID: "3", Name: "somebody else"}}, nil
	default:
		return identity.Principal{}, err
	}
}
