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

// encoder encodes text frames in buffers that are used again. It is not safe for concurrent use.
type encoder struct {
	message []byte
	frame   bytes.Buffer
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// text returns a text frame with the message that appendMessage appends. The frame is valid until the next call, or until
// the encoder is put back into encoders.
func (e *encoder) text(appendMessage func([]byte) []byte) []byte {
	e.message = appendMessage(e.message[:0])
	e.frame.Reset()
	_ = ws.WriteFrame(&e.frame, ws.NewTextFrame(e.message)) // a buffer returns no error
	return e.frame.Bytes()
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
