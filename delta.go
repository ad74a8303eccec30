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
	return d
}
