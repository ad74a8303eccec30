package presence

import (
	"cmp"
	"slices"
	"time"
)

// member is a user with their sessions, living and ended.
type member struct {
	user     User
	folded   string
	sessions []*session
	ended    []ended // in the order in which they ended, MaxEnded at most
	// dropped is the end of the newest session that was taken out of ended for want of
	// room. Until [Finality] after it, a session that is not known may be one that ended.
	dropped  time.Time
	occupant *Occupant
}

// session is one tab. It lives until a moment, which a sign of life sets to a
// lease from then, and a leave for the sake of a hidden page to a grace.
type session struct {
	name     string
	seq      uint64
	section  Section
	activity Activity
	lastSeen time.Time
	until    time.Time
	leaving  bool
	// connection is the live connection of the newest update, 0 for HTTP. It is not
	// in the session's record: no connection outlives the process.
	connection uint64
	// unwritten says that something happened since its record was given.
	unwritten bool
	// touched is the clock at which the person last did something here; going
	// idle is not that.
	touched uint64
}

// ended is what is remembered of a session that has left or lapsed: that no
// message up to seq can bring it back.
type ended struct {
	name      string
	seq       uint64
	at        time.Time
	unwritten bool // see session
}

// freshness is how much older than the truth a LastSeen may be that is shown, so
// that a quiet project is encoded rarely.
const freshness = time.Second

// lapsed decides rule 1: at exactly the end of its lease a session still lives.
func (s *session) lapsed(now time.Time) bool { return now.After(s.until) }

// endsWith reports whether the end of a live connection concerns the session: its
// newest update came over that connection. An update over HTTP protects from the loss
// of an older connection, but not from the loss of access.
func (s *session) endsWith(l Leave) bool {
	if s.connection == 0 {
		return !l.Broken
	}
	return s.connection == l.Connection
}

// compare decides rule 17.
func (m *member) compare(other *member) int {
	return cmp.Or(cmp.Compare(m.folded, other.folded), m.user.ID.compare(other.user.ID))
}

// fold decides rule 3: one occupant from all sessions, nil from none. Of the
// sessions the one that counts is in a section rather than not, busy rather than
// idle, and was touched last.
func (m *member) fold() *Occupant {
	if len(m.sessions) == 0 {
		return nil
	}
	rank := func(a, b *session) int {
		return cmp.Or(
			compareBool(a.section != "", b.section != ""),
			compareBool(a.activity != Idle, b.activity != Idle),
			cmp.Compare(a.touched, b.touched))
	}
	chief := slices.MaxFunc(m.sessions, rank)
	o := Occupant{User: m.user, Section: chief.section, Activity: chief.activity}
	for _, s := range m.sessions {
		if s.section != "" {
			o.Sections = append(o.Sections, s.section)
		}
		if s.activity == Editing {
			o.Editing = append(o.Editing, s.section)
		}
		if s.lastSeen.After(o.LastSeen) {
			o.LastSeen = s.lastSeen
		}
	}
	o.Sections, o.Editing = sorted(o.Sections), sorted(o.Editing)
	return NewOccupant(o)
}

// sorted has each section once.
func sorted(sections []Section) []Section {
	slices.Sort(sections)
	return slices.Compact(sections)
}

// fresh is the member's occupant, with a LastSeen that is a second old at most.
func (m *member) fresh(now time.Time) *Occupant {
	if now.Sub(m.occupant.LastSeen) >= freshness {
		for _, s := range m.sessions {
			if s.lastSeen.After(m.occupant.LastSeen) {
				m.occupant = m.fold()
				break
			}
		}
	}
	return m.occupant
}

// staying counts the sessions that are not leaving: only they use up room.
func (m *member) staying() (n int) {
	for _, s := range m.sessions {
		if !s.leaving {
			n++
		}
	}
	return n
}

func (m *member) find(name string) *session {
	for _, s := range m.sessions {
		if s.name == name {
			return s
		}
	}
	return nil
}

// newest is the highest number of any message of the session, living or ended no longer than
// Finality ago. For a session that may have ended and been dropped it is MaxSafe: what cannot
// be shown to be newer than its end counts as older.
func (m *member) newest(now time.Time, name string) uint64 {
	if s := m.find(name); s != nil {
		return s.seq
	}
	for _, e := range m.ended {
		if e.name == name && !e.forgotten(now) {
			return e.seq
		}
	}
	if m.hasDropped(now) {
		return MaxSafe
	}
	return 0
}

// hasEnded reports whether the end of the session is remembered.
func (m *member) hasEnded(now time.Time, name string) bool {
	return slices.ContainsFunc(m.ended, func(e ended) bool { return e.name == name && !e.forgotten(now) })
}

// hasDropped reports whether a session that is not known may be one that ended.
func (m *member) hasDropped(now time.Time) bool { return now.Sub(m.dropped) <= Finality }

func (e ended) forgotten(now time.Time) bool { return now.Sub(e.at) > Finality }

func (m *member) edits(section Section) bool {
	return slices.ContainsFunc(m.sessions, func(s *session) bool { return s.edits(section) })
}

func (s *session) edits(section Section) bool {
	return s.activity == Editing && s.section == section
}

// remember keeps the end of a session; of those of one user, the last ones, most at
// most.
func (m *member) remember(e ended, most int) {
	m.ended = append(m.ended, e)
	if len(m.ended) > most {
		if at := m.ended[0].at; at.After(m.dropped) {
			m.dropped = at
		}
		m.ended = slices.Delete(m.ended, 0, 1)
	}
}

func (m *member) forget(name string) {
	m.ended = slices.DeleteFunc(m.ended, func(e ended) bool { return e.name == name })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
