package presence

import (
	"slices"
	"sync"
	"time"
)

// Occupant is a user as others see them, aggregated from all of the user's sessions in the project.
// An occupant never changes and is safe to share; a change makes a new one.
type Occupant struct {
	User User
	// Section is the section of the session that was touched last, of those that have a section;
	// empty if none has. Activity is what that session does.
	Section  Section
	Activity Activity
	// Sections are the sections of all sessions, sorted, without duplicates. Editing are those of
	// them in which at least one session edits, Unsaved those with unsaved changes.
	Sections, Editing, Unsaved []Section
	// WaitingFor is the section that the user waits for; empty for none. If several sessions wait, it
	// is that of the session touched last.
	WaitingFor Section
	// LastSeen is the time of the newest update of any session.
	LastSeen time.Time

	encoding encoding
}

// encoding caches the encoded form of a value that never changes.
type encoding struct {
	once sync.Once
	text []byte
}

func (e *encoding) get(encode func() []byte) []byte {
	e.once.Do(func() { e.text = encode() })
	return e.text
}

// Snapshot is all that is visible in a project at one version. It never changes and is safe to
// share; a change makes a new one.
type Snapshot struct {
	Version uint64
	// Occupants are ordered by username (case-folded), then id. They are at most MaxListed.
	Occupants []*Occupant
	// Count is the number of occupants, listed or not.
	Count int
	// Saves are the newest saves, at most one of each section and MaxSaves in all, sorted by section.
	// They are kept while anybody is in the project, and for [Finality] after that.
	Saves []*Save
	// Moves are the newest moves of sections, at most MaxMoves, sorted by version. Each is kept for
	// [Finality]. A page that has an older version follows them; see [Roster.Move].
	Moves []*Move
	// Removals are the removals that are in force or began less than a minute ago, sorted by version. They are for
	// the server and never sent to clients. Some that are over may be left.
	Removals []Removal
	// Partial says that the store lost data a short time ago, so that users who are online may be
	// missing. It changes only together with Version.
	Partial bool
	// Loss identifies the loss of data while Partial; otherwise it is 0.
	Loss uint64

	all      []*Occupant // from Aggregate: those beyond MaxListed, too
	encoding encoding
}

// Save is the newest save of a section: who saved it, when, and which revision. It never changes.
type Save struct {
	Saved
	User UserID
	Name string // the user's name at that time
	At   time.Time
}

func (s *Save) equal(other *Save) bool {
	return s == other || s.Saved == other.Saved && s.User == other.User && s.Name == other.Name && s.At.Equal(other.At)
}

// Encoded returns encode(o). It calls encode once and returns the same bytes from then on; do not
// change them. It is safe for concurrent use. All callers in a program must pass the same function.
func (o *Occupant) Encoded(encode func(*Occupant) []byte) []byte {
	return o.encoding.get(func() []byte { return encode(o) })
}

// Encoded returns encode(s). It calls encode once and returns the same bytes from then on; do not
// change them. It is safe for concurrent use. All callers in a program must pass the same function.
func (s *Snapshot) Encoded(encode func(*Snapshot) []byte) []byte {
	return s.encoding.get(func() []byte { return encode(s) })
}

// Conflicts returns the other users who claim the section, in list order, at most MaxListed.
// It finds listed occupants only; in a snapshot from [Aggregate], all.
func (s *Snapshot) Conflicts(user UserID, section Section) (others []*Occupant) {
	all := s.all
	if all == nil {
		all = s.Occupants
	}
	for _, o := range all {
		if o.User.ID != user && (slices.Contains(o.Editing, section) || slices.Contains(o.Unsaved, section)) && len(others) < MaxListed {
			others = append(others, o)
		}
	}
	return others
}

// sameVisible reports whether o and other show the same. LastSeen may differ.
func (o *Occupant) sameVisible(other *Occupant) bool {
	return o == other || o.User == other.User && o.Section == other.Section && o.Activity == other.Activity &&
		o.WaitingFor == other.WaitingFor && slices.Equal(o.Sections, other.Sections) &&
		slices.Equal(o.Editing, other.Editing) && slices.Equal(o.Unsaved, other.Unsaved)
}
