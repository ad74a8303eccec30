package wire

import (
	"strconv"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// AppendReply appends the answer to an update without the [List] of its snapshot. The caller inserts the list
// at the index at: the list is large and shared, so it is not copied. heartbeat is the interval that the server
// asks for.
func AppendReply(b []byte, reply presence.Reply, heartbeat time.Duration) (_ []byte, at int) {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	b = appendRecorded(b, reply)
	if reply.Snapshot != nil {
		b = append(b, `,"users":`...)
	}
	at = len(b)
	return append(appendState(b, reply, heartbeat), '}'), at
}

// AppendList appends the answer to a list request without its [List], which the caller inserts at the index at.
func AppendList(b []byte, snapshot *presence.Snapshot) (_ []byte, at int) {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, snapshot.Version, 10)
	b = append(b, `,"users":`...)
	at = len(b)
	return append(appendPartial(b, snapshot.Partial), '}'), at
}

// AppendLeft appends the answer to a leave.
func AppendLeft(b []byte, reply presence.Reply, heartbeat time.Duration) []byte {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	return append(appendState(b, reply, heartbeat), '}')
}

// AppendAck appends a live message that acknowledges the update or leave seq.
func AppendAck(b []byte, seq uint64, reply presence.Reply, heartbeat time.Duration) []byte {
	b = append(b, `{"type":"ack","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	if reply.You != nil { // nil in the answer to a leave
		b = appendRecorded(b, reply)
	}
	return append(appendState(b, reply, heartbeat), '}')
}

// AppendSnapshot appends a live message with a whole snapshot.
func AppendSnapshot(b []byte, snapshot *presence.Snapshot) []byte {
	b = append(b, `{"type":"snapshot","version":`...)
	b = strconv.AppendUint(b, snapshot.Version, 10)
	b = append(b, `,"users":`...)
	b = appendList(b, snapshot) // not List, which would cache a second copy
	return append(appendPartial(b, snapshot.Partial), '}')
}

// AppendDelta appends a live message with what changed from one snapshot to another.
func AppendDelta(b []byte, from, to *presence.Snapshot) []byte {
	d := to.Since(from)
	b = append(b, `{"type":"delta","base":`...)
	b = strconv.AppendUint(b, d.Base, 10)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, d.Version, 10)
	b = append(b, `,"changed":`...)
	b = appendOccupants(b, d.Changed)
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
		b = appendUserID(b, id)
	}
	b = appendSaved(appendCount(append(b, ']'), to), d.Saves)
	if len(d.SavesGone) > 0 {
		b = append(b, `,"saved_gone":`...)
		b = appendSections(b, d.SavesGone)
	}
	return append(appendMoved(b, d.Moves), '}')
}

// AppendRestate appends a live message that asks the client to send its session again.
func AppendRestate(b []byte) []byte { return append(b, `{"type":"restate"}`...) }

// AppendToken appends the answer to a request for a development token.
func AppendToken(b []byte, token string, user *presence.Occupant) []byte {
	b = append(b, `{"success":true,"token":`...)
	b = appendText(b, token)
	b = append(b, `,"user":`...)
	b = append(b, Occupant(user)...)
	return append(b, '}')
}

// appendRecorded appends what an update recorded and whom it conflicts with.
func appendRecorded(b []byte, reply presence.Reply) []byte {
	b = append(b, `,"activity":"`...)
	b = append(b, reply.Activity...)
	b = append(b, `","you":`...)
	b = append(b, Occupant(reply.You)...)
	b = append(b, `,"conflicts":`...)
	return appendPartial(appendOccupants(b, reply.Conflicts), reply.Partial)
}

// appendState appends the fields that are left out while they have their default values.
func appendState(b []byte, reply presence.Reply, heartbeat time.Duration) []byte {
	if reply.Stale {
		b = append(b, `,"stale":true`...)
	}
	if !reply.Durable {
		b = append(b, `,"durable":false`...)
	}
	if heartbeat != presence.DefaultHeartbeat && reply.You != nil {
		b = append(b, `,"heartbeat":`...)
		b = strconv.AppendFloat(b, heartbeat.Seconds(), 'f', -1, 64)
	}
	return b
}

// appendPartial appends partial if users may be missing from a list or from conflicts.
func appendPartial(b []byte, partial bool) []byte {
	if partial {
		b = append(b, `,"partial":true`...)
	}
	return b
}
