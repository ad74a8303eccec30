package presence

import (
	"cmp"
	"slices"
	"time"
)

// Record is a session in the form in which a store writes it.
type Record struct {
	User     User
	Session  string
	Seq      uint64
	Section  Section
	Activity Activity
	Unsaved  bool
	// WaitingFor is the section that the session waits for; empty for none.
	WaitingFor Section
	// LastSeen is the time of the newest update, or of the end of a session that ended.
	LastSeen time.Time
	// Touched orders the sessions of a user by the person's last action in them; 0 for one that ended.
	Touched uint64
	// Active is false once the session has left or expired. Such a record keeps older messages from
	// creating the session again; it can be deleted after [Finality].
	Active bool
}

// Compare orders records for [Roster.Restore]: ended sessions first, then living ones by Touched.
func (r Record) Compare(other Record) int {
	return cmp.Or(cmp.Compare(r.Touched, other.Touched), r.LastSeen.Compare(other.LastSeen))
}

// RecordsOf returns the sessions of a user that changed since their records were last returned, and those
// of other users that changed by a message of this one (rule 7).
func (r *Roster) RecordsOf(id UserID) (records []Record) {
	for _, m := range r.alsoChanged {
		records = m.unwritten(records)
	}
	r.alsoChanged = nil
	if m := r.members[id]; m != nil {
		records = m.unwritten(records)
	}
	return records
}

// Records returns the sessions of all users that changed since their records were last returned.
// A store that writes RecordsOf after each change gets renewals and expired sessions from it.
func (r *Roster) Records() (records []Record) {
	r.alsoChanged = nil
	if !r.unwritten {
		return nil
	}
	r.unwritten = false
	for _, m := range r.members {
		records = m.unwritten(records)
	}
	return records
}

// HasUnwritten reports whether Records, UnwrittenSaves or UnwrittenRemovals may return anything.
func (r *Roster) HasUnwritten() bool {
	return r.unwritten || len(r.unwrittenSaves) > 0 || len(r.unwrittenRemovals) > 0
}

// AllRecords returns all sessions, living and ended.
func (r *Roster) AllRecords() (records []Record) {
	for _, m := range r.members {
		for _, s := range m.sessions {
			records = append(records, m.record(s))
		}
		for i := range m.ended {
			records = append(records, m.endedRecord(&m.ended[i]))
		}
	}
	return records
}

// Sessions returns the records of all living sessions, in any order.
func (r *Roster) Sessions(now time.Time) (records []Record) {
	r.init()
	r.Expire(now)
	n := 0
	for _, m := range r.listed {
		n += len(m.sessions)
	}
	records = make([]Record, 0, n)
	for _, m := range r.listed {
		for _, s := range m.sessions {
			unwritten := s.unwritten
			records = append(records, m.record(s))
			s.unwritten = unwritten
		}
	}
	return records
}

// Occupant returns a user as others see them; nil without a living session.
func (r *Roster) Occupant(now time.Time, id UserID) *Occupant {
	r.init()
	r.Expire(now)
	if m := r.members[id]; m != nil && m.occupant != nil {
		return m.currentOccupant(now)
	}
	return nil
}

// unwritten appends the records of sessions that changed since they were last returned.
func (m *member) unwritten(records []Record) []Record {
	for _, s := range m.sessions {
		if s.unwritten {
			records = append(records, m.record(s))
		}
	}
	for i := range m.ended {
		if m.ended[i].unwritten {
			records = append(records, m.endedRecord(&m.ended[i]))
		}
	}
	return records
}

// Restore adds a session from its record. A living one gets a full lease from now, because it could not
// reach the server during the restart. If one page has living sessions under several users (rule 7), only
// the last one stays. Call it in the order of [Record.Compare], before any other method.
func (r *Roster) Restore(now time.Time, record Record) {
	r.init()
	m := r.member(record.User)
	r.members[record.User.ID] = m
	if !record.Active {
		r.addEnded(m, endedSession{name: record.Session, seq: record.Seq, at: record.LastSeen})
		return
	}
	// Without rule 7, an older version recorded a living session under each identity of its page.
	if owner, older := r.otherOwner(m, record.Session); older != nil {
		older.seq = max(older.seq, record.Seq)
		r.endSession(record.LastSeen, owner, older)
		r.reaggregate(owner)
	}
	s := &session{member: m, name: record.Session, seq: record.Seq, waitingFor: record.WaitingFor, lastSeen: record.LastSeen, touched: record.Touched}
	m.sessions = append(m.sessions, s)
	r.setOwner(m, s)
	r.place(s, record.Section, record.Activity, record.Unsaved)
	r.setExpiry(s, now.Add(r.lease))
	r.clock = max(r.clock, record.Touched)
	r.tick(now)
	if !slices.ContainsFunc(m.sessions, func(s *session) bool { return s.lastSeen.After(record.LastSeen) }) {
		r.rename(m, record.User) // the newest session has the newest name
	}
	r.reaggregate(m)
}

func (m *member) record(s *session) Record {
	s.unwritten = false
	return Record{
		User: m.user, Session: s.name, Seq: s.seq, Section: s.section, Activity: s.activity, Unsaved: s.unsaved, WaitingFor: s.waitingFor,
		LastSeen: s.lastSeen, Touched: s.touched, Active: !s.leaving,
	}
}

func (m *member) endedRecord(e *endedSession) Record {
	e.unwritten = false
	return Record{User: m.user, Session: e.name, Seq: e.seq, LastSeen: e.at}
}

// Aggregate returns the snapshot at a version from the records of all living sessions, in which the
// sessions of each user are adjacent, and from all saves, which it sorts. It is for stores that keep
// rosters outside this process.
func Aggregate(version uint64, living []Record, saves []*Save) *Snapshot {
	var members []*member
	for _, record := range living {
		if len(members) == 0 || members[len(members)-1].user.ID != record.User.ID {
			members = append(members, &member{user: record.User, sortKey: record.User.sortKey()})
		}
		m := members[len(members)-1]
		m.sessions = append(m.sessions, &session{
			section: record.Section, activity: record.Activity, unsaved: record.Unsaved, waitingFor: record.WaitingFor,
			lastSeen: record.LastSeen, touched: record.Touched,
		})
	}
	slices.SortFunc(members, (*member).compare)
	all := make([]*Occupant, len(members))
	for i, m := range members {
		all[i] = m.aggregate()
	}
	slices.SortFunc(saves, func(a, b *Save) int { return cmp.Compare(a.Section, b.Section) })
	return &Snapshot{Version: version, Occupants: all[:min(len(all), MaxListed)], Count: len(all), Saves: saves, all: all}
}
