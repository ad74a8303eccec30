package live_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// halves is a connection in memory of which one direction can end before the other, as
// with TCP: net.Pipe has but both at once.
type halves struct {
	net.Conn // from the other side
	out      net.Conn
	writing  chan struct{} // a lock for which synctest can wait
}

func twoWay() (ours, theirs halves) {
	up, up2 := net.Pipe()
	down, down2 := net.Pipe()
	return halves{down, up, make(chan struct{}, 1)}, halves{up2, down2, make(chan struct{}, 1)}
}

func (c halves) Write(b []byte) (int, error) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	return c.out.Write(b)
}

func (c halves) CloseWrite() error { return c.out.Close() }

func (c halves) Close() error {
	c.out.Close()
	return c.Conn.Close()
}

func (c halves) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

func (c halves) SetDeadline(t time.Time) error {
	return errors.Join(c.Conn.SetReadDeadline(t), c.out.SetWriteDeadline(t))
}

// frameWorld is a world with live connections in memory that can be closed by halves, and
// with a time of its own.
type frameWorld struct {
	*servertest.Server
	l *servertest.PipeListener
}

func inFrames(t *testing.T, test func(*testing.T, *frameWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &frameWorld{servertest.New(t, servertest.Direct), servertest.NewPipeListener()}
		w.ListenOn(w.l)
		test(t, w)
	})
}

// dialBare connects in memory.
func (w *frameWorld) dialBare() net.Conn {
	w.T.Helper()
	ours, theirs := twoWay()
	w.T.Cleanup(func() { ours.Close() })
	if !w.l.Offer(theirs, time.Minute) {
		w.T.Fatal("nobody listens")
	}
	return ours
}

// bare is a connection of somebody who has not said hello.
func (w *frameWorld) bare(p *servertest.Client) *servertest.RawConn {
	w.T.Helper()
	b := servertest.OpenRaw(w.T, w.dialBare(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+p.Token))
	if b.Response.StatusCode != http.StatusSwitchingProtocols {
		w.T.Fatalf("the handshake was answered %d", b.Response.StatusCode)
	}
	return b
}

// bareEntered is one of somebody who has.
func (w *frameWorld) bareEntered(p *servertest.Client) *servertest.RawConn {
	w.T.Helper()
	b := w.bare(p)
	b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
	b.ExpectAck(1)
	return b
}

// neighbours are those whom nothing that a client does may concern: Bob, who is told of
// what Carol does by polling. His updates are all that keeps his connection.
type neighbours struct {
	bob   *servertest.RawConn
	carol *servertest.Client
	seq   uint64
}

func (w *frameWorld) neighbours() *neighbours {
	w.T.Helper()
	return &neighbours{bob: w.bareEntered(w.As("Bob", "901")), carol: w.As("Carol", "900"), seq: 1}
}

// unharmed checks that Bob is answered, and told of what is new.
func (n *neighbours) unharmed(t *testing.T) {
	t.Helper()
	section := fmt.Sprintf("news-%d", n.seq)
	n.carol.Update(fmt.Sprintf(`{"session": "c", "seq": %d, "section": %q}`, n.seq, section))
	seq := n.renew()
	late := time.After(20 * time.Second)
	for acked, told := false, false; !acked || !told; {
		select {
		case f := <-n.bob.Frames:
			m := f.Message()
			acked = acked || m.Type == "ack" && m.Seq == seq
			for _, u := range slices.Concat(m.Users, m.Changed) {
				told = told || u.Section == section
			}
		case <-n.bob.Done:
			t.Fatalf("the neighbour was cut off: %v", n.bob.Err)
		case <-late:
			t.Fatalf("the neighbour was acked: %v, told: %v", acked, told)
		}
	}
}

// renew is Bob's heartbeat.
func (n *neighbours) renew() uint64 {
	n.seq++
	n.bob.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, fmt.Appendf(nil, `{"type": "update", "seq": %d, "section": "s"}`, n.seq)))
	return n.seq
}

// "stolen" is in no list, unless the server took a message that it must not.
const stealing = `{"type": "update", "seq": 2, "section": "stolen"}`

