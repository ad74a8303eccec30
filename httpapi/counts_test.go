package httpapi_test

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

func TestEveryRequestIsCountedOnceByWhatItAskedForAndItsStatus(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	alice := w.As("alice", "1")
	alice.Update(`{"section": "s"}`)
	alice.Update(`{"section": "t"}`)
	alice.Post("update", `nonsense`)
	tag := alice.GetList().Header.Get("ETag")
	alice.GetList("If-None-Match", tag)
	w.Anonymous().GetList("Authorization", "Bearer nonsense")
	alice.Leave(`{"session": "x"}`)
	alice.Do(http.MethodGet, servertest.LivePath, "")
	alice.Do(http.MethodGet, httpapi.DefaultPrefix+servertest.ProjectPath+"update/", "")
	alice.Do(http.MethodPost, servertest.DevTokenPath, `{"username": "bob"}`)
	tag = alice.Do(http.MethodGet, "/", "").Header.Get("ETag")
	alice.Do(http.MethodGet, "/", "", "If-None-Match", tag)
	for _, name := range []string{"/nothing", "/writer/api/project/p/presence/%3Cscript%3E/", "/writer/api/project/../x"} {
		alice.Do(http.MethodGet, name, "")
	}
	due := map[string]uint64{
		"update 200": 2, "update 400": 1, "update 405": 1, "list 200": 1, "list 304": 1, "list 401": 1, "leave 200": 1,
		"live 426": 1, "token 200": 1, "page 200": 1, "page 304": 1, "other 404": 3,
	}
	if got := w.RequestCounts(); !maps.Equal(got, due) {
		t.Errorf("counted were %v\ndue: %v", got, due)
	}
	for code, due := range map[string]uint64{"bad_json": 1, "token_invalid": 1, "not_found": 3, "method_not_allowed": 1, "upgrade_required": 1, "cross_origin": 0} {
		if got := w.Metric("failures_total", "code", code); got != float64(due) {
			t.Errorf("%s was counted %g times; due: %d", code, got, due)
		}
	}
}

func TestARequestThatBreaksIsCountedAs500(t *testing.T) {
	broken := identity.Functions{
		Identify:  func(context.Context, identity.Request) (presence.User, error) { panic("broken") },
		Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
	}
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Authenticator = broken })
	w.Anonymous().GetList().ExpectError(t, 500, "broken")
	if got := w.RequestCounts(); !maps.Equal(got, map[string]uint64{"list 500": 1}) {
		t.Errorf("counted were %v", got)
	}
}

func TestWhatIsAboveALimitIsCountedWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 1} })
		alice := w.As("alice", "1")
		alice.Update(`{"section": "s"}`)
		alice.Update(`{"section": "s"}`) // above it, and still renews
		alice.Post("update", `{"section": "t"}`)
		if got := w.Metric("failures_total", "code", "too_many_requests"); got != 1 {
			t.Errorf("%g requests were counted as refused by a limit; due: 1", got)
		}
	})
}

func TestTheTimeOfARequestIsThatUntilItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := identity.Functions{
			Identify: func(context.Context, identity.Request) (presence.User, error) {
				time.Sleep(2500 * time.Millisecond)
				return presence.User{ID: "1", Name: "Alice"}, nil
			},
			Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
		}
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Authenticator = slow })
		w.Anonymous().List()
		h := w.Histogram("request_duration_seconds", "list")
		within := map[float64]uint64{}
		for _, b := range h.GetBucket() {
			within[b.GetUpperBound()] = b.GetCumulativeCount()
		}
		if h.GetSampleCount() != 1 || h.GetSampleSum() != 2.5 || within[2] != 0 || within[5] != 1 {
			t.Errorf("%d requests took %g s, and %v were within the bounds; want one of 2.5 s", h.GetSampleCount(), h.GetSampleSum(), within)
		}
	})
}

func TestLiveWhatIsSaidAndToldIsCounted(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bytes := 0
		next := func(s *servertest.Socket, kind string) {
			t.Helper()
			m := s.Next(kind)
			bytes += 2 + len(m.Text) // as frames have them (RFC 6455, 5.2)
			if len(m.Text) > 125 {
				bytes += 2
			}
		}
		alice := w.ConnectAs(w.As("alice", "1"))
		alice.Send("hello", `"session": "a", "seq": 1`)
		next(alice, "ack")
		next(alice, "snapshot")
		bob := w.ConnectAs(w.As("bob", "2"))
		bob.Send("hello", `"session": "b", "seq": 1`)
		next(bob, "ack")
		next(bob, "snapshot")
		next(alice, "delta")
		alice.SendFrame(0x81, []byte("nonsense"))
		next(alice, "error")
		synctest.Wait()
		for name, want := range map[string]float64{
			"live_connections": 2, "live_received_messages_total": 3, "live_sent_snapshots_total": 2, "live_sent_deltas_total": 1,
			"live_sent_bytes_total": float64(bytes),
		} {
			if got := w.Metric(name); got != want {
				t.Errorf("%s is %g, want %g", name, got, want)
			}
		}
		if got := w.Metric("failures_total", "code", "bad_json"); got != 1 {
			t.Errorf("%g messages that are no JSON were counted, want 1", got)
		}
		if got := w.RequestCounts(); !maps.Equal(got, map[string]uint64{"live 101": 2}) {
			t.Errorf("counted were %v; due are two handshakes", got)
		}
		alice.Conn.Close()
		bob.Conn.Close()
		synctest.Wait()
		if got := w.Metric("live_connections"); got != 0 {
			t.Errorf("%g connections are counted as open, want none", got)
		}
	})
}
