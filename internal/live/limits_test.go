package live_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLiveTheTenthMistakeEndsTheConnection(t *testing.T) { // rule 16
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
			`{"type": "update", "seq": 2, "section": "a//b"}`:       "section_invalid",
			`{"type": "update", "seq": 2, "activity": "x"}`:         "activity_invalid",
			`{"type": "update", "seq": 2, "known_version": "five"}`: "version_invalid",
			`{"type": "leave", "seq": -2}`:                          "seq_invalid",
		}
		for text, code := range mistakes {
			alice.SendFrame(0x81, []byte(text))
			if m := alice.Next("error"); m.Code != code || m.Error == "" {
				t.Errorf("%s was answered %s; due is %s", text, m.Text, code)
			}
		}
		alice.Send("update", `"seq": 2, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale {
			t.Errorf("after nine mistakes an update was answered %s", ack.Text)
		}
		alice.Send("dance", "")
		alice.ExpectRejected("unknown_type")
		neighbour.ExpectNothing(10 * time.Second)
	})
}

func TestLiveABinaryMessageEndsTheConnection(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		alice.SendFrame(0x82, []byte(`{"type": "update"}`))
		if m := alice.Next("error"); m.Code != "not_text" {
			t.Errorf("a binary message was answered %s", m.Text)
		}
		alice.ExpectClose(1003)
	})
}

func TestLiveAboveTheLimitRenewalsSucceedAndMovesDoNot(t *testing.T) { // rule 16, case 40
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`) // takes two: the handshake, and the hello
		alice.Send("update", `"seq": 2, "section": "s"`)
		if ack := alice.Next("ack"); ack.Stale || ack.Seq != 2 {
			t.Errorf("a renewal above the limit was answered %s", ack.Text)
		}
		alice.Send("update", `"seq": 3, "section": "t"`)
		if m := alice.Next("error"); m.Code != "too_many_requests" || m.Seq != 3 || m.RetryAfter <= 0 || m.RetryAfter > 10 {
			t.Errorf("a move above the limit was answered %s; due is too_many_requests of message 3, and when to try again", m.Text)
		}
		bob, _, snapshot := w.Join(w.As("bob", "2"), `"session": "b"`) // has a limit of his own
		if servertest.Names(snapshot.Users) != "alice bob" || snapshot.Users[0].Section != "s" {
			t.Errorf("listed is %s; due is alice where she was", snapshot.Text)
		}
		alice.Next("delta")
		time.Sleep(10 * time.Second)
		alice.Send("update", `"seq": 4, "section": "t"`)
		if ack := alice.SkipTo("ack"); ack.You.Section != "t" {
			t.Errorf("after the time that was told the move was answered %s", ack.Text)
		}
		alice.Send("leave", `"seq": 5`) // no limit keeps anybody from leaving
		alice.SkipTo("ack")
		alice.ExpectClose(1000)
		bob.Pending()
		w.ExpectListed("bob")
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.1, Burst: 2} })
}

func TestLiveAFloodOfPingsEndsTheConnection(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a"`)
		for range 3 { // a hundred in a turn are no flood
			for range 100 {
				alice.SendFrame(0x89, []byte("ping"))
			}
			time.Sleep(25 * time.Second)
		}
		if pongs := alice.Pongs.Load(); pongs != 300 {
			t.Errorf("300 pings were answered by %d pongs", pongs)
		}
		bob.Pending()
		for range 101 {
			alice.SendFrame(0x89, []byte("ping"))
		}
		alice.ExpectRejected("too_many_requests")
		bob.ExpectNothing(10 * time.Second)
	})
}

func TestLiveTheTwentyFirstTabIsRefusedWhileTheTwentyGoOn(t *testing.T) { // rule 16, case 40
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		first, _, _ := w.Join(p, `"session": "0", "seq": 1, "section": "s"`)
		for i := range 19 {
			w.Join(p, fmt.Sprintf(`"session": "%d", "seq": 1`, i+1))
		}
		first.Pending()
		one := w.ConnectAs(p)
		one.Send("hello", `"session": "one more", "section": "t"`)
		one.ExpectRejected("session_invalid") // by its name
		one = w.ConnectAs(p)
		one.Send("hello", `"session": "one-more", "seq": 1, "section": "t"`)
		if m := one.Next("error"); m.Code != "too_many_sessions" || m.RetryAfter <= 0 || m.Seq != 1 {
			t.Errorf("the 21st tab was answered %s; due is too_many_sessions, and when to try again", m.Text)
		}
		one.ExpectClose(1008)
		first.Send("update", `"seq": 2, "section": "moved"`)
		if ack := first.SkipTo("ack"); ack.You.Section != "moved" || strings.Join(ack.You.Sections, " ") != "moved" {
			t.Errorf("the first tab moved, and was answered %s", ack.Text)
		}
		first.Pending()
		first.Send("leave", `"seq": 3`)
		first.ExpectClose(1000)
		w.Join(p, `"session": "one-more", "seq": 1`)
	})
}

func TestLiveAFloodIsReadAsSlowlyAsTheLimitSaysAndDelaysNobodyElse(t *testing.T) {
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
					t.Errorf("bob waited for %v while alice floods", took)
				}
			}
		}
		for seq := range 1000 {
			if ack := alice.Next("ack"); ack.Seq != uint64(seq+2) || ack.Stale {
				t.Fatalf("renewal %d was answered %s", seq+2, ack.Text)
			}
		}
		if took := time.Since(began); took < 98*time.Second {
			t.Errorf("1000 renewals at a limit of ten a second took %v", took)
		}
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 10, Burst: 10} })
}
