package sqlitestore

import (
	"time"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// compactEvery is how often the log is compacted at least, if anything was appended.
	compactEvery = presence.Finality / 2
	// A log above minLog bytes and logPerUser for each user who is online is compacted at once. Since a record takes some
	// 90 bytes, each session is then written to the table once in four records or more.
	minLog     = 1 << 20
	logPerUser = 400
	// A step of a compaction writes the sessions of a maxSteps-th of all projects, or of more until it has minStep sessions or
	// projects, or deletes minDeleted rows of the log. With 10,000 users in rooms of 10 that takes about a millisecond, in
	// which a single core does nothing else. A project is not divided, so a room of 1,000 is written in one step.
	maxSteps   = 128
	minStep    = 32
	minDeleted = 64
)

// compaction is what a commit does to the log for a compaction: begins marks all rows as old, deletes is how many old
// rows it deletes, the oldest first.
type compaction struct {
	begins  bool
	deletes int
}

func (c compaction) or(other compaction) compaction {
	return compaction{c.begins || other.begins, max(c.deletes, other.deletes)}
}

// compact queues the next step of a compaction, if the log is being compacted or a compaction is due: its first commit,
// then the sessions of some projects at a time, then deletions. It waits until the step before is written, since replies
// wait for these commits too, and no row of the log may be deleted before its sessions are in their table.
func (s *Store) compact() {
	if !s.journal.isWritten(s.compacting) {
		return
	}
	switch {
	case len(s.toCompact) > 0:
		s.compactProjects()
	case s.db.log.hasOld.Load():
		s.compacting = s.journal.compact(compaction{deletes: minDeleted * s.stepFactor()})
	case s.isCompactionDue():
		s.compacted = time.Now()
		s.compacting = s.journal.compact(compaction{begins: true})
		for i := range s.groups {
			for _, p := range s.projectsIn(&s.groups[i]) {
				s.toCompact = append(s.toCompact, p.name)
			}
		}
		s.projectsInStep = len(s.toCompact) / maxSteps
	default:
		return
	}
	s.journal.flush()
}

// compactProjects queues the sessions of the next projects for their table.
func (s *Store) compactProjects() {
	share, least := s.projectsInStep*s.stepFactor(), minStep*s.stepFactor()
	for projects, rows := 0, 0; len(s.toCompact) > 0 && (projects < share || projects < least && rows < least); projects++ {
		p := s.find(s.toCompact[0])
		s.toCompact = s.toCompact[1:]
		if p == nil { // removed, and its sessions in the table with it
			continue
		}
		p.mu.Lock()
		if u := p.unwrittenWithSessions(); !u.isEmpty() {
			s.compacting = s.journal.addLater(p.name, p.roster.Clock(), u)
			rows += 1 + len(u.sessions)
		}
		p.notifyAndUnlock()
	}
	if len(s.toCompact) == 0 {
		s.toCompact = nil // frees the names
	}
}

// logLimit is how many bytes of records the log may have before it is compacted.
func (s *Store) logLimit() int64 { return minLog + logPerUser*s.people.Load() }

// stepFactor returns by how much steps are larger than usual: 1, and 1 more for each logLimit of bytes that were appended
// since the compaction began. So the log does not grow faster than it is compacted.
func (s *Store) stepFactor() int { return 1 + int(s.db.log.size.Load()/s.logLimit()) }

func (s *Store) isCompactionDue() bool {
	size := s.db.log.size.Load()
	return size > s.logLimit() || size > 0 && time.Since(s.compacted) >= compactEvery
}
