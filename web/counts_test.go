package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/limit"
	"github.com/writer-presence/writer-presence/web"
)

// requests gives how many were counted, by "operation status".
func requests(c *web.Counts) map[string]uint64 {
	all := map[string]uint64{}
	for operation, r := range c.Requests {
		for status := range r.ByStatus {
			if n := r.ByStatus[status].Load(); n > 0 {
				all[fmt.Sprint(operation, " ", status)] = n
			}
		}
	}
	return all
}

func TestEveryRequestIsCountedOnceByWhatItAskedForAndItsStatus(t *testing.T) {
	w := newWorld(t, direct)
	alice := w.as("alice", "1")
	alice.update(`{"section": "s"}`)
	alice.update(`{"section": "t"}`)
	alice.post("update", `nonsense`)
	tag := alice.get().header.Get("ETag")
	alice.get("If-None-Match", tag)
	w.newcomer().get("Authorization", "Bearer nonsense")
	alice.leave(`{"session": "x"}`)
	alice.do(http.MethodGet, livePath, "")
	alice.do(http.MethodGet, web.DefaultPrefix+project+"update/", "")
	alice.do(http.MethodPost, tokenPath, `{"username": "bob"}`)
	tag = alice.do(http.MethodGet, "/", "").header.Get("ETag")
	alice.do(http.MethodGet, "/", "", "If-None-Match", tag)
	for _, name := range []string{"/nothing", "/writer/api/project/p/presence/%3Cscript%3E/", "/writer/api/project/../x"} {
		alice.do(http.MethodGet, name, "")
	}
	due := map[string]uint64{
		"update 200": 2, "update 400": 1, "update 405": 1, "list 200": 1, "list 304": 1, "list 401": 1, "leave 200": 1,
		"live 426": 1, "token 200": 1, "page 200": 1, "page 304": 1, "other 404": 3,
	}
	if got := requests(w.handler.Counts); !maps.Equal(got, due) {
		t.Errorf("counted were %v\ndue: %v", got, due)
	}
	for code, due := range map[string]uint64{"bad_json": 1, "token_invalid": 1, "not_found": 3, "method_not_allowed": 1, "upgrade_required": 1, "cross_origin": 0} {
		if got := w.handler.Counts.Failures[code].Load(); got != due {
			t.Errorf("%s was counted %d times; due: %d", code, got, due)
		}
	}
}

func TestARequestThatBreaksIsCountedAs500(t *testing.T) {
	broken := identity.Functions{
		Identify:  func(context.Context, identity.Request) (presence.User, error) { panic("broken") },
		Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
	}
	w := newWorld(t, direct, func(p *plan) { p.Gate = broken })
	w.newcomer().get().fails(t, 500, "broken")
	if got := requests(w.handler.Counts); !maps.Equal(got, map[string]uint64{"list 500": 1}) {
		t.Errorf("counted were %v", got)
	}
}

func TestWhatIsAboveALimitIsCountedWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct, func(p *plan) { p.PerUser = limit.New(0.001, 1) })
		alice := w.as("alice", "1")
		alice.update(`{"section": "s"}`)
		alice.update(`{"section": "s"}`) // above it, and still renews
		alice.post("update", `{"section": "t"}`)
		if got := w.handler.Counts.Failures["too_many_requests"].Load(); got != 1 {
			t.Errorf("%d requests were counted as refused by a limit; due: 1", got)
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
		w := newWorld(t, direct, func(p *plan) { p.Gate = slow })
		w.newcomer().list()
		count, seconds, within := w.handler.Counts.Requests["list"].Took.Read()
		if count != 1 || seconds != 2.5 || within[2] != 0 || within[5] != 1 {
			t.Errorf("%d requests took %g s, and %v were within bounds; due is one of 2.5 s", count, seconds, within)
		}
	})
}

func TestLiveWhatIsSaidAndToldIsCounted(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		c := w.handler.Counts
		bytes := 0
		next := func(s *socket, kind string) {
			t.Helper()
			m := s.next(kind)
			bytes += 2 + len(m.text) // as frames have them (RFC 6455, 5.2)
			if len(m.text) > 125 {
				bytes += 2
			}
		}
		alice := w.come(w.as("alice", "1"))
		alice.say("hello", `"session": "a", "seq": 1`)
		next(alice, "ack")
		next(alice, "snapshot")
		bob := w.come(w.as("bob", "2"))
		bob.say("hello", `"session": "b", "seq": 1`)
		next(bob, "ack")
		next(bob, "snapshot")
		next(alice, "delta")
		alice.frame(0x81, []byte("nonsense"))
		next(alice, "error")
		synctest.Wait()
		if c.Live.Load() != 2 || c.Messages.Load() != 3 || c.Snapshots.Load() != 2 || c.Deltas.Load() != 1 || c.Failures["bad_json"].Load() != 1 {
			t.Errorf("%d connections, %d messages, %d snapshots, %d deltas, %d messages that are no JSON; due: 2, 3, 2, 1, 1",
				c.Live.Load(), c.Messages.Load(), c.Snapshots.Load(), c.Deltas.Load(), c.Failures["bad_json"].Load())
		}
		if got := c.Bytes.Load(); got != uint64(bytes) {
			t.Errorf("%d bytes were counted; %d came", got, bytes)
		}
		if got := requests(c); !maps.Equal(got, map[string]uint64{"live 101": 2}) {
			t.Errorf("counted were %v; due are two handshakes", got)
		}
		alice.conn.Close()
		bob.conn.Close()
		synctest.Wait()
		if got := c.Live.Load(); got != 0 {
			t.Errorf("%d connections are counted as open; due is none", got)
		}
	})
}
