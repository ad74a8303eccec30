package presence

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Occupant is a user as others see them: folded from all of the user's sessions
// in the project. An occupant never changes; a newer one takes its place.
type Occupant struct {
	User User
	// Section is the one that they touched last, of those that their sessions
	// are in; empty if all are without one. Activity is theirs in it.
	Section  Section
	Activity Activity
	// Sections are all that their sessions are in, sorted, each once; Editing are those of
	// them that some session edits.
	Sections, Editing []Section
	// LastSeen is the last sign of life of any of their sessions.
	LastSeen time.Time

	encoded *encoded
}

// encoded is what something looks like on the wire, made when it is first needed.
type encoded struct {
	once sync.Once
	json []byte
}

// Snapshot is all that is visible in a project at one version. It never changes;
// a newer one takes its place.
type Snapshot struct {
	Version uint64
	// Occupants are ordered by name (case-folded), then id; MaxListed at most.
	Occupants []*Occupant
	// Count is how many there are, listed or not.
	Count int
	// Partial says that the store lost data a short time ago, so that people may be missing who
	// are there. It changes with the version only.
	Partial bool
	// Loss tells one loss of data from another while Partial; 0 otherwise.
	Loss uint64

	all     []*Occupant // in a snapshot from Fold, also those who are not listed
	encoded encoded
}

// NewOccupant completes an occupant, so that it can be encoded.
func NewOccupant(o Occupant) *Occupant {
	o.encoded = &encoded{}
	return &o
}

// NewSnapshot makes a snapshot of occupants that are in order.
func NewSnapshot(version uint64, occupants []*Occupant, count int) *Snapshot {
	return &Snapshot{Version: version, Occupants: occupants, Count: count, all: occupants}
}

// Conflicts are those whom a user meets who enters the section, in the order of the list,
// at most MaxListed. They are among those who are listed; of a snapshot from [Fold], among all.
func (s *Snapshot) Conflicts(user UserID, section Section) (others []*Occupant) {
	for _, o := range s.all {
		if o.User.ID != user && slices.Contains(o.Editing, section) && len(others) < MaxListed {
			others = append(others, o)
		}
	}
	return others
}

// JSON is the occupant in the form of the wire, encoded at most once. The bytes
// are shared: do not change them.
func (o *Occupant) JSON() []byte {
	o.encoded.once.Do(func() { o.encoded.json = o.encode() })
	return o.encoded.json
}

// JSON is the list of the occupants in the form of the wire, encoded at most
// once. The bytes are shared: do not change them.
func (s *Snapshot) JSON() []byte {
	s.encoded.once.Do(func() { s.encoded.json = AppendOccupants(nil, s.Occupants) })
	return s.encoded.json
}

// AppendOccupants appends a JSON array of occupants to b.
func AppendOccupants(b []byte, occupants []*Occupant) []byte {
	b = append(b, '[')
	for i, o := range occupants {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, o.JSON()...)
	}
	return append(b, ']')
}

// looksLike tells whether nobody could tell o from other: all but LastSeen is the same.
func (o *Occupant) looksLike(other *Occupant) bool {
	return o == other || o.User == other.User && o.Section == other.Section && o.Activity == other.Activity &&
		slices.Equal(o.Sections, other.Sections) && slices.Equal(o.Editing, other.Editing)
}

// editsWhatItSays tells whether Section and Activity say all of Editing.
func (o *Occupant) editsWhatItSays() bool {
	if o.Activity != Editing {
		return len(o.Editing) == 0
	}
	return len(o.Editing) == 1 && o.Editing[0] == o.Section
}

func (o *Occupant) encode() []byte {
	const most = 208 // of what is not a name or a section, in an occupant like most
	b := make([]byte, 0, most+len(o.User.ID)+len(o.User.Name)+2*len(o.Section))
	b = append(b, `{"user_id":`...)
	b = o.User.ID.AppendJSON(b)
	b = append(b, `,"username":`...)
	b = appendText(b, o.User.Name)
	b = append(b, `,"section":`...)
	b = appendText(b, string(o.Section))
	b = append(b, `,"sections":`...)
	b = appendSections(b, o.Sections)
	if !o.editsWhatItSays() {
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
	return append(b, '}')
}

func appendSections(b []byte, sections []Section) []byte {
	b = append(b, '[')
	for i, section := range sections {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, string(section))
	}
	return append(b, ']')
}

// appendText appends a JSON text: most names and sections need no escape.
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
