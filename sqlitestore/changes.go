package sqlitestore

import (
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// changes are the newest states of sessions, saves, removals and announcements, and the moves of sections, that are to be written.
type changes struct {
	// records go to the log.
	records map[key]presence.Record
	// sessions are all sessions of projects, which replace those in the table; see compaction.
	sessions map[presence.Project][]presence.Record
	// saves with an empty Revision were dropped. Their At is when that was queued.
	saves map[saveKey]presence.Save
	moves map[moveKey]presence.Move
	// removals with Version 0 were dropped.
	removals map[removalKey]presence.Removal
	// announcements without a State were dropped.
	announcements map[presence.Project]presence.Announcement
	compaction
}

// key is the primary key of a session.
type key struct {
	project presence.Project
	user    presence.UserID
	session string
}

func newChanges(sessions int) changes {
	return changes{
		records: make(map[key]presence.Record, sessions), sessions: map[presence.Project][]presence.Record{}, saves: map[saveKey]presence.Save{}, moves: map[moveKey]presence.Move{},
		removals: map[removalKey]presence.Removal{}, announcements: map[presence.Project]presence.Announcement{},
	}
}

func (c changes) isEmpty() bool {
	return len(c.records)+len(c.sessions)+len(c.saves)+len(c.moves)+len(c.removals)+len(c.announcements) == 0 && c.compaction == compaction{}
}

// unwritten is what changed in a project.
type unwritten struct {
	records      []presence.Record
	sessions     []presence.Record // nil if they are not to be replaced
	saves        []presence.Save
	moves        []*presence.Move
	removals     []presence.Removal
	announcement *presence.Announcement // nil if it did not change
}

// unwrittenOf returns what changed by a message of a user, or of nobody in particular, since it was last returned.
func unwrittenOf(r *presence.Roster, user presence.UserID) unwritten {
	return unwritten{records: r.RecordsOf(user), saves: r.UnwrittenSaves(), removals: r.UnwrittenRemovals()}
}

// allUnwritten returns all that changed since it was last returned. Moves are not among it, since they are queued at once.
func allUnwritten(r *presence.Roster) unwritten {
	return unwritten{records: r.Records(), saves: r.UnwrittenSaves(), removals: r.UnwrittenRemovals()}
}

func (u unwritten) isEmpty() bool {
	return len(u.records)+len(u.saves)+len(u.moves)+len(u.removals) == 0 && u.sessions == nil && u.announcement == nil
}

// put adds changes of a project, in place of older ones.
func (c changes) put(project presence.Project, u unwritten) {
	for _, m := range u.moves {
		c.moves[moveKey{project, m.Version}] = *m
	}
	for _, r := range u.records {
		c.records[key{project, r.User.ID, r.Session}] = r
	}
	if u.sessions != nil {
		c.sessions[project] = u.sessions
	}
	for _, s := range u.saves {
		if s.Revision == "" {
			s.At = time.Now()
		}
		c.saves[saveKey{project, s.Section}] = s
	}
	for _, r := range u.removals {
		c.removals[removalKey{project, r.User}] = r
	}
	if u.announcement != nil {
		c.announcements[project] = *u.announcement
	}
}

// putOlder adds changes that could not be written, except where newer ones are. It leaves out what is older than
// [presence.Finality] of ends, drops, moves and removals that are over, so that a disk that fails for long does not fill
// the memory. The row of a drop that is left out lasts until the next start. For the same reason it leaves out that a
// project has no sessions any more, if there are very many such projects; see database.missed for their rows.
func (c changes) putOlder(older changes) {
	for k, r := range older.records {
		if _, newer := c.records[k]; !newer && (r.Active || time.Since(r.LastSeen) <= presence.Finality) {
			c.records[k] = r
		}
	}
	for project, sessions := range older.sessions {
		if _, newer := c.sessions[project]; !newer && (len(sessions) > 0 || len(c.sessions) < maxTaken) {
			c.sessions[project] = sessions
		}
	}
	for k, s := range older.saves {
		if _, newer := c.saves[k]; !newer && (s.Revision != "" || time.Since(s.At) <= presence.Finality) {
			c.saves[k] = s
		}
	}
	for k, r := range older.removals {
		// One that is over may have to delete a row that is in force: of a removal that was taken back.
		if _, newer := c.removals[k]; !newer && (r.Until.After(time.Now()) || r.Version >= oldestMove(time.Now().Add(-presence.Finality))) {
			c.removals[k] = r
		}
	}
	for project, a := range older.announcements {
		if _, newer := c.announcements[project]; !newer {
			c.announcements[project] = a
		}
	}
	for k, m := range older.moves {
		if k.version >= oldestMove(time.Now().Add(-presence.Finality)) {
			c.moves[k] = m
		}
	}
}
