package presence

import "time"

// This file and redisstore/update.lua have the same rules, in functions of the same names and order.

// occupied decides rule 5: whether users other than m claim the section.
func (r *Roster) occupied(m *member, section Section) bool {
	for s := r.claims[section]; s != nil; s = s.nextClaim {
		if s.member != m {
			return true
		}
	}
	return false
}

// recordedActivity decides rule 6: which activity is recorded for an update.
func (r *Roster) recordedActivity(m *member, s *session, u Update) Activity {
	switch {
	case u.Section == "" && u.Activity != Idle:
		return Viewing
	case u.Activity != "" && u.Activity != Editing:
		return u.Activity
	case !u.UnlessOccupied || s != nil && s.claims(u.Section) || !r.occupied(m, u.Section):
		return Editing
	default:
		return Viewing
	}
}

// recordedWait decides rule 20: a session does not wait for a section that it claims itself. U has the
// activity and the unsaved work that are recorded.
func recordedWait(u Update) Section {
	if u.WaitingFor == u.Section && isClaim(u.Activity, u.Unsaved) {
		return ""
	}
	return u.WaitingFor
}

// addSession adds the session of an update to the member.
func (r *Roster) addSession(now time.Time, m *member, u Update, newest uint64) *session {
	s := &session{member: m, name: u.Session, seq: newest}
	r.members[m.user.ID] = m
	m.removeEnded(u.Session)
	// A reloaded page replaces the sessions that are leaving once it has a section of its own.
	if u.Section != "" || len(m.sessions) >= 2*MaxSessions {
		r.endLeaving(now, m)
	}
	m.sessions = append(m.sessions, s)
	r.setOwner(m, s)
	return s
}

// recordChange records what an update states of its session, at a new clock. U has the activity, the
// unsaved work and the wait that rules 6, 18 and 20 leave of it.
func (r *Roster) recordChange(now time.Time, m *member, s *session, user User, u Update, isAction bool) {
	r.tick(now)
	if isAction && (u.Activity != Idle || s.touched == 0) {
		s.touched = r.clock
	}
	r.place(s, u.Section, u.Activity, u.Unsaved)
	s.waitingFor = u.WaitingFor
	r.rename(m, user)
	r.reaggregate(m)
}

// leaseOf returns how long the session of an update outlives it.
func (r *Roster) leaseOf(u Update) time.Duration {
	if u.Lease > 0 && u.Lease < r.lease {
		return u.Lease
	}
	return r.lease
}

// Update records where a session of the user is, and names the other users who claim that section at
// that moment (rules 4 to 8, 18 to 20 and 23). Changed reports that the session is new, or that it or its
// save states something else than before; a renewal changes nothing. Errors: [ErrTooManySessions],
// [ErrTooManyChanges], [ErrRemoved].
func (r *Roster) Update(now time.Time, user User, u Update) (reply Reply, changed bool, err error) {
	r.init()
	r.Expire(now)
	u = r.followMoves(u)
	m := r.member(user)
	s := m.find(u.Session)
	var from *member // whose session s was until now
	if s == nil {
		from, s = r.otherOwner(m, u.Session)
	}
	isNew := s == nil || from != nil
	if isNew { // a removal has ended all sessions of the user
		if err := removed(r.removals, now, user.ID); err != nil {
			return Reply{}, false, err
		}
	}
	if u.Seq != 0 && isNew && m.hasDropped(now) {
		if _, ended := m.endedSeq(now, u.Session); !ended {
			return Reply{}, false, ErrTooManyChanges // it may be older than an end that was dropped
		}
	}
	newest := m.newestSeq(now, u.Session)
	if from != nil {
		ended, _ := m.endedSeq(now, u.Session) // rule 8 holds for an end under this identity, too
		newest = max(s.seq, ended)
	}
	if u.Seq != 0 && u.Seq <= newest {
		return r.reply(now, m, m.find(u.Session), user, u, true), false, nil
	}
	if isNew && m.stayingCount() >= MaxSessions {
		return Reply{}, false, ErrTooManySessions
	}
	if from != nil && !u.OnlyRenew {
		r.moveSession(now, s, from, m, u.Seq)
	}
	u.Activity, u.Unsaved = r.recordedActivity(m, s, u), u.Unsaved && u.Section != ""
	u.WaitingFor = recordedWait(u)
	isAction := isNew || s.leaving || s.section != u.Section || s.activity != u.Activity || m.user != user
	isNewSave := r.isNewSave(user, u.Saved)
	changed = isAction || isNewSave || s.unsaved != u.Unsaved || s.waitingFor != u.WaitingFor
	if changed && u.OnlyRenew {
		return Reply{}, false, ErrTooManyChanges
	}

	if s == nil {
		s = r.addSession(now, m, u, newest)
	}
	s.seq, s.connection = max(newest, u.Seq), u.Connection
	s.leaving, s.unwritten, r.unwritten = false, true, true
	s.lastSeen = now
	r.setExpiry(s, now.Add(r.leaseOf(u)))
	r.renewed = true
	if changed {
		r.recordChange(now, m, s, user, u, isAction)
	}
	if isNewSave {
		r.addSave(Save{Saved: u.Saved, User: user.ID, Name: user.Name, At: now})
	}
	return r.reply(now, m, s, user, u, false), changed, nil
}

func (r *Roster) reply(now time.Time, m *member, s *session, user User, u Update, stale bool) Reply {
	reply := Reply{Version: r.version, Stale: stale, Conflicts: r.conflicts(now, m, u.Section)}
	if s != nil {
		reply.Activity = s.activity
	}
	if len(m.sessions) > 0 {
		reply.You = m.currentOccupant(now)
	} else {
		reply.You = &Occupant{User: user, Activity: Viewing, LastSeen: now}
	}
	if u.Poll && u.Known != r.version {
		reply.Snapshot = r.Snapshot(now)
	}
	return reply
}

func (r *Roster) conflicts(now time.Time, m *member, section Section) []*Occupant {
	var others []*Occupant
	last := m
	for s := r.claims[section]; s != nil && len(others) < MaxListed; s = s.nextClaim {
		if s.member != m && s.member != last { // a member may claim it in several sessions
			last = s.member
			others = append(others, last.currentOccupant(now))
		}
	}
	return others
}
