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
	// them in which at least one session edits.
	Sections, Editing []Section
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
	// Partial says that the store lost data a short time ago, so that users who are online may be
	// missing. It changes only together with Version.
	Partial bool
	// Loss identifies the loss of data while Partial; otherwise it is 0.
	Loss uint64

	all      []*Occupant // from Aggregate: those beyond MaxListed, too
	encoding encoding
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

// Conflicts returns the other users who are editing the section, in list order, at most MaxListed.
// It finds listed occupants only; in a snapshot from [Aggregate], all.
func (s *Snapshot) Conflicts(user UserID, section Section) (others []*Occupant) {
	all := s.all
	if all == nil {
		all = s.Occupants
	}
	for _, o := range all {
		if o.User.ID != user && slices.Contains(o.Editing, section) && len(others) < MaxListed {
			others = append(others, o)
		}
	}
	return others
}

// sameVisible reports whether o and other show the same. LastSeen may differ.
func (o *Occupant) sameVisible(other *Occupant) bool {
	return o == other || o.User == other.User && o.Section == other.Section && o.Activity == other.Activity &&
		slices.Equal(o.Sections, other.Sections) && slices.Equal(o.Editing, other.Editing)
}
