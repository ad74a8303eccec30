package live

import (
	"bufio"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/writer-presence/writer-presence/internal/wire"
)

// reader parses the frames of a connection into messages and control frames. It has buffers of several
// kilobytes, so an idle connection has none.
type reader struct {
	*bufio.Reader
	source source
	state  ws.State
	op     ws.OpCode // of the message whose fragments are being read
	text   []byte    // the fragments so far
	parts  int       // number of fragments so far
}

// source reads the bytes that await has read already, and then the connection.
type source struct {
	first []byte
	conn  io.Reader
}

func (s *source) Read(b []byte) (int, error) {
	if len(s.first) == 0 {
		return s.conn.Read(b)
	}
	n := copy(b, s.first)
	s.first = s.first[n:]
	return n, nil
}

var readers = sync.Pool{New: func() any {
	r := &reader{text: make([]byte, 0, wire.MaxBody)}
	r.Reader = bufio.NewReader(&r.source)
	return r
}}

// newReader returns a reader of a connection, from which the bytes first were read already.
func newReader(conn io.Reader, first []byte) *reader {
	r := readers.Get().(*reader)
	r.source = source{first, conn}
	r.Reset(&r.source)
	r.state, r.text, r.parts = ws.StateServerSide, r.text[:0], 0
	return r
}

// isEmpty reports whether all that arrived was read, up to the end of a message.
func (r *reader) isEmpty() bool { return r.Buffered() == 0 && !r.state.Fragmented() }

// release returns the reader to the pool. Payloads that next returned are no longer valid.
func (r *reader) release() {
	r.source = source{}
	readers.Put(r)
}

// Errors of reading, besides those of the library.
var (
	errNotUTF8       = errors.New("a text message is not UTF-8")
	errMessageLarge  = errors.New("a message is too large")
	errControlLength = ws.ProtocolError("the length of a control frame is not in its second byte")
	errLongLength    = ws.ProtocolError("the length of a frame has more bytes than it needs")
)

// next reads frames until a message is complete and returns it. A control frame, which may come between the
// fragments of a message, is returned at once. The payload is valid until the next call or release.
func (r *reader) next() (op ws.OpCode, payload []byte, err error) {
	for {
		h, err := r.header()
		if err != nil {
			return 0, nil, err
		}
		begin := len(r.text)
		if !h.OpCode.IsControl() {
			// The number of fragments is bounded too, because they may be empty.
			if r.parts++; h.Length > int64(wire.MaxBody-begin) || r.parts > wire.MaxBody {
				return 0, nil, errMessageLarge
			}
		}
		part := slices.Grow(r.text, int(h.Length))[begin : begin+int(h.Length)] // grows only for a control frame amid fragments
		if _, err := io.ReadFull(r, part); err != nil {
			return 0, nil, err
		}
		ws.Cipher(part, h.Mask, 0)
		if h.OpCode.IsControl() {
			return h.OpCode, part, nil
		}
		if h.OpCode != ws.OpContinuation {
			r.op = h.OpCode
		}
		r.text = r.text[:begin+len(part)]
		if !h.Fin {
			r.state = r.state.Set(ws.StateFragmented)
			continue
		}
		payload, r.text, r.state, r.parts = r.text, r.text[:0], r.state.Clear(ws.StateFragmented), 0
		if r.op == ws.OpText && !utf8.Valid(payload) {
			return 0, nil, errNotUTF8
		}
		return r.op, payload, nil
	}
}

// header reads the header of a frame and checks it against RFC 6455.
func (r *reader) header() (h ws.Header, err error) {
	first, err := r.Peek(2)
	if err != nil {
		return h, err
	}
	if ws.OpCode(first[0]&0xf).IsControl() && first[1]&0x7f > ws.MaxControlFramePayloadSize {
		return h, errControlLength // RFC 6455, 5.5; the library checks the decoded length only
	}
	form := first[1] & 0x7f // 126 and 127: the length follows, in two or eight bytes
	if h, err = ws.ReadHeader(r); err != nil {
		return h, err
	}
	if form == 126 && h.Length < 126 || form == 127 && h.Length <= math.MaxUint16 {
		return h, errLongLength // RFC 6455, 5.2
	}
	return h, ws.CheckHeader(h, r.state)
}

// closeCode returns the close code for an error of reading, 0 if the connection is lost.
func closeCode(err error) ws.StatusCode {
	var protocol ws.ProtocolError
	switch {
	case errors.Is(err, errNotUTF8):
		return ws.StatusInvalidFramePayloadData
	case errors.Is(err, errMessageLarge):
		return ws.StatusMessageTooBig
	case errors.As(err, &protocol), errors.Is(err, ws.ErrHeaderLengthMSB):
		return ws.StatusProtocolError
	}
	return 0
}
