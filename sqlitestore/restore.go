package sqlitestore

import (
	"maps"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// write writes the journal's changes. After its files were lost it writes all sessions, saves, moves, removals
// and announcements into new ones.
func (s *Store) write(c changes, clock uint64, purge time.Time) error {
	if !s.db.isLost {
		err := s.db.write(c, clock, purge)
		if lost := s.db.check(); lost != nil {
			return lost
		}
		return err
	}
	if err := s.db.reopen(s.log); err != nil {
		return err
	}
	all := changes{records: maps.Clone(c.records), saves: maps.Clone(c.saves), moves: maps.Clone(c.moves), removals: maps.Clone(c.removals)}
	s.events.mu.Lock()
	all.announcements = maps.Clone(s.events.announced)
	s.events.mu.Unlock()
	for i := range s.groups {
		for _, p := range s.projectsIn(&s.groups[i]) {
			p.mu.Lock()
			var saves []presence.Save
			snapshot := p.roster.Snapshot(time.Now())
			for _, save := range snapshot.Saves {
				saves = append(saves, *save)
			}
			sessions := p.roster.AllRecords()
			all.put(p.name, unwritten{records: sessions, saves: saves, moves: snapshot.Moves, removals: snapshot.Removals})
			s.journal.replacePending(p.name, sessions)
			clock = max(clock, p.roster.Clock())
			p.notifyAndUnlock()
		}
	}
	if err := s.db.write(all, clock, time.Time{}); err != nil {
		return err
	}
	s.db.isLost = false
	return s.db.check()
}

// stored is what the journal held when it was opened.
type stored struct {
	clock         uint64
	sessions      []sessionRow
	ended         []presence.Project // without sessions here; the table may have some whose end was in the log
	saves         []saveRow
	staleSaves    []saveKey // not among saves
	moves         []moveRow
	removals      []removalRow
	announcements map[presence.Project]presence.Announcement
}

// read returns what the journal holds, without sessions and saves that ended before a moment. It changes nothing.
func (d *database) read(now, before time.Time) (all stored, err error) {
	if all.clock, err = d.clock(); err != nil {
		return all, err
	}
	if all.sessions, err = d.sessionsSince(before); err != nil {
		return all, err
	}
	newest, clock, err := d.readLog()
	if err != nil {
		return all, err
	}
	all.clock = max(all.clock, clock)
	all.sessions = slices.DeleteFunc(all.sessions, func(r sessionRow) bool {
		_, isNewer := newest[r.key()]
		return isNewer
	})
	ended := map[presence.Project]bool{}
	for k, r := range newest {
		if r.Active || !r.LastSeen.Before(before) {
			all.sessions = append(all.sessions, sessionRow{k.project, r})
		} else {
			ended[k.project] = true
		}
	}
	hasSessions := map[presence.Project]bool{}
	for _, r := range all.sessions {
		hasSessions[r.project] = true
		delete(ended, r.project)
	}
	all.ended = slices.Collect(maps.Keys(ended))
	if all.saves, all.staleSaves, err = d.saves(before, hasSessions); err != nil {
		return all, err
	}
	if all.moves, err = d.moves(before); err != nil {
		return all, err
	}
	if all.removals, err = d.removals(now); err != nil {
		return all, err
	}
	all.announcements, err = d.announcements()
	return all, err
}

// load restores the sessions, saves, moves, removals and announcements in the journal. It deletes what ended longer than
// [presence.Finality] ago.
func (s *Store) load(now time.Time) error {
	before := now.Add(-presence.Finality)
	all, err := s.db.read(now, before)
	if err != nil {
		return s.db.errUnusable(err)
	}
	if err := s.db.prune(all, now); err != nil {
		s.log.Warn("the journal keeps rows of sessions that ended long ago, since they could not be deleted; look for a full disk", "error", err)
	}
	// Versions follow the clock, so now is above them all unless the clock was set back or
	// versions have overtaken it.
	s.floor = uint64(now.UnixMilli())
	if all.clock >= s.floor {
		s.floor = all.clock + clockSlack
	}
	s.events.announced = all.announcements
	rows := all.sessions
	slices.SortFunc(rows, func(a, b sessionRow) int { return a.Compare(b.Record) })
	var last time.Time // the last sign of life of the previous process
	for i := range rows {
		r := &rows[i]
		if r.LastSeen.After(now) { // the clock was set back
			r.LastSeen = now
		}
		r.LastSeen = now.Add(r.LastSeen.Sub(now)) // its age must not change when the clock is set
		if r.Active && r.LastSeen.After(last) {
			last = r.LastSeen
		}
	}
	for _, r := range rows {
		if now.Sub(last) > presence.Finality || last.Sub(r.LastSeen) > s.lease {
			r.Active = false
		}
		s.findOrCreate(r.project).roster.Restore(now, r.Record)
	}
	for _, r := range all.saves {
		if r.At.After(now) {
			r.At = now
		}
		r.At = now.Add(r.At.Sub(now))
		s.findOrCreate(r.project).roster.RestoreSave(r.Save)
	}
	for _, r := range all.moves {
		s.findOrCreate(r.project).roster.RestoreMove(r.Move)
	}
	for _, r := range all.removals {
		r.Until = now.Add(r.Until.Sub(now))
		s.findOrCreate(r.project).roster.RestoreRemoval(r.Removal)
	}
	for _, project := range all.ended { // the next compaction deletes the log, and does not know the project
		s.journal.addLater(project, 0, unwritten{sessions: []presence.Record{}})
	}
	s.journal.clock = all.clock // if the log has it, the end of a compaction writes it
	s.journal.purgeBefore(before)
	for i := range s.groups {
		for _, p := range s.groups[i].projects {
			p.mu.Lock()
			p.isInTable = true // or may be
			p.notifyAndUnlock()
		}
	}
	return nil
}

// minFree is the free space in the file that a start leaves at least, for the next log.
const minFree = 16 << 20

// prune deletes the stale saves, and the removals that are over. If the file is much larger than the rows to keep need,
// it deletes all other rows and shrinks the file. It empties the tables and the log and inserts these rows again: ten
// times as fast as single deletes.
func (d *database) prune(all stored, now time.Time) error {
	if _, err := d.sql.Exec("DELETE FROM writer_presence_removals WHERE until <= ?", now.UnixMilli()); err != nil {
		return err
	}
	var pages, free int
	if err := d.sql.QueryRow("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count").Scan(&pages, &free); err != nil {
		return err
	}
	const pageSize, tables, most = 4096, 256 << 10, 512 // most: bytes per row with half of its page free
	need := tables + most*(len(all.sessions)+len(all.saves)) + int(d.log.size.Load())
	if (pages-free)*pageSize <= need && free*pageSize <= max(minFree, minLog+logPerUser*len(all.sessions)) {
		if len(all.staleSaves) == 0 {
			return nil
		}
		return d.transact(func() error {
			for _, k := range all.staleSaves {
				if _, err := d.deleteSave.Exec(string(k.project), string(k.section)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := d.transact(func() error {
		if _, err := d.sql.Exec("DELETE FROM writer_presence; DELETE FROM writer_presence_saves"); err != nil {
			return err
		}
		if err := d.writeSessions(slices.Clone(all.sessions)); err != nil {
			return err
		}
		keep := newChanges(0)
		for _, r := range all.saves {
			keep.put(r.project, unwritten{saves: []presence.Save{r.Save}})
		}
		if err := d.writeSaves(keep.saves); err != nil {
			return err
		}
		return d.deleteLogBefore(d.log.lastID+1, all.clock)
	})
	if err != nil {
		return err
	}
	d.log.size.Store(0)
	_, err = d.sql.Exec("VACUUM")
	return err
}
