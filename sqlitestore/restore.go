package sqlitestore

import (
	"log/slog"
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
	sessions      []row
	saves         []saveRow
	moves         []moveRow
	removals      []removalRow
	announcements map[presence.Project]presence.Announcement
}

// read returns what the journal holds, except what ended before a moment. It moves the log into the table of sessions,
// and deletes the rest. It warns if the disk does not let it, and changes nothing if it returns an error.
func (d *database) read(now, before time.Time, log *slog.Logger) (all stored, err error) {
	failed := d.transact(func() error {
		if err = d.replayLog(); err != nil {
			return err
		}
		if all.clock, err = d.clock(); err != nil {
			return err
		}
		if all.sessions, err = d.rows(before); err != nil {
			return err
		}
		if all.saves, err = d.saves(before); err != nil {
			return err
		}
		if all.moves, err = d.moves(before); err != nil {
			return err
		}
		if all.removals, err = d.removals(now); err != nil {
			return err
		}
		all.announcements, err = d.announcements()
		return err
	})
	if err != nil {
		return all, err
	}
	if failed == nil {
		failed = d.prune(all.sessions, all.saves, before)
	}
	if failed != nil {
		log.Warn("the journal keeps rows of sessions that ended long ago, since they could not be deleted; look for a full disk", "error", failed)
	}
	return all, nil
}

// load restores the sessions, saves, moves, removals and announcements in the journal. It deletes what ended longer than
// [presence.Finality] ago.
func (s *Store) load(now time.Time) error {
	before := now.Add(-presence.Finality)
	all, err := s.db.read(now, before, s.log)
	if err != nil {
		return s.db.errUnusable(err)
	}
	// Versions follow the clock, so now is above them all unless the clock was set back or
	// versions have overtaken it.
	s.floor = uint64(now.UnixMilli())
	if all.clock >= s.floor {
		s.floor = all.clock + clockSlack
	}
	s.events.announced = all.announcements
	rows := all.sessions
	slices.SortFunc(rows, func(a, b row) int { return a.Compare(b.Record) })
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
		s.findOrCreate(r.project).roster.RestoreRemoval(r.Removal)
	}
	s.journal.purgeBefore(before)
	for i := range s.groups {
		for _, p := range s.groups[i].projects {
			p.mu.Lock()
			p.notifyAndUnlock()
		}
	}
	return nil
}
