package live_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestTenthMistakeEndsConnection(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		neighbour, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		neighbour.Pending()
		mistakes := map[string]string{
			`{"type": "dance", "seq": 2}`: "unknown_type",
			`{"seq": 2}`:                  "unknown_type",
			`nonsense`:                    "bad_json",
			`[]`:                          "bad_json",
			`{"type": "update", "seq": 2, "section": 3}`:            "bad_type",
			`{"type": "update", "seq": 2, "section": "a\tb"}`:       "section_invalid",
			`{"type": "update", "seq": 2, "activity": "x"}`:         "activity_invalid",
			`{"type": "update", "seq": 2, "known_version": "five"}`: "version_invalid",
			`{"type": "leave", "seq": -2}`:                          "seq_invalid",
		}
		for text, code := range mistakes {
			alice.SendFrame(0x81, []byte(text))
			if m := alice.Next("error"); m.Code != code || m.Error == "" {
				t.Errorf("%s: got %s, want %s", text, m.Text, code)
			}
		}
		alice.Send("update", `"seq": 2, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale {
			t.Errorf("update after nine mistakes: got %s, want an ack that is not stale", ack.Text)
		}
		alice.Send("dance", "")
		alice.ExpectRejected("unknown_type")
		neighbour.ExpectNothing(10 * time.Second)
	})
}

func TestBinaryMessageGetsErrorAndEndsConnection(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		alice.SendFrame(0x82, []byte(`{"type": "update"}`))
		if m := alice.Next("error"); m.Code != "not_text" {
			t.Errorf("binary message: got %s, want not_text", m.Text)
		}
		alice.ExpectClose(1003)
	})
}

func TestOverLimitRenewalsSucceedAndMovesFail(t *testing.T) { // rule 16, case 40
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`) // counts two: handshake and hello
		alice.Send("update", `"seq": 2, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale || ack.Seq != 2 {
			t.Errorf("renewal over the limit: got %s, want an ack of seq 2", ack.Text)
		}
		alice.Send("update", `"seq": 3, "section": "t"`)
		if m := alice.Next("error"); m.Code != "too_many_requests" || m.Seq != 3 || m.RetryAfter <= 0 || m.RetryAfter > 10 {
			t.Errorf("move over the limit: got %s, want too_many_requests of seq 3 with retry_after", m.Text)
		}
		bob, _, snapshot := w.Join(w.As("bob", "2"), `"session": "b"`) // bob has his own limit
		if servertest.Names(snapshot.Users) != "alice bob" || snapshot.Users[0].Section != "s" {
			t.Errorf("listed: got %s, want alice in her old section, and bob", snapshot.Text)
		}
		alice.Next("delta")
		time.Sleep(10 * time.Second)
		alice.Send("update", `"seq": 4, "section": "t"`)
		if ack := alice.SkipTo("ack"); ack.You.Section != "t" {
			t.Errorf("move after retry_after: got %s, want section t", ack.Text)
		}
		alice.Send("leave", `"seq": 5`) // limits do not apply to leaves
		alice.SkipTo("ack")
		alice.ExpectClose(1000)
		bob.Pending()
		w.ExpectListed("bob")
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.1, Burst: 2} })
}

func TestPingFloodEndsConnection(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		for range 3 { // 100 in 25 s are allowed
			for range 100 {
				alice.SendFrame(0x89, []byte("ping"))
			}
			time.Sleep(25 * time.Second)
		}
		if pongs := alice.Pongs.Load(); pongs != 300 {
			t.Errorf("300 pings: got %d pongs, want 300", pongs)
		}
		bob.Pending()
		for range 101 {
			alice.SendFrame(0x89, []byte("ping"))
		}
		alice.ExpectRejected("too_many_requests")
		bob.ExpectNothing(10 * time.Second)
	})
}

func TestSession21IsRejectedAnd20Continue(t *testing.T) { // rule 16, case 40
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		first, _, _ := w.Join(p, `"session": "0", "seq": 1, "section": "s"`)
		for i := range 19 {
			w.Join(p, fmt.Sprintf(`"session": "%d", "seq": 1`, i+1))
		}
		first.Pending()
		one := w.ConnectAs(p)
		one.Send("hello", `"session": "one more", "section": "t"`)
		one.ExpectRejected("session_invalid") // a space in the session
		one = w.ConnectAs(p)
		one.Send("hello", `"session": "one-more", "seq": 1, "section": "t"`)
		if m := one.Next("error"); m.Code != "too_many_sessions" || m.RetryAfter <= 0 || m.Seq != 1 {
			t.Errorf("session 21: got %s, want too_many_sessions of seq 1 with retry_after", m.Text)
		}
		one.ExpectClose(1008)
		first.Send("update", `"seq": 2, "section": "moved"`)
		if ack := first.SkipTo("ack"); ack.You.Section != "moved" || strings.Join(ack.You.Sections, " ") != "moved" {
			t.Errorf("move of the first session: got %s, want section moved", ack.Text)
		}
		first.Pending()
		first.Send("leave", `"seq": 3`)
		first.ExpectClose(1000)
		w.Join(p, `"session": "one-more", "seq": 1`)
	})
}

func TestFloodIsReadAtTheRateLimitAndDelaysNobodyElse(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b", "seq": 1`)
		alice.Pending()
		began := time.Now()
		for seq := range 1000 {
			alice.Send("update", fmt.Sprintf(`"seq": %d, "section": "s"`, seq+2))
			if seq == 500 {
				began := time.Now()
				bob.Send("update", `"seq": 2`)
				bob.Next("ack")
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("bob's ack during alice's flood: got it after %v, want 100ms at most", took)
				}
			}
		}
		for seq := range 1000 {
			if ack := alice.Next("ack"); ack.Seq != uint64(seq+2) || ack.Stale {
				t.Fatalf("renewal %d: got %s", seq+2, ack.Text)
			}
		}
		if took := time.Since(began); took < 98*time.Second {
			t.Errorf("1000 renewals at a limit of ten a second took %v, want at least 98s", took)
		}
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 10, Burst: 10} })
}
