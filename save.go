package presence

import (
	"cmp"
	"slices"
	"time"
)

// This file and redisstore/save.lua have the same rules, in functions of the same names and order.

// findSave returns where the save of a section is in r.saves, or would be.
func (r *Roster) findSave(section Section) (at int, found bool) {
	return slices.BinarySearchFunc(r.saves, section, func(s *Save, section Section) int { return cmp.Compare(s.Section, section) })
}

// isNewSave reports whether an update reports a save that is not the newest of its section already.
func (r *Roster) isNewSave(user User, saved Saved) bool {
	if saved == (Saved{}) {
		return false
	}
	at, found := r.findSave(saved.Section)
	return !found || r.saves[at].Saved != saved || r.saves[at].User != user.ID
}

// addSave keeps the newest save of a section (rule 19) at a new version. Beyond MaxSaves it drops the
// oldest.
func (r *Roster) addSave(save Save) {
	if len(r.listed) == 0 { // otherwise the last session that ends sets it
		r.nextExpiry = earliest(r.nextExpiry, save.At.Add(Finality))
	}
	at, found := r.findSave(save.Section)
	if _, unwritten := r.unwrittenSaves[save.Section]; !unwritten {
		r.setUnwrittenSave(save.Section, found)
	}
	saves := slices.Clone(r.saves)
	if found {
		saves[at] = &save
	} else {
		saves = slices.Insert(saves, at, &save)
	}
	r.setSaves(saves)
	if len(saves) > MaxSaves {
		oldest := slices.MinFunc(saves, func(a, b *Save) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Section, b.Section)) })
		r.dropSaves(func(s *Save) bool { return s == oldest })
	}
}

// Save records a save for the host (rule 19), on behalf of a user who need not be online. Changed reports that it is not
// the newest of its section already.
func (r *Roster) Save(now time.Time, user User, saved Saved) (changed bool) {
	r.init()
	r.Expire(now)
	if !r.isNewSave(user, saved) {
		return false
	}
	r.tick(now)
	r.addSave(Save{Saved: saved, User: user.ID, Name: user.Name, At: now})
	return true
}

// expireSaves drops the saves that are older than Finality once nobody was in the project for that long.
func (r *Roster) expireSaves(now time.Time) {
	old := func(at time.Time) bool { return now.Sub(at) > Finality }
	if len(r.saves) == 0 || len(r.listed) > 0 {
		return
	}
	if old(r.lastEnd) && slices.ContainsFunc(r.saves, func(s *Save) bool { return old(s.At) }) {
		r.tick(now)
		r.dropSaves(func(s *Save) bool { return old(s.At) })
	}
	for _, s := range r.saves {
		last := s.At
		if r.lastEnd.After(last) {
			last = r.lastEnd
		}
		r.nextExpiry = earliest(r.nextExpiry, last.Add(Finality))
	}
}

func (r *Roster) dropSaves(drop func(*Save) bool) {
	var kept []*Save
	for _, s := range r.saves {
		if !drop(s) {
			kept = append(kept, s)
		} else if older, unwritten := r.unwrittenSaves[s.Section]; unwritten && !older {
			delete(r.unwrittenSaves, s.Section)
		} else {
			r.setUnwrittenSave(s.Section, true)
		}
	}
	r.setSaves(kept)
}

// setSaves replaces all saves, for a visible change at the clock.
func (r *Roster) setSaves(saves []*Save) {
	r.saves = saves
	r.version, r.snapshot = r.clock, nil
}

func (r *Roster) setUnwrittenSave(section Section, older bool) {
	if r.unwrittenSaves == nil {
		r.unwrittenSaves = map[Section]bool{}
	}
	r.unwrittenSaves[section] = older
}

// UnwrittenSaves returns the saves that changed since they were last returned. One with an empty Revision
// says that the save of its section was dropped.
func (r *Roster) UnwrittenSaves() (saves []Save) {
	for section := range r.unwrittenSaves {
		save := Save{Saved: Saved{Section: section}}
		if at, found := r.findSave(section); found {
			save = *r.saves[at]
		}
		saves = append(saves, save)
	}
	clear(r.unwrittenSaves)
	return saves
}

// RestoreSave adds a save as UnwrittenSaves returned it. Call it before any method other than
// [Roster.Restore].
func (r *Roster) RestoreSave(save Save) {
	r.init()
	// The clock does not tick for each save. A thousand ticks would set it a second ahead, and the version
	// would go back after another restart within that second, if the saves were dropped in between.
	r.clock = max(r.clock, uint64(max(save.At.UnixMilli(), 0)))
	r.setUnwrittenSave(save.Section, true) // so that UnwrittenSaves returns it if addSave drops it at once
	r.addSave(save)
	if _, kept := r.findSave(save.Section); kept {
		delete(r.unwrittenSaves, save.Section)
	}
}
