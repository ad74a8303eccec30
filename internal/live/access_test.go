package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/live"
	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// errOther makes a revocable authenticate a token as another user.
var errOther = errors.New("another user")

// revocable is an authenticator whose tokens are a user's id of one character and anything after
// it. With identity.ErrProjectUnknown it returns the user too, as identity.Host does.
type revocable struct {
	mu       sync.Mutex
	rejected map[string]error // by token
	asked    chan struct{}    // if not nil, a recheck of token 1 sends here and waits for answer
	answer   chan struct{}
}

func (g *revocable) reject(token string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rejected == nil {
		g.rejected = map[string]error{}
	}
	g.rejected[token] = err
}

func (g *revocable) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	if r.Token == "" {
		return identity.Principal{}, identity.ErrNobody
	}
	g.mu.Lock()
	asked, answer := g.asked, g.answer
	g.mu.Unlock()
	if r.Recheck && asked != nil && r.Token == "1" {
		select {
		case asked <- struct{}{}:
			<-answer
		default:
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	user := presence.User{ID: presence.UserID(r.Token[:1]), Name: "writer " + r.Token[:1]}
	switch err := g.rejected[r.Token]; err {
	case nil, identity.ErrProjectUnknown:
		return identity.Principal{User: user}, err
	case errOther:
		return identity.Principal{User: presence.User{ID: "3", Name: "writer 3"}}, nil
	default:
		return identity.Principal{}, err
	}
}

// inRevocable runs a test with bob's connection, by token 2.
func inRevocable(t *testing.T, g *revocable, test func(w *servertest.LiveServer, bob *servertest.Socket)) {
	t.Helper()
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(&servertest.Client{Token: "2"}, `"session": "b"`)
		test(w, bob)
	}, func(p *servertest.Config) { p.Authenticator = g })
}

const alicesHello = `"session": "a", "section": "s"`

func TestLostAccessEndsTheSessionAtOnce(t *testing.T) { // rule 14, case 38
	type loss func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket)
	recheck := func(why error) loss {
		return func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1", why)
			if m := alice.NextWithin(26 * time.Second); m.Type != "error" {
				w.T.Errorf("got %s, want an error", m.Text)
			}
		}
	}
	secondHello := func(why error, hello string) loss {
		return func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1-again", why)
			alice.Send("hello", hello)
			alice.SkipTo("error")
		}
	}
	overHTTP := func(what string) loss {
		return func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1", identity.ErrProjectUnknown)
			p := &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: "1"}
			p.Post(what, `{"session": "a", "section": "s"}`).ExpectError(w.T, 404, "project_unknown")
		}
	}
	const renewal = `"session": "a", "token": "1-again"`
	for name, lose := range map[string]loss{
		"recheck, project withdrawn":    recheck(identity.ErrProjectUnknown),
		"recheck, token expired":        recheck(identity.ErrTokenInvalid),
		"recheck, unauthenticated":      recheck(identity.ErrNobody),
		"recheck, cookie invalid":       recheck(identity.ErrCookieInvalid),
		"recheck, another user":         recheck(errOther),
		"second hello, withdrawn":       secondHello(identity.ErrProjectUnknown, renewal),
		"second hello, token invalid":   secondHello(identity.ErrTokenInvalid, renewal),
		"second hello, nobody":          secondHello(identity.ErrNobody, renewal),
		"second hello, not a token":     secondHello(nil, `"session": "a", "token": "a b"`),
		"second hello, another user":    secondHello(errOther, renewal),
		"second hello, another session": secondHello(nil, `"session": "other", "token": "1-again"`),
		"update over HTTP, withdrawn":   overHTTP("update"),
		"leave over HTTP, withdrawn":    overHTTP("leave"),
		"first hello of a connection that follows a lost one": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			alice.Conn.Close()
			time.Sleep(time.Second)
			next := w.Connect()
			g.reject("1", identity.ErrProjectUnknown)
			next.Send("hello", `"session": "a", "token": "1"`)
			next.ExpectRejected("project_unknown")
		},
		"a recheck after an update over HTTP": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			p := &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: "1"}
			p.Update(`{"session": "a", "section": "s"}`)
			recheck(identity.ErrProjectUnknown)(w, g, alice)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := &revocable{}
			inRevocable(t, g, func(w *servertest.LiveServer, bob *servertest.Socket) {
				alice, _, _ := w.Join(&servertest.Client{Token: "1"}, alicesHello)
				bob.Pending()
				lose(w, g, alice)
				lost := time.Now()
				bob.ExpectLeft("writer 1", 1.0, time.Minute)
				if took := time.Since(lost); took > 100*time.Millisecond {
					w.T.Errorf("the session ended %v after access was lost, want 100ms at most", took)
				}
				w.ExpectListedTo("2", "writer 2")
			})
		})
	}
}

