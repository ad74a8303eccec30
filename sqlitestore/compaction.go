package sqlitestore

import (
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// compactEvery is how often the log is compacted at least, if anything was appended: so the table has the end of a
	// session before its roster forgets it.
	compactEvery = presence.Finality / 2
	// A log above minLog bytes and logPerUser for each user who is online is compacted at once. Since a record takes some
	// 90 bytes, each session is then written to the table once in four records or more.
	minLog     = 1 << 20
	logPerUser = 400
)

// compaction is a step of a compaction, which writes all sessions to their table, so that older rows of the log can be
// deleted. It takes a commit for each group of projects. The first of them begins it, the last one ends it.
type compaction struct{ begins, ends bool }

func (c compaction) or(other compaction) compaction {
	return compaction{c.begins || other.begins, c.ends || other.ends}
}

// compact queues the sessions of a group for the table of sessions while the log is compacted. It is called for all
// groups in turn.
func (s *Store) compact(group int) {
	if group == 0 && s.isCompactionDue() {
		s.compacting, s.compacted = true, time.Now()
		s.journal.compact(compaction{begins: true})
	}
	if !s.compacting {
		return
	}
	for _, p := range s.projectsIn(&s.groups[group]) {
		p.mu.Lock()
		u := allUnwritten(p.roster) // to the log, since that must not be older than the table
		u.sessions = append([]presence.Record{}, p.roster.AllRecords()...)
		s.journal.addLater(p.name, p.roster.Clock(), u)
		p.notifyAndUnlock()
	}
	if group == groups-1 {
		s.compacting = false
		s.journal.compact(compaction{ends: true})
	}
	s.journal.flush()
}

func (s *Store) isCompactionDue() bool {
	size := s.db.log.size.Load()
	return size > minLog+logPerUser*s.people.Load() || size > 0 && time.Since(s.compacted) >= compactEvery
}
