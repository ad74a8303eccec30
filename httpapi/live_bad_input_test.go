package httpapi_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// liveFields are those of a message, whatever its type.
var liveFields = []string{"type", "token", "hidden", "section", "session", "seq", "activity", "unless_occupied", "known_version"}

// liveCheck gives the code of the error about a field of a message of a type. A message of the
// wrong JSON type is refused before its type is looked at.
func liveCheck(kind string) func(field string, v jsonValue) string {
	return func(field string, v jsonValue) string {
		if code := fieldError(field, v); code != "" && slices.Contains(liveFields, field) {
			return code
		}
		text := v.kind == 's' && v.text != ""
		switch {
		case field == "type" && kind == "hello":
			return "hello_first"
		case field == "type", kind == "dance" && field != "session":
			return "unknown_type"
		case field == "session" && kind == "hello" && (!text || v.text != "s" && valueError(field, v) != ""):
			return "session_invalid"
		case field == "session" && kind != "hello" && text:
			return "session_invalid" // of another session
		case kind == "dance":
			return "unknown_type"
		case field == "token" && kind == "hello" && text:
			return "token_invalid"
		case kind == "leave" && field != "seq":
			return ""
		}
		if slices.Contains(liveFields, field) {
			return valueError(field, v)
		}
		return ""
	}
}

// Every bad message of a live connection gets its error and is not stored. They come a
// thousand a second.
func TestLiveBadMessagesGetTheirErrorAndStoreNothing(t *testing.T) {
	var store spy
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, _, _ := w.enter(w.as("alice", "1"), `"session": "tab", "seq": 1, "section": "s"`)
		carol := w.as("carol", "3")
		alice.all()
		goroutines := runtime.NumGoroutine()
		tried, mistakes := 0, 0
		var s *socket
		// joined is a connection that has said hello, and made few mistakes.
		joined := func() *socket {
			if s == nil || s.over() || mistakes == 8 {
				if s != nil {
					s.conn.Close()
				}
				s, mistakes = w.come(carol), 0
				s.say("hello", `"session": "s"`)
				s.skip("snapshot")
			}
			return s
		}
		for _, kind := range []string{"hello", "update", "leave", "dance"} {
			base := func(field string) (members string) {
				if field != "type" {
					members = `"type":"` + kind + `",`
				}
				if kind == "hello" && field != "session" {
					members += `"session":"s",`
				}
				return members
			}
			fields := liveFields
			if kind == "leave" || kind == "dance" { // whose other fields are only decoded
				fields = []string{"type", "session", "seq", "hidden"}
			}
			for _, b := range bodies(base, fields, liveCheck(kind)) {
				if kind != "update" && !b.plain {
					continue // one type is enough for what the decoder alone decides
				}
				time.Sleep(time.Millisecond)
				if tried%100 == 0 { // others go on meanwhile
					alice.say("update", `"section": "s"`)
					alice.all()
				}
				if kind == "hello" {
					s = w.come(carol)
				} else {
					s = joined()
				}
				synctest.Wait() // for the leave of the connection before
				came := len(store.updates) + len(store.leaves)
				s.frame(0x81, []byte(b.body))
				tried++
				mistakes++
				code, close := b.code, 0
				switch {
				case len(b.body) > 4096:
					code, close = "", 1009
				case strings.Contains(b.body, "\xff"):
					code, close = "", 1007
				case kind == "leave" && code == "":
					close = 1000
				case kind == "hello" && code != "":
					close = 1008
				}
				if code != "" {
					if m := s.skip("error"); m.Code != code || m.Error == "" {
						t.Errorf("%s: %s was answered %.200s; want %s", kind, b.name, m.text, code)
					}
					if now := len(store.updates) + len(store.leaves); now != came {
						t.Errorf("%s: %s reached the store", kind, b.name)
					}
				} else if close == 0 || close == 1000 {
					s.skip("ack")
				}
				if close != 0 {
					s.ends(close)
				} else if kind == "hello" {
					s.conn.Close()
				}
			}
			s.conn.Close()
			s = nil
		}
		t.Logf("%d messages were tried", tried)
		store.isChecked(t)
		time.Sleep(presence.BrokenGrace + time.Second)
		w.isListed("alice")
		if n := w.metric("live_connections"); n != 1 {
			t.Errorf("%g live connections are left; want that of alice", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines are left over", n-goroutines)
		}
		alice.say("update", `"section": "t"`)
		if ack := alice.skip("ack"); ack.You.Section != "t" {
			t.Errorf("alice was answered %s", ack.text)
		}
	}, store.behind)
}
