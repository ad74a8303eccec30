package live_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestCloseFrameIsAnswered(t *testing.T) {
	steal := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))
	var cases []frameCase
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		allowed := []int{1000, code}
		cases = append(cases,
			frameCase{fmt.Sprintf("code %d", code), append(closeFrame(code, ""), steal...), allowed},
			frameCase{fmt.Sprintf("code %d with a reason", code), append(closeFrame(code, "ade, 語"), steal...), allowed},
			frameCase{fmt.Sprintf("code %d with a long reason", code), append(closeFrame(code, strings.Repeat("x", 123)), steal...), allowed},
		)
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		protocol := []int{1002}
		cases = append(cases,
			frameCase{fmt.Sprintf("code %d", code), append(closeFrame(code, ""), steal...), protocol},
			frameCase{fmt.Sprintf("code %d with a reason", code), append(closeFrame(code, "reason"), steal...), protocol},
		)
	}
	cases = append(cases,
		frameCase{"empty", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpClose, nil), steal...), []int{0, 1000}},
		frameCase{"one byte", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpClose, []byte{3}), steal...), []int{1002}},
		frameCase{"a reason that is not UTF-8", append(closeFrame(1000, "\xff"), steal...), []int{1002, 1007}},
		frameCase{"a reason that is cut", append(closeFrame(1000, strings.Repeat("x", 122)+"\xc3"), steal...), []int{1002, 1007}},
		frameCase{"within a message", slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])), closeFrame(1000, ""), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(stealing[9:]))), []int{1000}},
		frameCase{"twice", slices.Concat(closeFrame(1000, ""), closeFrame(1001, ""), steal), []int{1000}},
		frameCase{"and what follows is none of WebSocket", append(closeFrame(1000, ""), bytes.Repeat([]byte{0xff}, 3000)...), []int{1000}},
	)
	framesRejected(t, cases)
}

func TestPingIsAnsweredAtOnce(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		b := w.rawJoined(w.As("Alice", "1"))
		for _, size := range []int{0, 1, 2, 63, 64, 124, 125} {
			payload := bytes.Repeat([]byte{0xfe}, size) // need not be text
			began := time.Now()
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, payload))
			if f, _ := b.NextWithPings(); f.FirstByte != servertest.FinBit|servertest.OpPong || !bytes.Equal(f.Payload, payload) || time.Since(began) > 0 {
				t.Errorf("ping of %d bytes: got %v after %v, want its pong at once", size, f, time.Since(began))
			}
			for one := range slices.Chunk(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, payload), 1) {
				b.Send(one)
			}
			if f, _ := b.NextWithPings(); f.FirstByte != servertest.FinBit|servertest.OpPong || !bytes.Equal(f.Payload, payload) {
				t.Errorf("ping of %d bytes, byte by byte: got %v, want its pong", size, f)
			}
		}
		b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("a")), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)), servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("b")))
		b.ExpectPong([]byte("a"))
		b.ExpectAck(2)
		b.ExpectPong([]byte("b"))

		early := w.raw(w.As("Bob", "2")) // before the hello, too
		early.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("x")))
		early.ExpectPong([]byte("x"))
	})
}

func TestTwoMessagesInOneWriteAreBothTaken(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		b := w.rawJoined(w.As("Alice", "1"))
		var all [][]byte
		for seq := 2; seq < 40; seq++ {
			all = append(all, fragments(fmt.Sprintf(`{"type": "update", "seq": %d, "section": "s-%d"}`, seq, seq), 20+seq))
		}
		b.Send(all...)
		for seq := uint64(2); seq < 40; seq++ {
			b.ExpectAck(seq)
		}
		if list := w.As("watcher", "999").GetList().Body; !strings.Contains(list, "s-39") {
			t.Errorf("list: got %s, want section s-39", list)
		}
	})
}

