// Package wire encodes and decodes the messages that clients and the server exchange: the bodies of
// the polling API, the messages of live connections, and the errors of both.
package wire

import (
	"encoding/json"
	"strconv"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Occupant returns an occupant as a JSON object. The bytes are cached with the occupant: do not
// change them.
func Occupant(o *presence.Occupant) []byte { return o.Encoded(encodeOccupant) }

// List returns what follows `"users":` in answers that have a snapshot: the occupants as a JSON array and,
// where they are due, the fields count, saved and moved. The bytes are cached with the snapshot: do not change them.
func List(s *presence.Snapshot) []byte { return s.Encoded(encodeList) }

func encodeList(s *presence.Snapshot) []byte { return appendList(nil, s) }

func appendList(b []byte, s *presence.Snapshot) []byte {
	b = appendCount(appendOccupants(b, s.Occupants), s)
	return appendMoved(appendSaved(b, s.Saves), s.Moves)
}

// appendCount appends the number of users in a project if the list does not have all of them.
func appendCount(b []byte, s *presence.Snapshot) []byte {
	if s.Count > len(s.Occupants) {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(s.Count), 10)
	}
	return b
}

// appendSaved appends the field saved if there are saves.
func appendSaved(b []byte, saves []*presence.Save) []byte {
	if len(saves) == 0 {
		return b
	}
	b = append(b, `,"saved":[`...)
	for i, s := range saves {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"section":`...)
		b = appendText(b, string(s.Section))
		b = append(b, `,"revision":`...)
		b = appendText(b, s.Revision)
		b = append(b, `,"user_id":`...)
		b = appendUserID(b, s.User)
		b = append(b, `,"username":`...)
		b = appendText(b, s.Name)
		b = append(b, `,"saved_at":"`...)
		b = s.At.UTC().AppendFormat(b, time.RFC3339)
		b = append(b, `"}`...)
	}
	return append(b, ']')
}

// appendMoved appends the field moved if sections moved.
func appendMoved(b []byte, moves []*presence.Move) []byte {
	if len(moves) == 0 {
		return b
	}
	b = append(b, `,"moved":[`...)
	for i, m := range moves {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"from":`...)
		b = appendText(b, string(m.From))
		b = append(b, `,"to":`...)
		b = appendText(b, string(m.To))
		b = append(b, `,"version":`...)
		b = append(strconv.AppendUint(b, m.Version, 10), '}')
	}
	return append(b, ']')
}

// appendOccupants appends a JSON array of occupants to b.
func appendOccupants(b []byte, occupants []*presence.Occupant) []byte {
	b = append(b, '[')
	for i, o := range occupants {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Occupant(o)...)
	}
	return append(b, ']')
}

func encodeOccupant(o *presence.Occupant) []byte {
	const usual = 170 // length without names and sections
	b := make([]byte, 0, usual+len(o.User.ID)+len(o.User.Name)+2*len(o.Section))
	b = append(b, `{"user_id":`...)
	b = appendUserID(b, o.User.ID)
	b = append(b, `,"username":`...)
	b = appendText(b, o.User.Name)
	b = append(b, `,"section":`...)
	b = appendText(b, string(o.Section))
	b = append(b, `,"sections":`...)
	b = appendSections(b, o.Sections)
	if !impliesEditing(o) {
		b = append(b, `,"editing":`...)
		b = appendSections(b, o.Editing)
	}
	b = append(b, `,"activity":"`...)
	b = append(b, o.Activity...)
	b = append(b, `","last_seen":"`...)
	b = o.LastSeen.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","avatar_color":"`...)
	b = append(b, o.User.Color()...)
	b = append(b, `","initials":`...)
	b = appendText(b, o.User.Initials())
	b = append(b, `,"visitor":`...)
	b = strconv.AppendBool(b, o.User.Visitor)
	if o.User.AvatarURL != "" {
		b = append(b, `,"avatar_url":`...)
		b = appendText(b, o.User.AvatarURL)
	}
	if o.User.Agent {
		b = append(b, `,"agent":true`...)
	}
	if len(o.Unsaved) > 0 {
		b = append(b, `,"unsaved":`...)
		b = appendSections(b, o.Unsaved)
	}
	if o.WaitingFor != "" {
		b = append(b, `,"waiting_for":`...)
		b = appendText(b, string(o.WaitingFor))
	}
	return append(b, '}')
}

// impliesEditing reports whether section and activity say which sections the occupant edits, so
// that the field editing can be left out.
func impliesEditing(o *presence.Occupant) bool {
	if o.Activity != presence.Editing {
		return len(o.Editing) == 0
	}
	return len(o.Editing) == 1 && o.Editing[0] == o.Section
}

// appendUserID appends an id as a number if it is a canonical one, and as a string otherwise.
func appendUserID(b []byte, id presence.UserID) []byte {
	if _, ok := id.Number(); ok {
		return append(b, id...)
	}
	return appendText(b, string(id))
}

func appendSections(b []byte, sections []presence.Section) []byte {
	b = append(b, '[')
	for i, section := range sections {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, string(section))
	}
	return append(b, ']')
}

// appendText appends a JSON string. Most names and sections need no escape.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			text, _ := json.Marshal(s) // a string always encodes
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
