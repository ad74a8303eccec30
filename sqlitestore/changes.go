package sqlitestore

import (
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// changes are the newest states of sessions and saves, and the moves of sections, that are to be written.
type changes struct {
	records map[key]presence.Record
	// saves with an empty Revision were dropped. Their At is when that was queued.
	saves map[saveKey]presence.Save
	moves map[moveKey]presence.Move
}

// key is the primary key of a session.
type key struct {
	project presence.Project
	user    presence.UserID
	session string
}

func newChanges(sessions int) changes {
	return changes{make(map[key]presence.Record, sessions), map[saveKey]presence.Save{}, map[moveKey]presence.Move{}}
}

func (c changes) isEmpty() bool { return len(c.records) == 0 && len(c.saves) == 0 && len(c.moves) == 0 }

// put adds records and saves of a project, in place of older ones, and moves.
func (c changes) put(project presence.Project, records []presence.Record, saves []presence.Save, moves ...*presence.Move) {
	for _, m := range moves {
		c.moves[moveKey{project, m.Version}] = *m
	}
	for _, r := range records {
		c.records[key{project, r.User.ID, r.Session}] = r
	}
	for _, s := range saves {
		if s.Revision == "" {
			s.At = time.Now()
		}
		c.saves[saveKey{project, s.Section}] = s
	}
}

// putOlder adds changes that could not be written, except where newer ones are. It leaves out ends, drops
// and moves older than [presence.Finality], so that a disk that fails for long does not fill the memory. The
// row of a drop that is left out lasts until the next start.
func (c changes) putOlder(older changes) {
	for k, r := range older.records {
		if _, newer := c.records[k]; !newer && (r.Active || time.Since(r.LastSeen) <= presence.Finality) {
			c.records[k] = r
		}
	}
	for k, s := range older.saves {
		if _, newer := c.saves[k]; !newer && (s.Revision != "" || time.Since(s.At) <= presence.Finality) {
			c.saves[k] = s
		}
	}
	for k, m := range older.moves {
		if k.version >= oldestMove(time.Now().Add(-presence.Finality)) {
			c.moves[k] = m
		}
	}
}