func TestSessionContinuesUnlessAccessIsLost(t *testing.T) {
	unavailable := fmt.Errorf("the host is down: %w", presence.ErrUnavailable)
	for name, keeps := range map[string]func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket){
		"recheck, host unavailable": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) { g.reject("1", unavailable) },
		"recheck, unknown error": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1", errors.New("unexpected"))
		},
		"second hello, host unavailable": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1-again", unavailable)
			alice.Send("hello", `"session": "a", "token": "1-again"`)
			alice.SkipTo("error").ExpectUnavailable(w.T, 0)
		},
		"second hello, unknown error": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("1-again", errors.New("unexpected"))
			alice.Send("hello", `"session": "a", "token": "1-again"`)
			alice.SkipTo("error")
		},
		"another connection of the session lost access": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			old, _, _ := w.Join(&servertest.Client{Token: "1-old"}, alicesHello)
			alice.Send("update", `"section": "s"`)
			alice.SkipTo("ack")
			g.reject("1-old", identity.ErrTokenInvalid)
			if m := old.NextWithin(26 * time.Second); m.Code != "token_invalid" {
				w.T.Errorf("got %s, want token_invalid", m.Text)
			}
		},
		"a first hello of another user for the same session": func(w *servertest.LiveServer, g *revocable, alice *servertest.Socket) {
			g.reject("4", identity.ErrProjectUnknown)
			next := w.Connect()
			next.Send("hello", `"session": "a", "token": "4"`)
			next.ExpectRejected("project_unknown")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := &revocable{}
			inRevocable(t, g, func(w *servertest.LiveServer, bob *servertest.Socket) {
				alice, _, _ := w.Join(&servertest.Client{Token: "1"}, alicesHello)
				bob.Pending()
				keeps(w, g, alice)
				for range 2 {
					bob.ExpectNothing(50 * time.Second)
					bob.Send("update", "")
					bob.Next("ack")
					if alice.Closed() {
						w.T.Error("the connection ended")
					}
				}
			})
		})
	}
}

func TestSecondHelloWithoutTokenLeavesSessionFor15Seconds(t *testing.T) {
	g := &revocable{}
	inRevocable(t, g, func(w *servertest.LiveServer, bob *servertest.Socket) {
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, alicesHello)
		bob.Pending()
		alice.Send("hello", `"session": "a"`)
		alice.ExpectRejected("hello_again")
		if took := bob.ExpectLeft("writer 1", 1.0, time.Minute); took < 15*time.Second-late || took > 15*time.Second+late {
			t.Errorf("end of the session: got %v, want 15 s", took)
		}
	})
}

func TestRecheckOfOldTokenKeepsConnectionWithNewToken(t *testing.T) {
	g := &revocable{}
	inRevocable(t, g, func(w *servertest.LiveServer, bob *servertest.Socket) {
		g.mu.Lock()
		g.asked, g.answer = make(chan struct{}), make(chan struct{}) // made in the synctest bubble
		g.mu.Unlock()
		alice, _, _ := w.Join(&servertest.Client{Token: "1"}, alicesHello)
		bob.Pending()
		<-g.asked // during the recheck of alice's connection
		alice.Send("hello", `"session": "a", "token": "1-again", "section": "s"`)
		alice.SkipTo("ack")
		g.reject("1", identity.ErrTokenInvalid)
		g.answer <- struct{}{}
		bob.ExpectNothing(time.Minute)
		if alice.Closed() {
			t.Error("the connection has ended, want it open, since its newest token is valid")
		}
	})
}

// A group is checked by one goroutine, until a check takes long.
func TestCheckThatHangsDelaysNoOtherOfItsGroup(t *testing.T) { // rule 14
	g := &revocable{}
	inRevocable(t, g, func(w *servertest.LiveServer, bob *servertest.Socket) {
		g.mu.Lock()
		g.asked, g.answer = make(chan struct{}), make(chan struct{})
		g.mu.Unlock()
		w.Join(&servertest.Client{Token: "1"}, alicesHello)
		for range live.Groups - 1 {
			w.ConnectAs(&servertest.Client{Token: "2"}).Conn.Close()
		}
		carol, _, _ := w.Join(&servertest.Client{Token: "4"}, `"session": "c"`)
		g.reject("4", identity.ErrTokenInvalid)
		<-g.asked // of the first of the group, alice
		defer func() { g.answer <- struct{}{} }()
		began := time.Now()
		carol.SkipTo("error")
		if took := time.Since(began); took > time.Second {
			t.Errorf("carol lost access %v after the check of alice began, which hangs; want at most a second", took)
		}
	})
}

func TestHelloRejectedByRoomIsNotStored(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		for i := range 40 { // of two sessions
			w.Join(p, fmt.Sprintf(`"session": "tab-%d", "section": "s"`, i%2))
		}
		one := w.ConnectAs(p)
		one.Send("hello", `"session": "rejected", "section": "secret", "seq": 5`)
		if m := one.Next("error"); m.Code != "too_many_sessions" || m.Seq != 5 {
			t.Errorf("hello 41: got %s, want too_many_sessions and no ack", m.Text)
		}
		one.ExpectClose(1008)
		if sections := strings.Join((*p.List().Users)[0].Sections, " "); sections != "s" {
			t.Errorf("alice's sections: got %q, want s, without that of the rejected hello", sections)
		}
	})
}

// takes is a store that can store updates and still return an error.
type takes struct {
	presence.Store
	mu     sync.Mutex
	silent bool
}

func (s *takes) Update(ctx context.Context, p presence.Project, u presence.User, m presence.Update) (presence.Reply, error) {
	reply, err := s.Store.Update(ctx, p, u, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent {
		err = errDown
	}
	return reply, err
}

func TestHelloWithFailedReplyLeavesSessionFor15Seconds(t *testing.T) { // rule 9
	store := &takes{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		store.mu.Lock()
		store.silent = true
		store.mu.Unlock()
		alice := w.ConnectAs(w.As("alice", "1"))
		alice.Send("hello", alicesHello)
		alice.ExpectRejected("unavailable")
		bob.Next("delta") // she is listed
		if took := bob.ExpectLeft("alice", 1.0, time.Minute); took > 15*time.Second+late {
			t.Errorf("a session without a connection ended after %v, want 15 s", took)
		}
	}, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { store.Store = s; return store }
	})
}
