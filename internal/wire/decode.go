package wire

import (
	"errors"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// Update is the body of an update. A live message has the same fields.
type Update struct {
	Section        string
	Session        string
	Seq            uint64
	Activity       presence.Activity
	UnlessOccupied bool
	KnownVersion   *uint64
	AsOf           uint64
	Unsaved        bool
	WaitingFor     string
	Saved          *Saved // nil if the field is missing or null
}

// Saved is the value of the field saved.
type Saved struct{ Section, Revision string }

// UnmarshalJSON decodes an object as strictly as [Decode].
func (s *Saved) UnmarshalJSON(text []byte) error { return strictjson.Decode(text, (*savedFields)(s)) }

type savedFields Saved

// Field implements [strictjson.Fields].
func (s *savedFields) Field(name []byte) any {
	switch string(name) {
	case "section":
		return &s.Section
	case "revision":
		return &s.Revision
	default:
		return nil
	}
}

// Field implements [strictjson.Fields].
func (u *Update) Field(name []byte) any {
	switch string(name) {
	case "section":
		return &u.Section
	case "session":
		return &u.Session
	case "seq":
		return &u.Seq
	case "activity":
		return &u.Activity
	case "unless_occupied":
		return &u.UnlessOccupied
	case "known_version":
		return &u.KnownVersion
	case "as_of":
		return &u.AsOf
	case "unsaved":
		return &u.Unsaved
	case "waiting_for":
		return &u.WaitingFor
	case "saved":
		return &u.Saved
	default:
		return nil
	}
}

// Domain returns the update in the terms of package presence. The errors are ErrKnownVersion and, for a save
// without a section, [presence.ErrSectionInvalid].
func (u *Update) Domain() (presence.Update, error) {
	update := presence.Update{
		Session: u.Session, Seq: u.Seq,
		Section: presence.Section(u.Section), Activity: u.Activity, UnlessOccupied: u.UnlessOccupied,
		Unsaved: u.Unsaved, WaitingFor: presence.Section(u.WaitingFor), Known: u.AsOf,
	}
	if u.Saved != nil {
		if u.Saved.Section == "" { // the zero presence.Saved would mean that there is none
			return update, presence.ErrSectionInvalid
		}
		update.Saved = presence.Saved{Section: presence.Section(u.Saved.Section), Revision: u.Saved.Revision}
	}
	if u.AsOf > presence.MaxSafe {
		return update, ErrKnownVersion
	}
	if u.KnownVersion != nil {
		if *u.KnownVersion > presence.MaxSafe {
			return update, ErrKnownVersion
		}
		update.Poll, update.Known = true, *u.KnownVersion
	}
	return update, nil
}

// Leave is the body of a leave.
type Leave struct {
	Session string
	Seq     uint64
	Hidden  bool
}

// Field implements [strictjson.Fields].
func (l *Leave) Field(name []byte) any {
	switch string(name) {
	case "session":
		return &l.Session
	case "seq":
		return &l.Seq
	case "hidden":
		return &l.Hidden
	default:
		return nil
	}
}

// Message is a message that a client sends on a live connection. Type decides which fields are used.
type Message struct {
	Type   string
	Token  string
	Hidden bool
	Update
}

// Field implements [strictjson.Fields].
func (m *Message) Field(name []byte) any {
	switch string(name) {
	case "type":
		return &m.Type
	case "token":
		return &m.Token
	case "hidden":
		return &m.Hidden
	default:
		return m.Update.Field(name)
	}
}

// Known returns the version that the client reports, 0 for none.
func (m *Message) Known() uint64 {
	if m.KnownVersion == nil {
		return 0
	}
	return *m.KnownVersion
}

// Decode decodes one JSON object into value, which keeps no reference to text. Names must match exactly,
// unknown fields are ignored, and null is the same as a missing field. The errors are ErrJSON,
// ErrDuplicateField, ErrFieldType, ErrKnownVersion and [presence.ErrSeqInvalid].
func Decode(text []byte, value strictjson.Fields) error {
	if decodeFast(text, value) {
		return nil
	}
	return decodeStrict(text, value)
}

// decodeStrict decodes any valid text. It is the only decoder that reports errors.
func decodeStrict(text []byte, value strictjson.Fields) error {
	err := strictjson.Decode(text, value)
	var wrong *strictjson.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strictjson.ErrDuplicate):
		return ErrDuplicateField
	case !errors.As(err, &wrong):
		return ErrJSON
	case wrong.Name == "seq":
		return presence.ErrSeqInvalid
	case wrong.Name == "known_version", wrong.Name == "as_of":
		return ErrKnownVersion
	default:
		return ErrFieldType
	}
}
