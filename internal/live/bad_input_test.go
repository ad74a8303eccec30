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

// liveFields are the fields of all messages.
var liveFields = []string{"type", "token", "hidden", "section", "session", "seq", "activity", "unless_occupied", "known_version", "as_of", "unsaved", "waiting_for", "saved", "saved.section", "saved.revision"}

// liveCheck returns a function that returns the error code of a field's value in a message of a type. A
// value of the wrong JSON type is rejected before the message's type is read.
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

func TestBadMessagesGetTheirErrorAndStoreNothing(t *testing.T) {
	var store servertest.SpyStore
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "tab", "seq": 1, "section": "s"`)
		carol := w.As("carol", "3")
		alice.Pending()
		synctest.Wait() // only goroutines that stay are counted, here and at the end
		goroutines := runtime.NumGoroutine()
		tried, mistakes := 0, 0
		var s *servertest.Socket
		// joined returns a connection after its hello, before the tenth mistake ends it.
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
			if kind == "leave" || kind == "dance" { // their other fields are only decoded
				fields = []string{"type", "session", "seq", "hidden"}
			}
			for _, b := range servertest.BadBodies(base, fields, liveCheck(kind)) {
				if kind != "update" && !b.Single {
					continue // one type is enough where the decoder decides
				}
				time.Sleep(time.Millisecond)
				if tried%100 == 0 { // another connection must continue
					alice.Send("update", `"section": "s"`)
					alice.Pending()
				}
				if kind == "hello" {
					s = w.ConnectAs(carol)
				} else {
					s = joined()
				}
				synctest.Wait() // for the leave of the connection before
				before := len(store.Updates) + len(store.Leaves)
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
						t.Errorf("%s: %s: got %.200s, want %s", kind, b.Name, m.Text, code)
					}
					if now := len(store.Updates) + len(store.Leaves); now != before {
						t.Errorf("%s: %s: got a call of the store, want none", kind, b.Name)
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
			t.Errorf("got %g live connections, want 1, alice's", n)
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("got %d goroutines more than before, want none", n-goroutines)
		}
		alice.Send("update", `"section": "t"`)
		if ack := alice.SkipTo("ack"); ack.You.Section != "t" {
			t.Errorf("alice's update: got %s, want section t", ack.Text)
		}
	}, store.Install)
}
