package live

import (
	"github.com/gobwas/ws"

	"github.com/writer-presence/writer-presence/internal/wire"
)

// statusRestart tells a client that the server restarts (1012, in the IANA registry of close codes).
const statusRestart ws.StatusCode = 1012

// restateFrame asks a client to send its session again.
var restateFrame = textFrame(wire.AppendRestate)

// textFrame returns a text frame with the message that appendMessage appends.
func textFrame(appendMessage func([]byte) []byte) []byte {
	return compile(ws.NewTextFrame(appendMessage(make([]byte, 0, 512))))
}

// errorFrame returns a frame that reports err. seq is that of the message that it answers, 0 for none.
func errorFrame(err error, seq uint64) []byte {
	return textFrame(func(b []byte) []byte { return wire.AppendError(b, err, seq) })
}

func compile(f ws.Frame) []byte {
	b, _ := ws.CompileFrame(f) // writing to memory does not fail
	return b
}
