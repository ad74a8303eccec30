package live_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestFragmentsAreOneMessage(t *testing.T) {
	empty, last := servertest.MaskedFrame(servertest.OpContinuation, nil), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, nil)
	ping := servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil)
	wide := `{"type": "update", "seq": 2, "section": "after/ä語😀é"}`
	cases := []frameCase{
		{name: "one", sent: servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter))},
		{name: "two", sent: fragments(moveAfter, 30)},
		{name: "many", sent: fragments(moveAfter, 5)},
		{name: "of a byte each", sent: fragments(moveAfter, 1)},
		{name: "empty ones around it", sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, nil), empty, empty, servertest.MaskedFrame(servertest.OpContinuation, []byte(moveAfter)), empty, last)},
		{name: "empty ones within it", sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), empty, servertest.MaskedFrame(servertest.OpContinuation, []byte(moveAfter[9:20])), empty, servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(moveAfter[20:])))},
		{name: "4096 bytes in one", sent: servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(padTo(4096, "after")))},
		{name: "4096 bytes in two", sent: fragments(padTo(4096, "after"), 2048)},
		{name: "4096 bytes of a byte each", sent: fragments(padTo(4096, "after"), 1)},
		{name: "4096 bytes, then an empty one", sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(padTo(4096, "after"))), last)},
		{name: "125 bytes", sent: servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(padTo(125, "after")))},
		{name: "126 bytes", sent: servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(padTo(126, "after")))},
		{name: "wide characters", sent: servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(wide))},
		{name: "wide characters of a byte each", sent: fragments(wide, 1)},
		{name: "a mask of zeros", sent: slices.Concat([]byte{servertest.FinBit | servertest.OpText, 0x80 | byte(len(moveAfter)), 0, 0, 0, 0}, []byte(moveAfter))},
		{name: "an unsolicited pong", sent: slices.Concat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, nil), servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, bytes.Repeat([]byte{0xff}, 125)), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)))},
		{name: "pongs within it", sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, []byte("x")), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(moveAfter[9:])))},
	}
	for at := 1; at < len(wide); at += 1 {
		if !utf8.RuneStart(wide[at]) {
			cases = append(cases, frameCase{name: fmt.Sprintf("cut within a character, at %d", at), sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(wide[:at])), empty, servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(wide[at:])))})
		}
	}
	framesAccepted(t, cases)

	runFrames(t, func(t *testing.T, w *frameServer) {
		b := w.rawJoined(w.As("Alice", "1"))
		b.Send(servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), ping, servertest.MaskedFrame(servertest.OpContinuation, []byte(moveAfter[9:20])), servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("within")))
		b.ExpectPong(nil)
		b.ExpectPong([]byte("within"))
		if strings.Contains(w.As("watcher", "999").GetList().Body, "after") {
			t.Error("half a message was stored")
		}
		b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(moveAfter[20:])))
		b.ExpectAck(2)
	})
}

// RFC 6455, 5.2: the shortest encoding of a length must be used.
func TestFrameWithOverlongLengthIs1002(t *testing.T) {
	protocol := []int{1002}
	start := servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9]))
	var cases []frameCase
	for _, size := range []int{0, 1, 125} {
		cases = append(cases, frameCase{fmt.Sprintf("16 bits for %d bytes", size), longFrame(servertest.FinBit|servertest.OpText, bits16(size), strings.Repeat("x", size)), protocol})
	}
	for _, size := range []int{0, 125, 126, 4096, 65535} { // the last is also too long
		cases = append(cases, frameCase{fmt.Sprintf("64 bits for %d bytes", size), longFrame(servertest.FinBit|servertest.OpText, bits64(uint64(size)), strings.Repeat("x", min(size, 4096))), protocol})
	}
	cases = append(cases,
		frameCase{"16 bits for a whole message", append(longFrame(servertest.FinBit|servertest.OpText, bits16(len(stealing)), stealing), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))...), protocol},
		frameCase{"16 bits for a continuation", slices.Concat(start, longFrame(servertest.FinBit|servertest.OpContinuation, bits16(len(stealing)-9), stealing[9:])), protocol},
		frameCase{"64 bits for a binary message", longFrame(servertest.FinBit|servertest.OpBinary, bits64(5), "12345"), protocol},
	)
	framesRejected(t, cases)
}

