package presence

import (
	"slices"
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

	encoding *encoding
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

	all      []*Occupant // in a snapshot from Aggregate, also those who are not listed
	encoding encoding
}

// NewOccupant returns an occupant that caches its encoded form; see [Occupant.Encoded].
func NewOccupant(o Occupant) *Occupant {
	o.encoding = &encoding{}
	return &o
}

// Encoded returns encode(o). An occupant from [NewOccupant] calls encode once and returns the same
// bytes from then on; do not change them. It is safe for concurrent use. All callers in a program
// must pass the same function.
func (o *Occupant) Encoded(encode func(*Occupant) []byte) []byte {
	if o.encoding == nil {
		return encode(o)
	}
	return o.encoding.get(func() []byte { return encode(o) })
}

// Encoded returns encode(s). It calls encode once and returns the same bytes from then on; do not
// change them. It is safe for concurrent use. All callers in a program must pass the same function.
func (s *Snapshot) Encoded(encode func(*Snapshot) []byte) []byte {
	return s.encoding.get(func() []byte { return encode(s) })
}

// NewSnapshot makes a snapshot of occupants that are in order.
func NewSnapshot(version uint64, occupants []*Occupant, count int) *Snapshot {
	return &Snapshot{Version: version, Occupants: occupants, Count: count, all: occupants}
}

// Conflicts are those whom a user meets who enters the section, in the order of the list,
// at most MaxListed. They are among those who are listed; of a snapshot from [Aggregate], among all.
func (s *Snapshot) Conflicts(user UserID, section Section) (others []*Occupant) {
	for _, o := range s.all {
		if o.User.ID != user && slices.Contains(o.Editing, section) && len(others) < MaxListed {
			others = append(others, o)
		}
	}
	return others
}

// looksLike tells whether nobody could tell o from other: all but LastSeen is the same.
func (o *Occupant) looksLike(other *Occupant) bool {
	return o == other || o.User == other.User && o.Section == other.Section && o.Activity == other.Activity &&
		slices.Equal(o.Sections, other.Sections) && slices.Equal(o.Editing, other.Editing)
}
