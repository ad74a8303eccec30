package presence

// KeepEnds sets how many ended sessions of a user are kept.
func (r *Roster) KeepEnds(n int) {
	r.init()
	r.maxEnded = n
}
