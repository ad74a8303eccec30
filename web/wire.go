package web

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"

	presence "writer-presence"
)

// The messages of docs/protocol.md that the server sends, each as a frame of RFC 6455:
// what goes to many is made once.

// frameHeader is the longest header that a frame of the server has.
const frameHeader = 10

// textFrame makes a frame of a text that the function appends.
func textFrame(text func([]byte) []byte) []byte {
	b := text(make([]byte, frameHeader, 512))
	const final, textMessage = 0x80, 0x1
	n := len(b) - frameHeader
	var at int
	switch {
	case n < 126:
		at = frameHeader - 2
		b[at+1] = byte(n)
	case n <= 0xffff:
		at = frameHeader - 4
		b[at+1] = 126
		binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	default:
		at = 0
		b[at+1] = 127
		binary.BigEndian.PutUint64(b[at+2:], uint64(n))
	}
	b[at] = final | textMessage
	return b[at:]
}

// pingFrame is a ping without a payload; closeFrame is how one begins that closes.
var pingFrame = []byte{0x89, 0}

const closeFrame = 0x88

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
	return append(appendCount(b, snapshot), '}')
}

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

func appendError(b []byte, f failure, seq uint64, after time.Duration) []byte {
	text, _ := json.Marshal(f.err.Error()) // a string always encodes
	b = append(b, `{"type":"error","code":"`...)
	b = append(b, f.code...)
	b = append(b, `","error":`...)
	b = append(b, text...)
	if seq > 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, seq, 10)
	}
	if after > 0 {
		b = append(b, `,"retry_after":`...)
		b = strconv.AppendFloat(b, after.Round(time.Millisecond).Seconds(), 'f', -1, 64)
	}
	return append(b, '}')
}