func nothingStolen(t *testing.T, w *servertest.Server) {
	t.Helper()
	if list := w.As("watcher", "999").GetList().Body; strings.Contains(list, "stolen") {
		t.Errorf("what had to be refused was stored: %s", list)
	}
}

// fragments cuts a message into frames of so many bytes.
func fragments(message string, size int) []byte {
	var all []byte
	first := byte(servertest.OpText)
	for len(message) > size {
		all = append(all, servertest.MaskedFrame(first, []byte(message[:size]))...)
		first, message = servertest.OpContinuation, message[size:]
	}
	return append(all, servertest.MaskedFrame(servertest.FinBit|first, []byte(message))...)
}

// longFrame is one with a length of 16 or 64 bits, whatever that of the payload is.
func longFrame(first byte, length []byte, payload string) []byte {
	kind := byte(126)
	if len(length) == 8 {
		kind = 127
	}
	return slices.Concat([]byte{first, 0x80 | kind}, length, []byte{0, 0, 0, 0}, []byte(payload)) // a mask of zeros masks nothing
}

func bits16(n int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
func bits64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// padTo makes a message of so many bytes.
func padTo(size int, section string) string {
	m := `{"type": "update", "seq": 2, "section": "` + section + `", "padding": "`
	return m + strings.Repeat("x", size-len(m)-2) + `"}`
}

func closeFrame(code int, reason string) []byte {
	return servertest.MaskedFrame(servertest.FinBit|servertest.OpClose, append(bits16(code), reason...))
}

// frameCase is a way to send something, and what has to come of it.
type frameCase struct {
	name  string
	sent  []byte
	codes []int // of the close frame
}

// framesRefused checks each of the cases, sent at once and sent bit by bit.
func framesRefused(t *testing.T, cases []frameCase, before ...string) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		n := w.neighbours()
		for i, c := range cases {
			for how, size := range map[string]int{"at once": len(c.sent), "bit by bit": 1 + len(c.sent)/5000} {
				b := w.bareEntered(w.As("Mallory", presence.UserID(fmt.Sprintf("%d-%d", i, size))))
				b.Name = c.name + ", " + how
				for sent := range slices.Chunk(c.sent, max(size, 1)) {
					if b.Send(sent) == 0 {
						break // cut off, as it should be
					}
				}
				for _, code := range before {
					b.ExpectError(code)
				}
				b.ExpectClose(c.codes...)
				n.unharmed(t)
				nothingStolen(t, w.Server)
				if list := n.carol.List(); !strings.Contains(servertest.Names(*list.Users), "Mallory") {
					b.Errorf("the session ended with the connection; due is 15 s")
				}
				time.Sleep(16 * time.Second)
				if list := n.carol.List(); strings.Contains(servertest.Names(*list.Users), "Mallory") {
					b.Errorf("the session outlives its connection")
				}
				b.Conn.Close()
			}
		}
	})
}