// RFC 6455, 7.1.7. No message after the close is stored, and none keeps the client from reading the close frame.
func TestFramesAfterServerCloseAreReadAndIgnored(t *testing.T) {
	leave := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 2}`))
	unknown := bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "x"}`)), 10)
	again := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "other"}`))
	oversize := longFrame(servertest.FinBit|servertest.OpText, bits64(1<<20), "")
	steal := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "update", "seq": 3, "section": "stolen"}`))
	more := map[string][]byte{
		"an update": steal, "many of them": bytes.Repeat(steal, 100), "mistakes": bytes.Repeat(unknown, 10), "binary messages": bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte("x")), 100),
		"pings": bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("x")), 200), "nothing of WebSocket": bytes.Repeat([]byte{0xff}, 20_000),
	}
	pings := bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil), 101)
	for _, c := range []struct {
		name   string
		sent   []byte
		errors []string
		code   int
	}{
		{"a leave", leave, nil, 1000},
		{"the 101st ping", pings, []string{"too_many_requests"}, 1008},
		{"a binary message", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), []string{"not_text"}, 1003},
		{"a tenth mistake", unknown, slices.Repeat([]string{"unknown_type"}, 10), 1008},
		{"a second hello", again, []string{"hello_again"}, 1008},
		{"a message too large", oversize, nil, 1009},
		{"a frame that is none", servertest.MaskedFrame(0xf, nil), nil, 1002},
		{"text that is none", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte{0xff}), nil, 1007},
	} {
		t.Run(c.name, func(t *testing.T) {
			runFrames(t, func(t *testing.T, w *frameServer) {
				n := w.neighbours()
				user := 0
				for name, then := range more {
					user++
					b := w.rawJoined(w.As("Mallory", presence.UserID(fmt.Sprint(user))))
					b.Name = name
					time.Sleep(time.Second) // until all deltas are sent
					all := append(slices.Clone(c.sent), then...)
					if sent := b.Send(all); sent < len(all) {
						b.Errorf("of %d bytes after the close %d were read, want all: unread bytes reset the connection, perhaps before the close frame is read", len(then), sent-len(c.sent))
					}
					if c.code == 1000 {
						b.ExpectAck(2)
					}
					if c.name == "the 101st ping" {
						for range 100 {
							b.ExpectPong(nil)
						}
					}
					for _, code := range c.errors {
						b.ExpectError(code)
					}
					b.ExpectClose(c.code)
					n.expectUndisturbed(t)
					nothingStolen(t, w.Server)
					if c.code == 1000 && strings.Contains(servertest.Names(*n.carol.List().Users), "Mallory") {
						b.Errorf("a user who left is listed")
					}
				}
			})
		})
	}
	t.Run("a rejected hello", func(t *testing.T) {
		runFrames(t, func(t *testing.T, w *frameServer) {
			n := w.neighbours()
			b := w.raw(w.As("Mallory", "1"))
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "a b"}`)), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "s", "seq": 2, "section": "stolen"}`)))
			b.ExpectError("session_invalid")
			b.ExpectClose(1008)
			n.expectUndisturbed(t)
			nothingStolen(t, w.Server)
		})
	})
	t.Run("a late hello", func(t *testing.T) {
		runFrames(t, func(t *testing.T, w *frameServer) {
			b := w.raw(w.As("Mallory", "1"))
			b.ExpectError("hello_late")
			b.ExpectClose(1008)
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "s", "seq": 2, "section": "stolen"}`)))
			time.Sleep(time.Second)
			nothingStolen(t, w.Server)
		})
	})
}

func TestHelloSentWithHandshakeIsTaken(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		hello := string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
		for i, early := range []string{
			hello, string(fragments(servertest.RawHello, 1)), string(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil)) + hello,
			string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "bare", "seq": 1, "padding": "`+strings.Repeat("x", 4000)+`"}`))),
		} {
			for _, size := range []int{1, 2, 7, len(early) / 2, len(early) - 1, len(early)} {
				p := w.As("Alice", presence.UserID(fmt.Sprint(i+1)))
				b := servertest.OpenRaw(t, w.dialRaw(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+p.Token)+early[:size])
				b.Send([]byte(early[size:]))
				if i == 2 {
					b.ExpectPong(nil)
				}
				b.ExpectAck(1)
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)))
				b.ExpectAck(2)
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 3}`)))
				b.ExpectAck(3)
				b.ExpectClose(1000)
				b.Conn.Close()
			}
		}
		crossOrigin := servertest.OpenRaw(t, w.dialRaw(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Origin", "https://evil.example")+hello)
		if crossOrigin.Response.StatusCode != http.StatusForbidden {
			t.Errorf("handshake of another origin: got %d, want 403", crossOrigin.Response.StatusCode)
		}
		w.ExpectListed("")
	})
}

func TestIncompleteFrameTimesOut(t *testing.T) {
	frame := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))
	runFrames(t, func(t *testing.T, w *frameServer) {
		n := w.neighbours()
		for _, size := range []int{1, 2, 5, 6, 7, len(frame) - 1} {
			b := w.rawJoined(w.As("Mallory", "1"))
			b.Send(frame[:size])
			began := time.Now()
			for range 60 {
				time.Sleep(time.Second)
				n.renew()
			}
			select {
			case <-b.Done:
			default:
				t.Errorf("the connection is open %v after %d bytes of a frame, want closed", time.Since(began), size)
			}
			n.expectUndisturbed(t)
			nothingStolen(t, w.Server)
			b.Conn.Close()
		}
		b := w.raw(w.As("Mallory", "1"))
		b.Send(frame[:9])
		began := time.Now()
		b.ExpectError("hello_late")
		b.ExpectClose(1008)
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("half a hello: closed after %v", took)
		}
	})
}

func TestEndlessMessageDoesNotRenew(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		b := w.rawJoined(w.As("Mallory", "1"))
		b.Send(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])))
		began := time.Now()
		for time.Since(began) < presence.DefaultLease+time.Minute {
			time.Sleep(5 * time.Second)
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, nil), servertest.MaskedFrame(servertest.OpContinuation, nil))
		}
		select {
		case <-b.Done:
		default:
			t.Errorf("the connection is open %v after its last message, want closed", time.Since(began))
		}
		w.ExpectListed("")
	})
}

func TestFramesBeforeHalfCloseAreAnswered(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		n := w.neighbours()
		for _, rest := range []string{"", "\x81", "\x81\xff\x00", string(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9]))), string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))[:20])} {
			b := w.rawJoined(w.As("Alice", "1"))
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)), []byte(rest))
			b.Conn.(halves).CloseWrite()
			b.ExpectAck(2)
			select {
			case <-b.Done:
			case <-time.After(5 * time.Second):
				t.Errorf("after %q and the half-close: the connection is open, want closed", rest)
			}
			n.expectUndisturbed(t)
			nothingStolen(t, w.Server)
			b.Conn.Close()
			time.Sleep(16 * time.Second)
		}
		if strings.Contains(servertest.Names(*n.carol.List().Users), "Alice") {
			t.Error("the session is listed 16 s after its connection, want not")
		}
	})
}
