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
	before := make(map[UserID]*Occupant, len(base.Occupants))
	for _, o := range base.Occupants {
		before[o.User.ID] = o
	}
	for i, o := range s.Occupants {
		if old := before[o.User.ID]; old == nil || !o.sameVisible(old) {
			d.Changed, d.At = append(d.Changed, o), append(d.At, i)
		}
		delete(before, o.User.ID)
	}
	for _, o := range base.Occupants {
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
