package presence

import "time"

// This file and redisstore/leave.lua have the same rules, in functions of the same names and order.

// endedBy reports whether a leave that has a Connection or is Broken concerns the session: its newest
// update came over that connection. If that update came over HTTP, the loss of a connection ends
// nothing, but the loss of access does.
func (s *session) endedBy(l Leave) bool {
	if s.connection == 0 {
		return !l.Broken
	}
	return s.connection == l.Connection
}

// keepEnd records the end of a session that the member does not have, so that no older message creates it.
func (r *Roster) keepEnd(now time.Time, m *member, l Leave) {
	if l.Seq == 0 {
		return
	}
	r.members[m.user.ID] = m
	m.removeEnded(l.Session)
	r.addEnded(m, endedSession{name: l.Session, seq: l.Seq, at: now, unwritten: true})
}

// Leave ends a session of the user (rules 8 and 9), also one that its page began under another identity
// (rule 7). The end of an unknown session is kept, since the leave may have overtaken the session's first
// update; with OnlyLiving it is not kept, and the reply is Stale unless the session is alive. Changed
// reports that a record changed that must be written.
func (r *Roster) Leave(now time.Time, user User, l Leave) (reply Reply, changed bool) {
	r.init()
	r.Expire(now)
	m := r.member(user)
	s := m.find(l.Session)
	if s == nil && l.Connection == 0 && !l.Broken {
		ended, _ := m.endedSeq(now, l.Session)
		if owner, other := r.otherOwner(m, l.Session); other != nil && (l.Seq == 0 || l.Seq > max(other.seq, ended)) {
			r.keepEnd(now, m, l)
			r.alsoChanged = append(r.alsoChanged, owner)
			m, s = owner, other
		}
	}
	switch {
	case (l.Broken || l.Connection != 0) && (s == nil || !s.endedBy(l)):
		return Reply{Version: r.version, Stale: true}, false
	case l.Broken:
		r.setExpiry(s, earlier(s.expires, now.Add(BrokenGrace)))
		return Reply{Version: r.version}, false
	}
	newest := m.newestSeq(now, l.Session)
	_, ended := m.endedSeq(now, l.Session)
	unknown := s == nil && !ended
	stale := l.Seq != 0 && !unknown && l.Seq <= newest
	changed = true
	switch {
	case stale, s == nil && l.Seq == 0, unknown && l.OnlyLiving:
		changed = false
	case s == nil:
		l.Seq = max(l.Seq, newest)
		r.keepEnd(now, m, l)
	default:
		s.seq = max(s.seq, l.Seq)
		if l.Hidden {
			s.leaving, s.unwritten, r.unwritten = true, true, true
			r.setExpiry(s, earlier(s.expires, now.Add(HiddenGrace)))
		} else {
			r.endSession(now, m, s)
			r.reaggregate(m)
		}
	}
	return Reply{Version: r.version, Stale: stale || s == nil && l.OnlyLiving}, changed
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
