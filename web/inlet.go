package web

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// inlet reads messages from a live connection. It is large, and there for as long as one
// takes: connections are mostly quiet, and have none then.
type inlet struct {
	*bufio.Reader
	source source
	state  ws.State
	op     ws.OpCode // of a message of which a fragment was read
	text   []byte    // of it, or of a message
	parts  int       // of it so far
}

// source is what has been read already, and then the connection.
type source struct {
	began []byte
	conn  net.Conn
}

func (s *source) Read(b []byte) (int, error) {
	if len(s.began) == 0 {
		return s.conn.Read(b)
	}
	n := copy(b, s.began)
	s.began = s.began[n:]
	return n, nil
}

var inlets = sync.Pool{New: func() any {
	in := &inlet{text: make([]byte, 0, maxMessage)}
	in.Reader = bufio.NewReader(&in.source)
	return in
}}

// newInlet makes one of a connection, from which something has been read.
func newInlet(conn net.Conn, began []byte) *inlet {
	in := inlets.Get().(*inlet)
	in.source = source{began, conn}
	in.Reset(&in.source)
	in.state, in.text, in.parts = ws.StateServerSide, in.text[:0], 0
	return in
}

// isEmpty tells whether all that has come was read.
func (in *inlet) isEmpty() bool { return in.Buffered() == 0 && !in.state.Fragmented() }

// release gives the inlet back; what it has read is good no longer.
func (in *inlet) release() {
	in.source = source{}
	inlets.Put(in)
}

// The errors of what is read, besides those of the library.
var (
	errNotUTF8      = errors.New("a text is not UTF-8")
	errLong         = errors.New("a message is too long")
	errControlFrame = ws.ProtocolError("the length of a control frame is not in its second byte")
	errLength       = ws.ProtocolError("the length of a frame has more bytes than it needs")
)

// next reads a message, or a control frame, which may be between the fragments of one.
func (in *inlet) next() (op ws.OpCode, payload []byte, err error) {
	for {
		h, err := in.header()
		if err != nil {
			return 0, nil, err
		}
		begin := len(in.text)
		if !h.OpCode.IsControl() {
			if in.parts++; h.Length > int64(maxMessage-begin) || in.parts > maxMessage { // which may be empty
				return 0, nil, errLong
			}
		}
		part := slices.Grow(in.text, int(h.Length))[begin : begin+int(h.Length)] // a control frame may need more than there is
		if _, err := io.ReadFull(in, part); err != nil {
			return 0, nil, err
		}
		ws.Cipher(part, h.Mask, 0)
		if h.OpCode.IsControl() {
			return h.OpCode, part, nil
		}
		if h.OpCode != ws.OpContinuation {
			in.op = h.OpCode
		}
		in.text = in.text[:begin+len(part)]
		if !h.Fin {
			in.state = in.state.Set(ws.StateFragmented)
			continue
		}
		payload, in.text, in.state, in.parts = in.text, in.text[:0], in.state.Clear(ws.StateFragmented), 0
		if in.op == ws.OpText && !utf8.Valid(payload) {
			return 0, nil, errNotUTF8
		}
		return in.op, payload, nil
	}
}

// header reads the header of a frame, which has to be as RFC 6455 has it.
func (in *inlet) header() (h ws.Header, err error) {
	first, err := in.Peek(2)
	if err != nil {
		return h, err
	}
	if ws.OpCode(first[0]&0xf).IsControl() && first[1]&0x7f > ws.MaxControlFramePayloadSize {
		return h, errControlFrame // RFC 6455, 5.5; the library sees the length alone
	}
	form := first[1] & 0x7f // 126 and 127: the length follows, in two or eight bytes
	if h, err = ws.ReadHeader(in); err != nil {
		return h, err
	}
	if form == 126 && h.Length < 126 || form == 127 && h.Length <= math.MaxUint16 {
		return h, errLength // RFC 6455, 5.2
	}
	return h, ws.CheckHeader(h, in.state)
}

// codeOf is the close code for what is wrong with what was read; 0 where nobody is there
// to be told.
func codeOf(err error) ws.StatusCode {
	var protocol ws.ProtocolError
	switch {
	case errors.Is(err, errNotUTF8):
		return ws.StatusInvalidFramePayloadData
	case errors.Is(err, errLong):
		return ws.StatusMessageTooBig
	case errors.As(err, &protocol), errors.Is(err, ws.ErrHeaderLengthMSB):
		return ws.StatusProtocolError
	}
	return 0
}
