package web

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	presence "github.com/writer-presence/writer-presence"
)

// The messages of docs/reference/protocol.md that the server sends, each as a frame of RFC 6455:
// what goes to many is made once.

// textFrame makes a frame of a text that the function appends.
func textFrame(text func([]byte) []byte) []byte {
	return compile(ws.NewTextFrame(text(make([]byte, 0, 512))))
}

// errorFrame says what an error says to do; seq is that of the message that it is about.
func errorFrame(err error, seq uint64) []byte {
	f := failureOf(err)
	text, _ := json.Marshal(f.err.Error()) // a string always encodes
	return textFrame(func(b []byte) []byte {
		b = append(b, `{"type":"error","code":"`...)
		b = append(b, f.code...)
		b = append(b, `","error":`...)
		b = append(b, text...)
		if seq > 0 {
			b = append(b, `,"seq":`...)
			b = strconv.AppendUint(b, seq, 10)
		}
		if after := retryAfter(err, f); after > 0 {
			b = append(b, `,"retry_after":`...)
			b = strconv.AppendFloat(b, after.Round(time.Millisecond).Seconds(), 'f', -1, 64)
		}
		return append(b, '}')
	})
}

func compile(f ws.Frame) []byte {
	b, _ := ws.CompileFrame(f) // a buffer takes all
	return b
}

func (s *Handler) appendAck(b []byte, seq uint64, reply presence.Reply) []byte {
	b = append(b, `{"type":"ack","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	if reply.You != nil { // it is not the answer to a leave
		b = appendRecorded(b, reply)
	}
	return append(s.appendState(b, reply), '}')
}

func appendSnapshot(b []byte, snapshot *presence.Snapshot) []byte {
	b = append(b, `{"type":"snapshot","version":`...)
	b = strconv.AppendUint(b, snapshot.Version, 10)
	b = append(b, `,"users":`...)
	b = presence.AppendOccupants(b, snapshot.Occupants) // and not its own JSON, which would be kept
	return append(appendPartial(appendCount(b, snapshot), snapshot.Partial), '}')
}

// restateFrame asks a client to send its session again.
var restateFrame = textFrame(func(b []byte) []byte { return append(b, `{"type":"restate"}`...) })

func appendDelta(b []byte, before, now *presence.Snapshot) []byte {
	d := now.Since(before)
	b = append(b, `{"type":"delta","base":`...)
	b = strconv.AppendUint(b, d.Base, 10)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, d.Version, 10)
	b = append(b, `,"changed":`...)
	b = presence.AppendOccupants(b, d.Changed)
	b = append(b, `,"at":[`...)
	for i, at := range d.At {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(at), 10)
	}
	b = append(b, `],"left":[`...)
	for i, id := range d.Left {
		if i > 0 {
			b = append(b, ',')
		}
		b = id.AppendJSON(b)
	}
	b = append(b, ']')
	return append(appendCount(b, now), '}')
}
