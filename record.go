package presence

import (
	"cmp"
	"slices"
	"time"
)

// Record is a session in the form in which a store writes it down.
type Record struct {
	User     User
	Session  string
	Seq      uint64
	Section  Section
	Activity Activity
	// LastSeen is the last sign of life, or the end of a session that has ended.
	LastSeen time.Time
	// Touched orders the sessions of a user by when the person last did something; 0 for
	// one that has ended.
	Touched uint64
	// Active is false once the session has left or lapsed: such a record keeps
	// older messages from bringing it back, and goes after [Finality].
	Active bool
}

// Compare orders records by what happened first, the ended before the living.
func (r Record) Compare(other Record) int {
	return cmp.Or(cmp.Compare(r.Touched, other.Touched), r.LastSeen.Compare(other.LastSeen))
}

// RecordsOf gives the sessions of a user to which something has happened since they were
// last given, to be written down.
func (r *Roster) RecordsOf(id UserID) []Record {
	if m := r.members[id]; m != nil {
		return m.unwritten(nil)
	}
	return nil
}

// Records gives those of everybody: renewals, and ends, that nobody wrote down.
func (r *Roster) Records() (records []Record) {
	for _, m := range r.members {
		records = m.unwritten(records)
	}
	return records
}

// AllRecords gives all sessions, living and ended, to be written down.
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

// unwritten appends the sessions of a member that are to be written down.
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

// Restore brings back a session from its record. A living one gets a full lease
// from now: what it said meanwhile, nobody could hear. Restore in the order of
// [Record.Compare], before anything else happens to the roster.
func (r *Roster) Restore(now time.Time, record Record) {
	m := r.member(record.User)
	r.members[record.User.ID] = m
	if !record.Active {
		m.remember(ended{name: record.Session, seq: record.Seq, at: record.LastSeen}, r.maxEnded)
		return
	}
	s := &session{name: record.Session, seq: record.Seq, lastSeen: record.LastSeen, touched: record.Touched}
	m.sessions = append(m.sessions, s)
	r.place(s, record.Section, record.Activity)
	r.liveUntil(s, now.Add(r.lease))
	r.clock = max(r.clock, record.Touched)
	r.tick(now)
	if !slices.ContainsFunc(m.sessions, func(s *session) bool { return s.lastSeen.After(record.LastSeen) }) {
		r.rename(m, record.User) // the name that was last heard
	}
	r.refold(m)
}

func (m *member) record(s *session) Record {
	s.unwritten = false
	return Record{
		User: m.user, Session: s.name, Seq: s.seq, Section: s.section, Activity: s.activity,
		LastSeen: s.lastSeen, Touched: s.touched, Active: !s.leaving,
	}
}

func (m *member) endedRecord(e *ended) Record {
	e.unwritten = false
	return Record{User: m.user, Session: e.name, Seq: e.seq, LastSeen: e.at}
}

// Aggregate makes the snapshot at a version from the records of all sessions that live, those of
// each user one after the other: for stores that keep rosters elsewhere.
func Aggregate(version uint64, living []Record) *Snapshot {
	var members []*member
	for _, record := range living {
		if len(members) == 0 || members[len(members)-1].user.ID != record.User.ID {
			members = append(members, &member{user: record.User, folded: record.User.foldedName()})
		}
		m := members[len(members)-1]
		m.sessions = append(m.sessions, &session{section: record.Section, activity: record.Activity, lastSeen: record.LastSeen, touched: record.Touched})
	}
	slices.SortFunc(members, (*member).compare)
	all := make([]*Occupant, len(members))
	for i, m := range members {
		all[i] = m.fold()
	}
	s := NewSnapshot(version, all[:min(len(all), MaxListed)], len(all))
	s.all = all
	return s
}
