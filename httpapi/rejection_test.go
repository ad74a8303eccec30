package httpapi_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// jwtOf signs the claims of a good token, changed in pairs; nil takes a claim away.
func jwtOf(t *testing.T, changes ...any) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "1", "username": "alice", "exp": time.Now().Add(time.Hour).Unix(), "projects": "*"}
	for i := 0; i < len(changes); i += 2 {
		if claims[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(claims, changes[i].(string))
		}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Of each reason the log has one line a minute, of polls and of live connections together, and
// nothing of the token; the answer is always the same.
func TestTheReasonOfARejectedTokenIsLoggedOnceAMinute(t *testing.T) { // case 54
	const polls = 100
	for reason, changes := range map[identity.Reason][]any{
		identity.BadSubject:    {"sub", 1042},
		identity.NoSubject:     {"sub", nil},
		identity.WrongAudience: {"aud", "somebody"},
		identity.NoExpiry:      {"exp", nil},
		identity.Expired:       {"exp", 1000},
		identity.BadProjects:   {"projects", []int{1042}},
		identity.BadName:       {"username", 7},
		identity.NoProjects:    {"projects", nil},
	} {
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			token := jwtOf(t, changes...)
			p := &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: token}
			status, code, text := 401, "token_invalid", identity.ErrTokenInvalid.Error()
			if reason == identity.NoProjects {
				status, code, text = 404, "project_unknown", identity.ErrProjectUnknown.Error()
			}
			for range polls {
				got := p.Post("update", `{}`)
				got.ExpectError(t, status, code)
				if !strings.Contains(got.Body, text) || strings.Contains(got.Body, string(reason)) {
					t.Fatalf("%s: answered %s", reason, got.Body)
				}
			}
			s := w.Connect()
			s.Send("hello", `"session": "a", "token": "`+token+`"`)
			if m := s.Next("error"); m.Code != code {
				t.Errorf("%s: the hello was answered %s", reason, m.Text)
			}
			log := w.Logs.String()
			if strings.Count(log, "\n") != 1 || !strings.Contains(log, "cause="+string(reason)) || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "meaning=") {
				t.Errorf("%s: after %d rejections the log has %s", reason, polls+1, log)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			log = w.Logs.String()
			if strings.Count(log, "\n") != 2 || !strings.Contains(log, "left_out=99") {
				t.Errorf("%s: a minute later the log has %s", reason, log)
			}
			for part := range strings.SplitSeq(token, ".") {
				if strings.Contains(log, part) {
					t.Errorf("%s: the log has a part of the token: %s", reason, log)
				}
			}
			if w.Rejections(reason) != polls+1 || w.Rejections("") != polls+1 {
				t.Errorf("%s: counted %g of %g", reason, w.Rejections(reason), w.Rejections(""))
			}
		}, func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
	}
}

// A token that ends while a connection is open, and a hello that is no token, have their reasons.
func TestLiveRejectionsHaveAReason(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		s := w.Connect()
		s.Send("hello", `"session": "a", "token": "a b"`)
		s.Next("error")
		s = w.Connect("Authorization", "Bearer "+jwtOf(t, "exp", time.Now().Add(time.Minute).Unix()))
		s.Send("hello", `"session": "a"`)
		s.Next("ack")
		for range 3 {
			time.Sleep(time.Minute)
			s.Send("update", ``)
		}
		synctest.Wait()
		if w.Rejections(identity.Malformed) != 1 || w.Rejections(identity.Expired) != 1 || w.Rejections("") != 2 {
			t.Errorf("counted %g malformed, %g expired and %g in all", w.Rejections(identity.Malformed), w.Rejections(identity.Expired), w.Rejections(""))
		}
	}, func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
}

// What is no rejected token has no reason, and a token above a limit is not looked at.
func TestOtherRefusalsHaveNoReason(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
	w.Anonymous().Post("update", `{}`).ExpectError(t, 401, "unauthenticated")
	p := &servertest.Client{Server: w, Address: "127.0.0.1", Token: jwtOf(t, "projects", []string{"q"})}
	p.Post("update", `{}`).ExpectError(t, 404, "project_unknown")
	if n := w.Rejections(""); n != 0 || w.Logs.String() != "" {
		t.Errorf("%g tokens count as rejected, and the log has %s", n, w.Logs)
	}
}
