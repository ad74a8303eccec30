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

// messages are buffers in which messages are encoded before the length of their frame is known.
var messages = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// textFrame returns a text frame with the message that appendMessage appends.
func textFrame(appendMessage func([]byte) []byte) []byte {
	message := messages.Get().(*[]byte)
	defer messages.Put(message)
	*message = appendMessage((*message)[:0])
	return compile(ws.NewTextFrame(*message))
}

// errorFrame returns a frame that reports err. seq is that of the message that it answers, 0 for none.
func errorFrame(err error, seq uint64) []byte {
	return textFrame(func(b []byte) []byte { return wire.AppendError(b, err, seq) })
}

func compile(f ws.Frame) []byte {
	b := bytes.NewBuffer(make([]byte, 0, ws.HeaderSize(f.Header)+len(f.Payload)))
	_ = ws.WriteFrame(b, f) // writing to memory does not fail
	return b.Bytes()
}
