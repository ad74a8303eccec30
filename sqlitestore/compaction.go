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
	// A step of a compaction writes a maxSteps-th of all sessions, but at least minStep of them, or deletes minCut rows of
	// the log. With 10,000 users that takes about a millisecond, in which a single core does nothing else. Steps are
	// larger while the log grows too fast for that; see haste.
	maxSteps = 128
	minStep  = 32
	minCut   = 64
)

// compaction says what a commit does for a compaction, besides sessions for their table. The commit that begins it
// decides which rows of the log are old: all that are there. Once all sessions are in their table, each commit deletes
// some of them, the oldest first.
type compaction struct {
	begins bool
	cuts   int // rows to delete
}

func (c compaction) or(other compaction) compaction {
	return compaction{c.begins || other.begins, max(c.cuts, other.cuts)}
}

// compact queues the next step of a compaction, if the log is being compacted or a compaction is due: its begin, then
// the sessions of some projects at a time, then cuts. It waits until the step before is written, since replies wait for
// these commits too, and no row of the log may be deleted before its sessions are in their table.
func (s *Store) compact() {
	if !s.journal.isWritten(s.compacting) {
		return
	}
	switch {
	case len(s.toCompact) > 0:
		s.compactProjects()
	case s.db.log.hasOld.Load():
		s.compacting = s.journal.compact(compaction{cuts: minCut * s.haste()})
	case s.isCompactionDue():
		s.compacted = time.Now()
		s.compacting = s.journal.compact(compaction{begins: true})
		for i := range s.groups {
			for _, p := range s.projectsIn(&s.groups[i]) {
				s.toCompact = append(s.toCompact, p.name)
			}
		}
	default:
		return
	}
	s.journal.flush()
}

// compactProjects queues the sessions of the next projects for their table.
func (s *Store) compactProjects() {
	for left := max(minStep, int(s.people.Load())/maxSteps) * s.haste(); left > 0 && len(s.toCompact) > 0; s.toCompact = s.toCompact[1:] {
		p := s.find(s.toCompact[0])
		if p == nil { // forgotten: the end of its sessions is in their table already, see compactEvery
			continue
		}
		p.mu.Lock()
		u := allUnwritten(p.roster) // to the log, since that must not be older than the table
		u.sessions = append([]presence.Record{}, p.roster.AllRecords()...)
		s.compacting = s.journal.addLater(p.name, p.roster.Clock(), u)
		p.notifyAndUnlock()
		left -= 1 + len(u.sessions)
	}
}

// logLimit is how many bytes of records the log may have before it is compacted.
func (s *Store) logLimit() int64 { return minLog + logPerUser*s.people.Load() }

// haste is how many times as large as usual a step is: the log must not grow faster than it is compacted.
func (s *Store) haste() int { return 1 + int(s.db.log.size.Load()/s.logLimit()) }

func (s *Store) isCompactionDue() bool {
	size := s.db.log.size.Load()
	return size > s.logLimit() || size > 0 && time.Since(s.compacted) >= compactEvery
}