func TestInvalidFrameIs1002(t *testing.T) {
	steal := []byte(stealing)
	start := servertest.MaskedFrame(servertest.OpText, steal[:9])
	rest := servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, steal[9:])
	whole := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, steal)
	unmasked := func(first byte, payload []byte) []byte {
		return slices.Concat([]byte{first, byte(len(payload))}, payload)
	}
	protocol := []int{1002}
	cases := []frameCase{
		{"a continuation of nothing", servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, steal), protocol},
		{"a continuation of nothing, with more", slices.Concat(servertest.MaskedFrame(servertest.OpContinuation, steal[:9]), rest), protocol},
		{"an empty continuation of nothing", slices.Concat(servertest.MaskedFrame(servertest.OpContinuation, nil), whole), protocol},
		{"a continuation after the end", slices.Concat(fragments(`{"type": "x"}`, 5), rest), protocol},
		{"a message within one", slices.Concat(start, whole), protocol},
		{"the start of a message within one", slices.Concat(start, start, rest), protocol},
		{"the same after a ping", slices.Concat(start, servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, nil), whole), protocol},
		{"a binary message within one", slices.Concat(start, servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, steal)), protocol},
		{"text within a binary message", slices.Concat(servertest.MaskedFrame(servertest.OpBinary, steal), whole), protocol},
		{"no mask", append(unmasked(servertest.FinBit|servertest.OpText, steal), whole...), protocol},
		{"no mask, empty", append(unmasked(servertest.FinBit|servertest.OpText, nil), whole...), protocol},
		{"a ping without a mask", append(unmasked(servertest.FinBit|servertest.OpPing, []byte("x")), whole...), protocol},
		{"a close without a mask", append(unmasked(servertest.FinBit|servertest.OpClose, bits16(1000)), whole...), protocol},
		{"a continuation without a mask", slices.Concat(start, unmasked(servertest.FinBit|servertest.OpContinuation, steal[9:])), protocol},
		{"a length with its top bit, without a mask", slices.Concat([]byte{servertest.FinBit | servertest.OpText, 127}, bits64(1<<63|48), steal), protocol},
		{"RSV1 on a continuation", slices.Concat(start, servertest.MaskedFrame(servertest.FinBit|0x40|servertest.OpContinuation, steal[9:])), protocol},
		{"RSV1 on a ping", append(servertest.MaskedFrame(servertest.FinBit|0x40|servertest.OpPing, nil), whole...), protocol},
		{"RSV3 on a close", append(servertest.MaskedFrame(servertest.FinBit|0x10|servertest.OpClose, nil), whole...), protocol},
	}
	if strings.Contains(cases[3].name, "after the end") {
		cases = slices.Delete(cases, 3, 4) // its first message is a mistake, see below
	}
	for rsv := byte(0x10); rsv <= 0x70; rsv += 0x10 {
		cases = append(cases, frameCase{fmt.Sprintf("reserved bits %#x", rsv), servertest.MaskedFrame(servertest.FinBit|rsv|servertest.OpText, steal), protocol})
	}
	for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases,
			frameCase{fmt.Sprintf("opcode %d", opcode), append(servertest.MaskedFrame(servertest.FinBit|opcode, steal), whole...), protocol},
			frameCase{fmt.Sprintf("opcode %d, empty", opcode), append(servertest.MaskedFrame(servertest.FinBit|opcode, nil), whole...), protocol},
			frameCase{fmt.Sprintf("opcode %d with more", opcode), append(servertest.MaskedFrame(opcode, steal), rest...), protocol},
			frameCase{fmt.Sprintf("opcode %d within a message", opcode), slices.Concat(start, servertest.MaskedFrame(servertest.FinBit|opcode, nil), rest), protocol},
		)
	}
	for _, opcode := range []byte{servertest.OpClose, servertest.OpPing, servertest.OpPong} {
		large := bytes.Repeat([]byte("x"), 4096)
		copy(large, bits16(1000))
		cases = append(cases,
			frameCase{fmt.Sprintf("control frame %d in fragments", opcode), slices.Concat(servertest.MaskedFrame(opcode, nil), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, nil), whole), protocol},
			frameCase{fmt.Sprintf("control frame %d in fragments within a message", opcode), slices.Concat(start, servertest.MaskedFrame(opcode, nil), rest), protocol},
			frameCase{fmt.Sprintf("control frame %d of 126 bytes", opcode), append(servertest.MaskedFrame(servertest.FinBit|opcode, large[:126]), whole...), protocol},
			frameCase{fmt.Sprintf("control frame %d of 4096 bytes", opcode), append(servertest.MaskedFrame(servertest.FinBit|opcode, large), whole...), protocol},
			frameCase{fmt.Sprintf("control frame %d with a length of 16 bits", opcode), append(longFrame(servertest.FinBit|opcode, bits16(2), "\x03\xe8"), whole...), protocol},
			frameCase{fmt.Sprintf("control frame %d of 65535 bytes", opcode), longFrame(servertest.FinBit|opcode, bits16(65535), ""), []int{1002, 1009}},
		)
	}
	for _, length := range []uint64{1 << 63, 1<<63 | 48, 1<<63 | 4096, 1<<64 - 1, 1<<64 - 4, 1<<64 - 5, 1<<64 - 4096} {
		for name, first := range map[string]byte{"text": servertest.FinBit | servertest.OpText, "with more": servertest.OpText, "binary": servertest.FinBit | servertest.OpBinary, "ping": servertest.FinBit | servertest.OpPing} {
			cases = append(cases, frameCase{fmt.Sprintf("%s of length %#x", name, length), append(longFrame(first, bits64(length), stealing), whole...), protocol})
		}
		cases = append(cases, frameCase{fmt.Sprintf("a continuation of length %#x", length), append(start, longFrame(servertest.FinBit|servertest.OpContinuation, bits64(length), stealing[9:])...), protocol})
	}
	framesRejected(t, cases)
	framesRejected(t, []frameCase{{"a continuation after the end", slices.Concat(fragments(`{"type": "x"}`, 5), rest), protocol}}, "unknown_type")
}