// framesTaken checks that each of the cases comes to the update of seq 2, and to "after".
func framesTaken(t *testing.T, cases []frameCase) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		for i, c := range cases {
			for how, size := range map[string]int{"at once": len(c.sent), "byte by byte": 1} {
				b := w.bareEntered(w.As("Alice", presence.UserID(fmt.Sprintf("%d-%d", i, size))))
				b.Name = c.name + ", " + how
				for sent := range slices.Chunk(c.sent, size) {
					b.Send(sent)
				}
				b.ExpectAck(2)
				if list := w.As("watcher", "999").GetList().Body; !strings.Contains(list, "after") {
					b.Errorf("the message was acked and not taken: %s", list)
				}
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 3}`)))
				b.ExpectAck(3)
				b.ExpectClose(1000)
				b.Conn.Close()
			}
		}
	})
}

const moveAfter = `{"type": "update", "seq": 2, "section": "after"}`

func TestFrameFragmentsAreOneMessage(t *testing.T) {
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
		{name: "a pong that nobody asked for", sent: slices.Concat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, nil), servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, bytes.Repeat([]byte{0xff}, 125)), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)))},
		{name: "pongs within it", sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, []byte("x")), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(moveAfter[9:])))},
	}
	for at := 1; at < len(wide); at += 1 {
		if !utf8.RuneStart(wide[at]) {
			cases = append(cases, frameCase{name: fmt.Sprintf("cut within a character, at %d", at), sent: slices.Concat(servertest.MaskedFrame(servertest.OpText, []byte(wide[:at])), empty, servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(wide[at:])))})
		}
	}
	framesTaken(t, cases)

	inFrames(t, func(t *testing.T, w *frameWorld) {
		b := w.bareEntered(w.As("Alice", "1"))
		b.Send(servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), ping, servertest.MaskedFrame(servertest.OpContinuation, []byte(moveAfter[9:20])), servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("within")))
		b.ExpectPong(nil)
		b.ExpectPong([]byte("within"))
		if strings.Contains(w.As("watcher", "999").GetList().Body, "after") {
			t.Error("half a message was taken")
		}
		b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, []byte(moveAfter[20:])))
		b.ExpectAck(2)
	})
}

// A sender has to use the shortest length (RFC 6455, 5.2).
func TestFrameWithALengthThatIsLongerThanNeededIsRefused(t *testing.T) {
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
	framesRefused(t, cases)
}

func TestFrameThatRFC6455DoesNotAllowIs1002(t *testing.T) {
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
		cases = slices.Delete(cases, 3, 4) // its first message is a mistake of its own: below
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
	framesRefused(t, cases)
	framesRefused(t, []frameCase{{"a continuation after the end", slices.Concat(fragments(`{"type": "x"}`, 5), rest), protocol}}, "unknown_type")
}

func TestFrameOfTextThatIsNotUTF8Is1007(t *testing.T) {
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
	framesRefused(t, cases)
}

func TestFrameThatIsBinaryIs1003(t *testing.T) {
	steal := []byte(stealing)
	unsupported := []int{1003}
	framesRefused(t, []frameCase{
		{"JSON", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, steal), unsupported},
		{"empty", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), unsupported},
		{"in fragments", slices.Concat(servertest.MaskedFrame(servertest.OpBinary, steal[:9]), servertest.MaskedFrame(servertest.FinBit|servertest.OpContinuation, steal[9:])), unsupported},
		{"not UTF-8", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte{0xff, 0, 0x80}), unsupported},
		{"4096 bytes", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, []byte(padTo(4096, "stolen"))), unsupported},
	}, "not_text")
}

func TestFrameOfAMessageOver4096BytesIs1009(t *testing.T) {
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
	framesRefused(t, cases)
}

func TestFrameThatClosesIsAnswered(t *testing.T) {
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
	framesRefused(t, cases)
}

func TestFrameThatPingsIsAnsweredAtOnce(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		b := w.bareEntered(w.As("Alice", "1"))
		for _, size := range []int{0, 1, 2, 63, 64, 124, 125} {
			payload := bytes.Repeat([]byte{0xfe}, size) // need not be text
			began := time.Now()
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, payload))
			if f, _ := b.NextWithPings(); f.FirstByte != servertest.FinBit|servertest.OpPong || !bytes.Equal(f.Payload, payload) || time.Since(began) > 0 {
				t.Errorf("a ping of %d bytes got %v after %v", size, f, time.Since(began))
			}
			for one := range slices.Chunk(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, payload), 1) {
				b.Send(one)
			}
			if f, _ := b.NextWithPings(); f.FirstByte != servertest.FinBit|servertest.OpPong || !bytes.Equal(f.Payload, payload) {
				t.Errorf("a ping of %d bytes, byte by byte, got %v", size, f)
			}
		}
		b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("a")), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)), servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("b")))
		b.ExpectPong([]byte("a"))
		b.ExpectAck(2)
		b.ExpectPong([]byte("b"))

		early := w.bare(w.As("Bob", "2")) // before the hello, too
		early.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("x")))
		early.ExpectPong([]byte("x"))
	})
}

func TestFramesOfTwoMessagesInOneWriteAreTwo(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		b := w.bareEntered(w.As("Alice", "1"))
		var all [][]byte
		for seq := 2; seq < 40; seq++ {
			all = append(all, fragments(fmt.Sprintf(`{"type": "update", "seq": %d, "section": "s-%d"}`, seq, seq), 20+seq))
		}
		b.Send(all...)
		for seq := uint64(2); seq < 40; seq++ {
			b.ExpectAck(seq)
		}
		if list := w.As("watcher", "999").GetList().Body; !strings.Contains(list, "s-39") {
			t.Errorf("after the last of them the list is %s", list)
		}
	})
}

// Whoever was told that the connection ends has nothing more to say by it (RFC 6455, 7.1.7):
// no later message is stored, and none has the last word get lost.
func TestFramesAfterTheServerClosedAreReadAndIgnored(t *testing.T) {
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
		name  string
		sent  []byte
		tells []string
		code  int
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
			inFrames(t, func(t *testing.T, w *frameWorld) {
				n := w.neighbours()
				user := 0
				for name, then := range more {
					user++
					b := w.bareEntered(w.As("Mallory", presence.UserID(fmt.Sprint(user))))
					b.Name = name
					time.Sleep(time.Second) // all news are told
					all := append(slices.Clone(c.sent), then...)
					if sent := b.Send(all); sent < len(all) {
						b.Errorf("of %d bytes after it %d were read; the rest tears down the connection, perhaps before its last word is read", len(then), sent-len(c.sent))
					}
					if c.code == 1000 {
						b.ExpectAck(2)
					}
					if c.name == "the 101st ping" {
						for range 100 {
							b.ExpectPong(nil)
						}
					}
					for _, code := range c.tells {
						b.ExpectError(code)
					}
					b.ExpectClose(c.code)
					n.unharmed(t)
					nothingStolen(t, w.Server)
					if c.code == 1000 && strings.Contains(servertest.Names(*n.carol.List().Users), "Mallory") {
						b.Errorf("who left is listed")
					}
				}
			})
		})
	}
	t.Run("a hello that was refused", func(t *testing.T) {
		inFrames(t, func(t *testing.T, w *frameWorld) {
			n := w.neighbours()
			b := w.bare(w.As("Mallory", "1"))
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "a b"}`)), servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "s", "seq": 2, "section": "stolen"}`)))
			b.ExpectError("session_invalid")
			b.ExpectClose(1008)
			n.unharmed(t)
			nothingStolen(t, w.Server)
		})
	})
	t.Run("a hello that was late", func(t *testing.T) {
		inFrames(t, func(t *testing.T, w *frameWorld) {
			b := w.bare(w.As("Mallory", "1"))
			b.ExpectError("hello_late")
			b.ExpectClose(1008)
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "s", "seq": 2, "section": "stolen"}`)))
			time.Sleep(time.Second)
			nothingStolen(t, w.Server)
		})
	})
}

