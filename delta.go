package presence

// Delta is the difference between two versions of a project. To apply it to the list at Base, remove
// the users in Left and in Changed, then insert each of Changed at its place in At, in order. The
// result is the list at Version.
type Delta struct {
	Base, Version uint64
	// Changed are the occupants who are new or look different, in list order.
	Changed []*Occupant
	// At are the indexes of Changed in the list at Version.
	At []int
	// Left are the users who are no longer listed.
	Left []UserID
	// Saves are the saves that are new or newer; SavesGone are the sections whose save was dropped.
	Saves     []*Save
	SavesGone []Section
	// Moves are the moves of sections since Base, sorted by version. Everything else shows the sections
	// after them.
	Moves []*Move
}

// Since returns the difference between an older snapshot of the same project and s. A nil base is an empty
// project at version 0.
func (s *Snapshot) Since(base *Snapshot) *Delta {
	if base == nil {
		base = &Snapshot{}
	}
	d := &Delta{Base: base.Version, Version: s.Version}
	old, current := base.Occupants, s.Occupants
	skipped := 0 // most occupants look the same, and are at the same place from the start or from the end
	for len(old) > 0 && len(current) > 0 && old[0].sameVisible(current[0]) {
		old, current, skipped = old[1:], current[1:], skipped+1
	}
	for len(old) > 0 && len(current) > 0 && old[len(old)-1].sameVisible(current[len(current)-1]) {
		old, current = old[:len(old)-1], current[:len(current)-1]
	}
	before := make(map[UserID]*Occupant, len(old))
	for _, o := range old {
		before[o.User.ID] = o
	}
	for i, o := range current {
		if was := before[o.User.ID]; was == nil || !o.sameVisible(was) {
			d.Changed, d.At = append(d.Changed, o), append(d.At, skipped+i)
		}
		delete(before, o.User.ID)
	}
	for _, o := range old {
		if _, left := before[o.User.ID]; left {
			d.Left = append(d.Left, o.User.ID)
		}
	}
	d.addSaves(base.Saves, s.Saves)
	for i, m := range s.Moves {
		if m.Version > base.Version {
			d.Moves = s.Moves[i:]
			break
		}
	}
	return d
}

// addSaves adds the difference between two lists that are sorted by section.
func (d *Delta) addSaves(before, after []*Save) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) == 0 || len(after) > 0 && after[0].Section < before[0].Section:
			d.Saves, after = append(d.Saves, after[0]), after[1:]
		case len(after) == 0 || before[0].Section < after[0].Section:
			d.SavesGone, before = append(d.SavesGone, before[0].Section), before[1:]
		default:
			if !before[0].equal(after[0]) {
				d.Saves = append(d.Saves, after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
}
