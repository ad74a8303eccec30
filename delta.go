package presence

// Delta is what changed between two versions of a project. To apply it to the list at
// Base: take those out who are in Left or Changed, then put each of Changed to its place,
// in order. The result is the list at Version.
type Delta struct {
	Base, Version uint64
	// Changed are those who came, or who show something new, in the order of the list.
	Changed []*Occupant
	// At are the places of Changed in the list at Version.
	At []int
	// Left are those who were listed and are no longer.
	Left []UserID
}

// Since gives what changed since an older snapshot of the same project.
func (s *Snapshot) Since(base *Snapshot) *Delta {
	d := &Delta{Base: base.Version, Version: s.Version}
	before := make(map[UserID]*Occupant, len(base.Occupants))
	for _, o := range base.Occupants {
		before[o.User.ID] = o
	}
	for i, o := range s.Occupants {
		if old := before[o.User.ID]; old == nil || !o.looksLike(old) {
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