func TestFrameOfAHelloSentWithTheHandshakeIsTaken(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		hello := string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
		for i, early := range []string{
			hello, string(fragments(servertest.RawHello, 1)), string(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil)) + hello,
			string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "bare", "seq": 1, "padding": "`+strings.Repeat("x", 4000)+`"}`))),
		} {
			for _, size := range []int{1, 2, 7, len(early) / 2, len(early) - 1, len(early)} {
				p := w.As("Alice", presence.UserID(fmt.Sprint(i+1)))
				b := servertest.OpenRaw(t, w.dialBare(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+p.Token)+early[:size])
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
		refusedAt := servertest.OpenRaw(t, w.dialBare(), servertest.HandshakeRequest(w.Host, servertest.LivePath, "Origin", "https://evil.example")+hello)
		if refusedAt.Response.StatusCode != http.StatusForbidden {
			t.Errorf("a handshake from elsewhere got %d", refusedAt.Response.StatusCode)
		}
		w.ExpectListed("")
	})
}

func TestFrameThatStopsHalfwayHoldsNothingForLong(t *testing.T) {
	frame := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))
	inFrames(t, func(t *testing.T, w *frameWorld) {
		n := w.neighbours()
		for _, size := range []int{1, 2, 5, 6, 7, len(frame) - 1} {
			b := w.bareEntered(w.As("Mallory", "1"))
			b.Send(frame[:size])
			began := time.Now()
			for range 60 {
				time.Sleep(time.Second)
				n.renew()
			}
			select {
			case <-b.Done:
			default:
				t.Errorf("%v after %d bytes of a frame the connection is open", time.Since(began), size)
			}
			n.unharmed(t)
			nothingStolen(t, w.Server)
			b.Conn.Close()
		}
		b := w.bare(w.As("Mallory", "1"))
		b.Send(frame[:9])
		began := time.Now()
		b.ExpectError("hello_late")
		b.ExpectClose(1008)
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("half a hello was waited for %v", took)
		}
	})
}

// A message that never ends keeps nobody in the list, though its client answers pings.
func TestFramesOfAMessageThatNeverEndsDoNotRenew(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		b := w.bareEntered(w.As("Mallory", "1"))
		b.Send(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])))
		began := time.Now()
		for time.Since(began) < presence.DefaultLease+time.Minute {
			time.Sleep(5 * time.Second)
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, nil), servertest.MaskedFrame(servertest.OpContinuation, nil))
		}
		select {
		case <-b.Done:
		default:
			t.Errorf("%v after its last message the connection is open", time.Since(began))
		}
		w.ExpectListed("")
	})
}

func TestFramesBeforeTheOtherSideStopsTalkingAreAnswered(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		n := w.neighbours()
		for _, rest := range []string{"", "\x81", "\x81\xff\x00", string(servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9]))), string(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))[:20])} {
			b := w.bareEntered(w.As("Alice", "1"))
			b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(moveAfter)), []byte(rest))
			b.Conn.(halves).CloseWrite()
			b.ExpectAck(2)
			select {
			case <-b.Done:
			case <-time.After(5 * time.Second):
				t.Errorf("after %q and the end the connection stays open", rest)
			}
			n.unharmed(t)
			nothingStolen(t, w.Server)
			b.Conn.Close()
			time.Sleep(16 * time.Second)
		}
		if strings.Contains(servertest.Names(*n.carol.List().Users), "Alice") {
			t.Error("the session outlives its connection")
		}
	})
}

// What a handshake needs: RFC 6455, 4.2.1. That it is none is said with what it takes.
func TestHandshakeThatIsNoneIs426(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		for name, change := range map[string][]string{
			"no key": {"Sec-WebSocket-Key", ""}, "a key that is not base64": {"Sec-WebSocket-Key", "!!!!IHNhbXBsZSBub25jZQ=="}, "a key without padding": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"},
			"a key of 15 bytes": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"}, "a key of 17 bytes": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWE="},
			"no version": {"Sec-WebSocket-Version", ""}, "version 0": {"Sec-WebSocket-Version", "0"}, "version 7": {"Sec-WebSocket-Version", "7"}, "version 8": {"Sec-WebSocket-Version", "8"}, "version 12": {"Sec-WebSocket-Version", "12"},
			"version 14": {"Sec-WebSocket-Version", "14"}, "version 130": {"Sec-WebSocket-Version", "130"}, "a version that is none": {"Sec-WebSocket-Version", "x"},
			"no Upgrade": {"Upgrade", ""}, "Upgrade: h2c": {"Upgrade", "h2c"}, "Upgrade: websockets": {"Upgrade", "websockets"},
			"no Connection": {"Connection", ""}, "Connection: keep-alive": {"Connection", "keep-alive"}, "Connection: Upgraded": {"Connection", "Upgraded"},
			"no subprotocol": {"Sec-WebSocket-Protocol", ""}, "another subprotocol": {"Sec-WebSocket-Protocol", "chat"}, "the start of ours": {"Sec-WebSocket-Protocol", "writer-presence"},
			"ours in capitals": {"Sec-WebSocket-Protocol", "Writer-Presence.V1"}, "ours as a part": {"Sec-WebSocket-Protocol", "writer-presence.v10, xwriter-presence.v1"},
		} {
			b := servertest.OpenRaw(t, w.dialBare(), servertest.HandshakeRequest(w.Host, servertest.LivePath, append(change, "Authorization", "Bearer "+w.As("Alice", "1").Token)...))
			if b.Response.StatusCode == http.StatusSwitchingProtocols {
				t.Errorf("%s: it was taken", name)
				continue
			}
			body, _ := io.ReadAll(b.Response.Body)
			var said struct{ Code string }
			json.Unmarshal(body, &said)
			h := b.Response.Header
			if b.Response.StatusCode != 426 || said.Code != "upgrade_required" || h.Get("Upgrade") != "websocket" {
				t.Errorf("%s: it got %d %s, Upgrade: %q; due is 426, upgrade_required, websocket", name, b.Response.StatusCode, body, h.Get("Upgrade"))
			}
			if got := h.Get("Sec-WebSocket-Version"); got != "13" {
				t.Errorf("%s: Sec-WebSocket-Version: %q; due is 13 (RFC 6455, 4.4)", name, got)
			}
			b.Conn.Close()
		}
	})
}

func TestHandshakeIsAGETOfHTTP11(t *testing.T) {
	inFrames(t, func(t *testing.T, w *frameWorld) {
		whole := servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+w.As("Alice", "1").Token)
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			b := servertest.OpenRaw(t, w.dialBare(), strings.Replace(whole, "GET", method, 1))
			if b.Response.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(b.Response.Header.Get("Allow"), "GET") {
				t.Errorf("%s got %d, Allow: %q; due is 405", method, b.Response.StatusCode, b.Response.Header.Get("Allow"))
			}
		}
		if b := servertest.OpenRaw(t, w.dialBare(), strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1)); b.Response.StatusCode != http.StatusUpgradeRequired && b.Response.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Errorf("HTTP/1.0 got %d; due is 426 or 505", b.Response.StatusCode)
		}
		w.ExpectListed("")
	})
}

func TestHandshakeThatIsOneIsTakenHoweverItIsWritten(t *testing.T) {
	for name, change := range map[string]struct {
		without string
		lines   []string
	}{
		"as it stands":                       {},
		"with a better known key":            {"Sec-WebSocket-Key", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==  "}},
		"names in small letters":             {"Upgrade", []string{"upgrade: websocket"}},
		"values in other letters":            {"Upgrade", []string{"Upgrade: WebSocket"}},
		"Connection as Firefox has it":       {"Connection", []string{"Connection: keep-alive, Upgrade"}},
		"Connection in two lines":            {"Connection", []string{"Connection: keep-alive", "Connection: upgrade"}},
		"several upgrades":                   {"Upgrade", []string{"Upgrade: h2c, websocket"}},
		"several upgrades in two lines":      {"Upgrade", []string{"Upgrade: h2c", "Upgrade: websocket"}},
		"several subprotocols":               {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: chat, writer-presence.v1 ,x"}},
		"several subprotocols in two lines":  {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: writer-presence.v1"}},
		"several subprotocols in two others": {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: writer-presence.v1", "Sec-WebSocket-Protocol: writer-presence.v2"}},
		"compression":                        {"", []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}},
		"compression as it was":              {"", []string{"Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover; client_no_context_takeover"}},
	} {
		t.Run(name, func(t *testing.T) {
			inFrames(t, func(t *testing.T, w *frameWorld) {
				request := servertest.HandshakeRequest(w.Host, servertest.LivePath, change.without, "", "Authorization", "Bearer "+w.As("Alice", "1").Token)
				lines := strings.Join(append(slices.Clone(change.lines), ""), "\r\n")
				b := servertest.OpenRaw(t, w.dialBare(), strings.Replace(request, "\r\n", "\r\n"+lines, 1))
				h := b.Response.Header
				if b.Response.StatusCode != http.StatusSwitchingProtocols {
					body, _ := io.ReadAll(b.Response.Body)
					t.Fatalf("it got %d %s", b.Response.StatusCode, body)
				}
				for name, due := range map[string]string{
					"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
					"Sec-Websocket-Protocol": "writer-presence.v1",
				} {
					if got := h[name]; len(got) != 1 || got[0] != due {
						t.Errorf("%s: %q; due is %q", name, got, due)
					}
				}
				if got := h["Sec-Websocket-Extensions"]; got != nil {
					t.Errorf("Sec-WebSocket-Extensions: %q; due is none", got)
				}
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
				b.ExpectAck(1)
				b.Send(servertest.MaskedFrame(servertest.FinBit|0x40|servertest.OpText, []byte(stealing))) // as if compressed
				b.ExpectClose(1002)
			})
		})
	}
}

// overTCP is a world with live connections over TCP, where the kernel has a say.
func overTCP(t *testing.T) (w *servertest.Server, host string) {
	t.Helper()
	w = servertest.New(t, servertest.Direct)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return w, w.ListenOn(l)
}

// neighboursTCP are as those in memory.
func neighboursTCP(t *testing.T, w *servertest.Server, host string) *neighbours {
	t.Helper()
	return &neighbours{bob: w.As("Bob", "901").DialRaw(t, host), carol: w.As("Carol", "900"), seq: 1}
}

// The last word can be read, though its client had more to say than was read: a server
// that closes while something is left to read would have the kernel reset the connection.
func TestFrameThatClosesArrivesThoughMoreWasSent(t *testing.T) {
	w, host := overTCP(t)
	n := neighboursTCP(t, w, host)
	for _, c := range []struct {
		name  string
		sent  []byte
		tells []string
		code  int
	}{
		{"message too large", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<20), strings.Repeat("x", 32<<10)), nil, 1009},
		{"binary", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, make([]byte, 100)), 300)...), []string{"not_text"}, 1003},
		{"mistakes", bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "x"}`)), 1000), slices.Repeat([]string{"unknown_type"}, 10), 1008},
		{"no frame", bytes.Repeat([]byte{0xff}, 32<<10), nil, 1002},
		{"not UTF-8", append(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte{0xff}), make([]byte, 32<<10)...), nil, 1007},
		{"a length with its top bit", longFrame(servertest.FinBit|servertest.OpText, bits64(1<<63), strings.Repeat("x", 32<<10)), nil, 1002},
		{"a close", append(closeFrame(1000, ""), make([]byte, 32<<10)...), nil, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range 10 {
				b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
				b.T = t
				if sent := b.Send(c.sent); sent < len(c.sent) {
					t.Errorf("%d bytes of %d were sent", sent, len(c.sent))
				}
				for _, code := range c.tells {
					b.ExpectError(code)
				}
				b.ExpectClose(c.code)
				b.Conn.Close()
			}
			n.unharmed(t)
		})
	}
}

