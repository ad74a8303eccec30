package live

import (
	"bytes"
	"sync"

	"github.com/gobwas/ws"

	"github.com/writer-presence/writer-presence/internal/wire"
)

// statusRestart tells a client that the server restarts (1012, in the IANA registry of close codes).
const statusRestart ws.StatusCode = 1012

// restateFrame asks a client to send its session again.
var restateFrame = textFrame(wire.AppendRestate)

// encoder encodes frames in memory that is used again.
type encoder struct{ message, frame []byte }

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// text returns a text frame with the message that appendMessage appends. It is valid until the next call.
func (e *encoder) text(appendMessage func([]byte) []byte) []byte {
	e.message, e.frame = appendMessage(e.message[:0]), e.frame[:0]
	_ = ws.WriteFrame(e, ws.NewTextFrame(e.message)) // writing to memory does not fail
	return e.frame
}

// Write appends to the frame.
func (e *encoder) Write(b []byte) (int, error) {
	e.frame = append(e.frame, b...)
	return len(b), nil
}

// textFrame returns a text frame with the message that appendMessage appends.
func textFrame(appendMessage func([]byte) []byte) []byte {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	return bytes.Clone(e.text(appendMessage))
}

// errorFrame returns a frame that reports err. seq is that of the message that it answers, 0 for none.
func errorFrame(err error, seq uint64) []byte {
	return textFrame(func(b []byte) []byte { return wire.AppendError(b, err, seq) })
}

func compile(f ws.Frame) []byte {
	e := &encoder{}
	_ = ws.WriteFrame(e, f)
	return e.frame
}
