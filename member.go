package presence

import (
	"cmp"
	"slices"
	"time"
)

// This file and redisstore/member.lua have the same rules, in functions of the same names and order.

// member is a user with their sessions, living and ended.
type member struct {
	user     User
	sortKey  string
	sessions []*session
	ended    []endedSession // in the order in which they ended; bounded by MaxEnded
	// dropped is when the newest session ended that addEnded dropped from ended. Until [Finality]
	// after it, an unknown session may be one that ended.
	dropped  time.Time
	occupant *Occupant // nil without sessions
}

// session is a living session.
type session struct {
	member   *member
	name     string
	seq      uint64
	section  Section
	activity Activity
	// waitingFor is a section that the session waits for; it never claims that section itself.
	waitingFor Section
	nextClaim  *session // see Roster.claims
	lastSeen   time.Time
	expires    time.Time // the end of its lease, or of its grace after a leave
	unsaved    bool
	leaving    bool // a hidden leave came; the session ends when its grace is over
	// unwritten says that the session changed since its Record was last returned.
	unwritten bool
	// connection is the live connection of the newest update, 0 for HTTP. Records do not have it,
	// since no connection outlives the process.
	connection uint64
	// touched is the clock at the person's last action here. Going idle is no action.
	touched uint64
}

// endedSession is what is kept of a session that left or expired: no message up to seq creates the
// session again.
type endedSession struct {
	name      string
	seq       uint64
	at        time.Time
	unwritten bool // see session
}

// lastSeenPrecision is by how much LastSeen of a snapshot may be too old, so that a project without
// changes is rarely encoded again.
const lastSeenPrecision = time.Second

// expired decides rule 1: at exactly the end of its lease a session is still alive.
func (s *session) expired(now time.Time) bool { return now.After(s.expires) }

// isClaim decides rule 18: a session claims its section while it edits it or has unsaved changes in it.
func isClaim(activity Activity, unsaved bool) bool { return activity == Editing || unsaved }

// claims reports whether a session is in the section and claims it.
func (s *session) claims(section Section) bool {
	return isClaim(s.activity, s.unsaved) && s.section == section
}

// outranks decides rule 3: the section and activity of an occupant are those of a session with a
// section rather than without, active rather than idle, and touched last.
func (s *session) outranks(other *session) bool {
	if a, b := s.section != "", other.section != ""; a != b {
		return a
	}
	if a, b := s.activity != Idle, other.activity != Idle; a != b {
		return a
	}
	return s.touched > other.touched
}

func (m *member) find(name string) *session {
	for _, s := range m.sessions {
		if s.name == name {
			return s
		}
	}
	return nil
}

// forgotten reports whether the session ended longer than Finality ago.
func (e endedSession) forgotten(now time.Time) bool { return now.Sub(e.at) > Finality }

// endedSeq returns the number with which a session ended, if that is kept.
func (m *member) endedSeq(now time.Time, name string) (seq uint64, ok bool) {
	for _, e := range m.ended {
		if e.name == name && !e.forgotten(now) {
			return e.seq, true
		}
	}
	return 0, false
}

// hasDropped reports whether an unknown session may be an ended one that was dropped.
func (m *member) hasDropped(now time.Time) bool { return now.Sub(m.dropped) <= Finality }

// newestSeq returns the highest number of any message of the session, living or ended; 0 for an
// unknown session. If the session may have ended and been dropped it returns MaxSafe, since no message
// can be shown to be newer than that end.
func (m *member) newestSeq(now time.Time, name string) uint64 {
	if s := m.find(name); s != nil {
		return s.seq
	}
	if seq, ok := m.endedSeq(now, name); ok {
		return seq
	}
	if m.hasDropped(now) {
		return MaxSafe
	}
	return 0
}

// addEnded keeps the end of a session. If more than limit are kept, it drops the oldest.
func (m *member) addEnded(e endedSession, limit int) {
	m.ended = append(m.ended, e)
	if len(m.ended) > limit {
		if at := m.ended[0].at; at.After(m.dropped) {
			m.dropped = at
		}
		m.ended = slices.Delete(m.ended, 0, 1)
	}
}

func (m *member) remove(s *session) {
	m.sessions = slices.DeleteFunc(m.sessions, func(other *session) bool { return other == s })
}

func (m *member) removeEnded(name string) {
	m.ended = slices.DeleteFunc(m.ended, func(e endedSession) bool { return e.name == name })
}

// forgetEnded removes the sessions that ended longer than Finality ago.
func (m *member) forgetEnded(now time.Time) {
	m.ended = slices.DeleteFunc(m.ended, func(e endedSession) bool { return e.forgotten(now) })
}

// stayingCount returns the number of sessions that are not leaving. Only these count for MaxSessions.
func (m *member) stayingCount() (n int) {
	for _, s := range m.sessions {
		if !s.leaving {
			n++
		}
	}
	return n
}

// sorted sorts the sections and removes duplicates.
func sorted(sections []Section) []Section {
	slices.Sort(sections)
	return slices.Compact(sections)
}

// aggregate returns the one occupant of all sessions (rule 3), or nil if there is no session.
func (m *member) aggregate() *Occupant {
	if len(m.sessions) == 0 {
		return nil
	}
	primary := m.sessions[0]
	var waiting *session
	o := &Occupant{User: m.user}
	for _, s := range m.sessions {
		if s.outranks(primary) {
			primary = s
		}
		if s.section != "" {
			o.Sections = append(o.Sections, s.section)
		}
		if s.activity == Editing {
			o.Editing = append(o.Editing, s.section)
		}
		if s.unsaved {
			o.Unsaved = append(o.Unsaved, s.section)
		}
		if s.waitingFor != "" && (waiting == nil || s.touched > waiting.touched) {
			waiting, o.WaitingFor = s, s.waitingFor
		}
		if s.lastSeen.After(o.LastSeen) {
			o.LastSeen = s.lastSeen
		}
	}
	o.Section, o.Activity = primary.section, primary.activity
	o.Sections, o.Editing, o.Unsaved = sorted(o.Sections), sorted(o.Editing), sorted(o.Unsaved)
	return o
}

// currentOccupant returns the member's occupant with a LastSeen that is exact to lastSeenPrecision.
func (m *member) currentOccupant(now time.Time) *Occupant {
	if now.Sub(m.occupant.LastSeen) >= lastSeenPrecision {
		for _, s := range m.sessions {
			if s.lastSeen.After(m.occupant.LastSeen) {
				m.occupant = m.aggregate()
				break
			}
		}
	}
	return m.occupant
}

// compare decides rule 17, the order of lists.
func (m *member) compare(other *member) int {
	if c := cmp.Compare(m.sortKey, other.sortKey); c != 0 {
		return c
	}
	return m.user.ID.compare(other.user.ID)
}