// watched is a listener that gives its connections to the test, too.
type watched struct {
	net.Listener
	conns chan *watchedConn
}

func (l watched) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &watchedConn{TCPConn: conn.(*net.TCPConn), closed: make(chan struct{})}
	l.conns <- c
	return c, nil
}

// watchedConn tells when it was closed on both sides.
type watchedConn struct {
	*net.TCPConn
	closed chan struct{}
	mu     sync.Mutex
}

func (c *watchedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return c.TCPConn.Close()
}

// The close frame is the last one, whatever is new at the same time (RFC 6455, 5.5.1).
// What is written later is at best lost, and with it the time in which the close frame
// can be read.
func TestFrameThatClosesIsTheLastOne(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan *watchedConn, 10)
	host := w.ListenOn(watched{l, conns})
	n := neighboursTCP(t, w, host)
	<-conns // Bob's
	for i, c := range []struct {
		name string
		sent []byte
		code int
	}{
		{"a leave", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "leave", "seq": 2}`)), 1000},
		{"binary", servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), 1003},
		{"no frame", servertest.MaskedFrame(0xf, nil), 1002},
		{"not UTF-8", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte{0xff}), 1007},
		{"a close", closeFrame(1001, ""), 1001},
		{"a second hello", servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(`{"type": "hello", "session": "other"}`)), 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
			conn := <-conns
			n.unharmed(t) // Mallory is told, too, from now on
			b.Send(c.sent)
			last, ok := b.Next()
			for ok && last.FirstByte != servertest.FinBit|servertest.OpClose {
				last, ok = b.Next()
			}
			for range 3 {
				n.unharmed(t)
			}
			select {
			case <-conn.closed:
				t.Error("the news cut off the connection before its last word could be read")
			default:
			}
			if then, ok := b.Next(); ok {
				t.Errorf("after the close frame there came %v", then)
			}
			b.Conn.Close()
			select {
			case <-conn.closed:
			case <-time.After(20 * time.Second):
				t.Fatal("the connection stays open")
			}
			if got := last.CloseCode(); got != c.code {
				t.Errorf("the last frame was %v; due is a close frame with code %d", last, c.code)
			}
		})
	}
}

func TestFramesOfAConnectionThatIsResetHarmNobody(t *testing.T) {
	w, host := overTCP(t)
	n := neighboursTCP(t, w, host)
	half := servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(stealing))[:20]
	for i, sent := range [][]byte{nil, half, servertest.MaskedFrame(servertest.OpText, []byte(stealing[:9])), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, nil), 50), servertest.MaskedFrame(servertest.FinBit|servertest.OpBinary, nil), closeFrame(1000, "")} {
		b := w.As("Mallory", presence.UserID(fmt.Sprint(i+1))).DialRaw(t, host)
		b.Send(sent)
		b.Conn.(*net.TCPConn).SetLinger(0)
		b.Conn.Close()
		n.unharmed(t)
	}
	nothingStolen(t, w)
}

// A flood of frames that come to nothing costs its own connection, and little of that.
func TestFloodOfFramesIsBounded(t *testing.T) {
	const many = 100_000
	isTooMuch := func(t *testing.T, b *servertest.RawConn) {
		if f, _ := b.Next(); !bytes.Contains(f.Payload, []byte("too_many_requests")) {
			t.Errorf("there came %v; due is that it was too much", f)
		}
		b.ExpectClose(1008)
	}
	empty := servertest.MaskedFrame(servertest.OpContinuation, nil)
	for name, c := range map[string]struct {
		before, flood, end []byte
		come               func(t *testing.T, b *servertest.RawConn)
	}{
		"empty fragments": {
			servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), bytes.Repeat(empty, 5000), nil,
			func(_ *testing.T, b *servertest.RawConn) { b.ExpectClose(1009) },
		},
		"fragments of a byte": {
			servertest.MaskedFrame(servertest.OpText, []byte("{")), bytes.Repeat(servertest.MaskedFrame(servertest.OpContinuation, []byte("x")), many), nil,
			func(_ *testing.T, b *servertest.RawConn) { b.ExpectClose(1009) },
		},
		"pongs": {
			nil, bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, []byte("x")), 1000), nil, isTooMuch,
		},
		"pongs of 125 bytes within a message": {
			servertest.MaskedFrame(servertest.OpText, []byte(moveAfter[:9])), bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPong, make([]byte, 125)), 200), nil, isTooMuch,
		},
		"pings": {
			nil, bytes.Repeat(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, []byte("x")), many), nil,
			func(t *testing.T, b *servertest.RawConn) {
				// Whoever goes on for more than 64 KiB after the last word may miss it.
				pongs := 0
				for f, ok := b.Next(); ok; f, ok = b.Next() {
					switch {
					case f.FirstByte == servertest.FinBit|servertest.OpPong:
						pongs++
					case f.Message().Code == "too_many_requests", f.FirstByte == servertest.FinBit|servertest.OpClose:
					default:
						t.Errorf("there came %v; due is a pong, or too_many_requests", f)
					}
				}
				if pongs > 100 {
					t.Errorf("%d pings were answered; due are 100", pongs)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, host := overTCP(t)
			n := neighboursTCP(t, w, host)
			b := w.As("Mallory", "1").DialRaw(t, host)
			b.T = t
			n.unharmed(t)
			before := heapInUse()
			b.Send(c.before)
			flooded := make(chan struct{})
			go func() {
				defer close(flooded)
				b.Send(c.flood)
			}()
			for range 3 {
				n.unharmed(t)
			}
			<-flooded
			if grown := heapInUse() - before; grown > 4<<20 {
				t.Errorf("the heap has grown by %d KiB", grown>>10)
			}
			b.Send(c.end)
			c.come(t, b)
			n.unharmed(t)
			b.Conn.Close()
		})
	}
}

// heapInUse is how much of it is in use.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what sync.Pool kept is gone with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