func TestInvalidUTF8Is1007(t *testing.T) {
	var cases []frameCase
	for name, wrong := range map[string]string{
		"a byte of nothing": "\xff", "a continuation alone": "\x80", "a lead alone": "\xc3", "a cut of three": "\xe8\xaa", "a cut of four": "\xf0\x9f\x98",
		"a high surrogate": "\xed\xa0\x80", "a low surrogate": "\xed\xbf\xbf", "a pair of surrogates": "\xed\xa0\xbd\xed\xb8\x80",
		"overlong slash": "\xc0\xaf", "overlong slash of three": "\xe0\x80\xaf", "overlong slash of four": "\xf0\x80\x80\xaf", "overlong null": "\xc0\x80",
		"above U+10FFFF": "\xf4\x90\x80\x80", "five bytes": "\xf8\x88\x80\x80\x80", "six bytes": "\xfc\x84\x80\x80\x80\x80", "latin 1": "\xe4",
	} {
		message := `{"type": "update", "seq": 2, "section": "stolen", "note": "` + wrong + `"}`
		at := strings.Index(message, wrong)
		invalid := []int{1007}
		cases = append(cases,
			frameCase{name, servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(message)), invalid},
			frameCase{name + ", a byte each", fragments(message, 1), invalid},
			frameCase{name + ", cut within it", slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(message[:at+1])), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(message[at+1:]))), invalid},
			frameCase{name + ", where a message may end", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "x"}`+wrong)), invalid},
			frameCase{name + ", alone", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(wrong)), invalid},
			frameCase{name + ", at the end of the last but one", slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(`{"type": "x"}`+wrong)), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, nil)), invalid},
		)
	}
	framesRejected(t, cases)
}

func TestBinaryFrameIs1003(t *testing.T) {
	steal := []byte(stealing)
	unsupported := []int{1003}
	framesRejected(t, []frameCase{
		{"JSON", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, steal), unsupported},
		{"empty", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), unsupported},
		{"in fragments", slices.Concat(servertest.MaskedFrame(servertest.OpBinary, steal[:9]), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, steal[9:])), unsupported},
		{"not UTF-8", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte{0xff, 0, 0x80}), unsupported},
		{"4096 bytes", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte(padTo(4096, "stolen"))), unsupported},
	}, "not_text")
}

func TestMessageOver4096BytesIs1009(t *testing.T) {
	tooBig := []int{1009}
	var cases []frameCase
	for _, size := range []int{4097, 5000, 65535, 65536, 100_000} {
		message := padTo(size, "stolen")
		cases = append(cases,
			frameCase{fmt.Sprintf("%d bytes", size), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(message)), tooBig},
			frameCase{fmt.Sprintf("%d bytes in fragments of 1000", size), fragments(message, 1000), tooBig},
			frameCase{fmt.Sprintf("%d bytes in fragments of 4096", size), fragments(message, 4096), tooBig},
		)
	}
	cases = append(cases,
		frameCase{"4097 bytes of a byte each", fragments(padTo(4097, "stolen"), 1), tooBig},
		frameCase{"nothing, then 4097", slices.Concat(servertest.MaskedFrame(servertest.OpText, nil), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(padTo(4097, "stolen")))), tooBig},
		frameCase{"4096 that may go on, then 1", fragments(padTo(4096, "stolen")+" ", 4096), tooBig},
		frameCase{"4097 bytes of binary", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte(padTo(4097, "stolen"))), tooBig},
		frameCase{"2^32 bytes, announced", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<32), stealing), tooBig},
		frameCase{"2^32+48 bytes, announced", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<32+48), stealing), tooBig},
		frameCase{"2^63-1 bytes, announced", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<63-1), stealing), tooBig},
		frameCase{"2^63-1 bytes, announced within a message", append(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])), longFrame(servertest.FinBit|servertest.OpContinuation, bits64(1<<63-1), stealing[9:])...), tooBig},
	)
	framesRejected(t, cases)
}
