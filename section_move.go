package presence

import (
	"slices"
	"strings"
	"time"
)

// This file and redisstore/section_move.lua have the same rules, in functions of the same names and order.

// Move says that a section, with all sections below it, is at another path since a version. It never changes.
type Move struct {
	From, To Section
	Version  uint64
}

// isOld reports whether the move is older than Finality. A version is the time of its change in milliseconds, or
// somewhat later.
func (m *Move) isOld(now time.Time) bool { return now.UnixMilli() > m.oldAt().UnixMilli() }

// oldAt returns the time after which the move is old.
func (m *Move) oldAt() time.Time { return time.UnixMilli(int64(m.Version)).Add(Finality) }

// concerns reports whether a section is the one that moved, or below it.
func (m *Move) concerns(section Section) bool {
	rest, ok := strings.CutPrefix(string(section), string(m.From))
	return ok && (rest == "" || rest[0] == '/')
}

// apply returns where a section is after the move. One whose path would be too long stays where it is.
func (m *Move) apply(section Section) Section {
	if !m.concerns(section) {
		return section
	}
	if moved := m.To + section[len(m.From):]; !moved.isTooLong() {
		return moved
	}
	return section
}

// followMoves decides rule 23: an update states its sections as of the version that its page knows, so the moves since
// then apply to them. A page that knows no version states them as they are now.
func (r *Roster) followMoves(u Update) Update {
	if u.Known == 0 {
		return u
	}
	for _, m := range r.moves {
		if m.Version > u.Known {
			u.Section, u.WaitingFor, u.Saved.Section = m.apply(u.Section), m.apply(u.WaitingFor), m.apply(u.Saved.Section)
		}
	}
	return u
}

// expireMoves drops the moves that are older than Finality. That is no visible change: they matter only to pages that
// have not heard of them.
func (r *Roster) expireMoves(now time.Time) {
	for len(r.moves) > 0 && r.moves[0].isOld(now) {
		r.moves, r.snapshot = r.moves[1:], nil
	}
}

// Move moves a section, and all sections below it, to another path (rule 23): the sections of sessions, what they wait
// for, and the saves. It renews no session and touches none. Of two saves that are then in the same section, the newer
// one stays. The move is kept for [Finality], so that updates that are under way follow, even if nobody is in the
// section now. It is nil if there is nothing to move, because the paths are the same or the roster has neither
// sessions, saves nor moves. The error is [ErrSectionTooLong] if the path of any of them would become too long; then nothing has
// changed.
//
// Repeating a move changes nothing more, unless to is below from: it moves the sections again then.
func (r *Roster) Move(now time.Time, from, to Section) (*Move, error) {
	r.init()
	r.Forget(now)
	if len(r.members)+len(r.saves)+len(r.moves) == 0 || from == to { // a removal is nothing that could move
		return nil, nil
	}
	m := &Move{From: from, To: to}
	if !r.allFit(m) {
		return nil, ErrSectionTooLong
	}
	r.tick(now)
	m.Version = r.clock
	for _, member := range r.listed {
		for _, s := range member.sessions {
			r.moveSections(m, s)
		}
		r.reaggregate(member)
	}
	r.moveSaves(m)
	r.addMove(m)
	return m, nil
}

// allFit reports whether no path would be too long after a move.
func (r *Roster) allFit(m *Move) bool {
	fits := func(section Section) bool { return !m.concerns(section) || m.apply(section) != section }
	for _, member := range r.listed {
		for _, s := range member.sessions {
			if !fits(s.section) || !fits(s.waitingFor) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(r.saves, func(s *Save) bool { return !fits(s.Section) })
}

// moveSections moves the sections of a session. If it then claims the section that it waits for, it waits no more
// (rule 20).
func (r *Roster) moveSections(m *Move, s *session) {
	section, waitingFor := m.apply(s.section), m.apply(s.waitingFor)
	if section == s.section && waitingFor == s.waitingFor {
		return
	}
	r.place(s, section, s.activity, s.unsaved)
	s.waitingFor, s.unwritten, r.unwritten = waitingFor, true, true
	if s.claims(waitingFor) {
		s.waitingFor = ""
	}
}

// moveSaves moves the saves, which keep their times.
func (r *Roster) moveSaves(m *Move) {
	if !slices.ContainsFunc(r.saves, func(s *Save) bool { return m.concerns(s.Section) }) {
		return
	}
	var moved []*Save
	r.dropSaves(func(s *Save) bool {
		if m.concerns(s.Section) {
			moved = append(moved, s)
		}
		return m.concerns(s.Section)
	})
	for _, s := range moved {
		save := *s
		save.Section = m.apply(s.Section)
		if at, found := r.findSave(save.Section); !found || !r.saves[at].At.After(save.At) {
			r.addSave(save)
		}
	}
}

// addMove keeps a move. Beyond MaxMoves it drops the oldest.
func (r *Roster) addMove(m *Move) {
	moves := append(slices.Clone(r.moves), m) // snapshots share the old slice
	r.moves = moves[max(0, len(moves)-MaxMoves):]
	r.setForget(m.oldAt())
	r.version, r.snapshot = r.clock, nil
}

// RestoreMove adds a move that [Roster.Move] returned. Call it in the order of versions, after [Roster.Restore] and
// before any other method.
func (r *Roster) RestoreMove(m Move) {
	r.init()
	r.clock = max(r.clock, m.Version)
	r.addMove(&m)
}
