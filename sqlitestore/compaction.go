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

// compaction says which end of a compaction a commit is. A compaction writes all sessions to their table, a group of
// projects in each commit, so that older rows of the log can be deleted. The first commit begins it, the last one ends
// it.
type compaction struct{ begins, ends bool }

func (c compaction) or(other compaction) compaction {
	return compaction{c.begins || other.begins, c.ends || other.ends}
}

// compact queues the sessions of the next group for the table of sessions, if the log is being compacted or a compaction
// is due. It waits until the group before is written: replies wait for these commits too.
func (s *Store) compact() {
	if !s.journal.isWritten(s.compacting) || s.nextCompacted == 0 && !s.isCompactionDue() {
		return
	}
	if s.nextCompacted == 0 {
		s.compacted = time.Now()
		s.journal.compact(compaction{begins: true}) // before its sessions, or the log might lose what changes meanwhile
	}
	for isQueued := false; !isQueued; { // a group that is not empty, or the end
		for _, p := range s.projectsIn(&s.groups[s.nextCompacted]) {
			p.mu.Lock()
			u := allUnwritten(p.roster) // to the log, since that must not be older than the table
			u.sessions = append([]presence.Record{}, p.roster.AllRecords()...)
			s.journal.addLater(p.name, p.roster.Clock(), u)
			p.notifyAndUnlock()
			isQueued = true
		}
		s.nextCompacted = (s.nextCompacted + 1) % groups
		isQueued = isQueued || s.nextCompacted == 0
	}
	s.compacting = s.journal.compact(compaction{ends: s.nextCompacted == 0})
	s.journal.flush()
}

func (s *Store) isCompactionDue() bool {
	size := s.db.log.size.Load()
	return size > minLog+logPerUser*s.people.Load() || size > 0 && time.Since(s.compacted) >= compactEvery
}
