package live_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// liveFields are those of a message, whatever its type.
var liveFields = []string{"type", "token", "hidden", "section", "session", "seq", "activity", "unless_occupied", "known_version"}

// liveCheck gives the code of the error about a field of a message of a type. A message of the
// wrong JSON type is refused before its type is looked at.
func liveCheck(kind string) func(field string, v servertest.JSONValue) string {
	return func(field string, v servertest.JSONValue) string {
		if code := servertest.TypeError(field, v); code != "" && slices.Contains(liveFields, field) {
			return code
		}
		text := v.Kind == 's' && v.Text != ""
		switch {
		case field == "type" && kind == "hello":
			return "hello_first"
		case field == "type", kind == "dance" && field != "session":
			return "unknown_type"
		case field == "session" && kind == "hello" && (!text || v.Text != "s" && servertest.ValueError(field, v) != ""):
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
			return servertest.ValueError(field, v)
		}
		return ""
	}
}

// Every bad message of a live connection gets its error and is not stored. They come a
// thousand a second.
func TestLiveBadMessagesGetTheirErrorAndStoreNothing(t *testing.T) {
	var store servertest.SpyStore
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "tab", "seq": 1, "section": "s"`)
		carol := w.As("carol", "3")
		alice.Pending()
		goroutines := runtime.NumGoroutine()
		tried, mistakes := 0, 0
		var s *servertest.Socket
		// joined is a connection that has said hello, and made few mistakes.
		joined := func() *servertest.Socket {
			if s == nil || s.Closed() || mistakes == 8 {
				if s != nil {
					s.Conn.Close()
				}
				s, mistakes = w.ConnectAs(carol), 0
				s.Send("hello", `"session": "s"`)
				s.SkipTo("snapshot")
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
			for _, b := range servertest.BadBodies(base, fields, liveCheck(kind)) {
				if kind != "update" && !b.Single {
					continue // one type is enough for what the decoder alone decides
				}
				time.Sleep(time.Millisecond)
				if tried%100 == 0 { // others go on meanwhile
					alice.Send("update", `"section": "s"`)
					alice.Pending()
				}
				if kind == "hello" {
					s = w.ConnectAs(carol)
				} else {
					s = joined()
				}
				synctest.Wait() // for the leave of the connection before
				came := len(store.Updates) + len(store.Leaves)
				s.SendFrame(0x81, []byte(b.Body))
				tried++
				mistakes++
				code, close := b.Code, 0
				switch {
				case len(b.Body) > 4096:
					code, close = "", 1009
				case strings.Contains(b.Body, "\xff"):
					code, close = "", 1007
				case kind == "leave" && code == "":
					close = 1000
				case kind == "hello" && code != "":
					close = 1008
				}
				if code != "" {
					if m := s.SkipTo("error"); m.Code != code || m.Error == "" {
						t.Errorf("%s: %s was answered %.200s; want %s", kind, b.Name, m.Text, code)
					}
					if now := len(store.Updates) + len(store.Leaves); now != came {
						t.Errorf("%s: %s reached the store", kind, b.Name)
					}
				} else if close == 0 || close == 1000 {
					s.SkipTo("ack")
				}
				if close != 0 {
					s.ExpectClose(close)
				} else if kind == "hello" {
					s.Conn.Close()
				}
			}
			s.Conn.Close()
			s = nil
		}
		t.Logf("%d messages were tried", tried)
		store.ExpectChecked(t)
		time.Sleep(presence.BrokenGrace + time.Second)
		w.ExpectListed("alice")
		if n := w.Metric("live_connections"); n != 1 {
			t.Errorf("%g live connections are left; want that of alice", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines are left over", n-goroutines)
		}
		alice.Send("update", `"section": "t"`)
		if ack := alice.SkipTo("ack"); ack.You.Section != "t" {
			t.Errorf("alice was answered %s", ack.Text)
		}
	}, store.Install)
}
