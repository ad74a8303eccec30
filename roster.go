package presence

import (
	"slices"
	"time"
)

// Roster is the sessions of one project, and all the rules about them. It has no
// lock, no clock and no I/O: its methods must not be called at once, and the time
// that they are given must not go back.
type Roster struct {
	lease time.Duration
	// clock numbers what happens here: milliseconds of Unix time, or one more than
	// before where that is later. So it grows over restarts and over losing all
	// data, too. The version is the clock at the last visible change.
	clock, version uint64

	members map[UserID]*member
	// listed are the members with a living session, in the order of lists.
	listed []*member
	// editing counts the sessions that edit a section, where there are any.
	editing map[Section]int
	// maxEnded is [MaxEnded], except in tests.
	maxEnded int
	// nextLapse is not after the first moment at which a session lapses.
	nextLapse time.Time

	snapshot   *Snapshot // nil when something visible has changed
	snapshotAt time.Time
	renewed    bool // since the snapshot was made
}

// NewRoster makes the roster of a project in which nobody is. Its versions are
// not below floor.
func NewRoster(lease time.Duration, floor uint64) *Roster {
	return &Roster{
		lease: lease, clock: floor, version: floor, maxEnded: MaxEnded,
		members: map[UserID]*member{}, editing: map[Section]int{},
	}
}

// Update records where a session of the user is, and answers who else is editing
// there at that moment (rules 4 to 8). Changed tells that the session came, or says
// something else than before. Errors: [ErrTooManySessions], [ErrTooManyChanges].
func (r *Roster) Update(now time.Time, user User, u Update) (reply Reply, changed bool, err error) {
	r.Expire(now)
	m := r.member(user)
	s := m.find(u.Session)
	if u.Seq != 0 && s == nil && m.hasDropped(now) && !m.hasEnded(now, u.Session) {
		return Reply{}, false, ErrTooManyChanges
	}
	if u.Seq != 0 && u.Seq <= m.newest(now, u.Session) {
		return r.reply(now, m, s, user, u, true), false, nil
	}
	activity := r.activity(m, s, u)
	changed = s == nil || s.leaving || s.section != u.Section || s.activity != activity || m.user != user
	switch {
	case s == nil && m.staying() >= MaxSessions:
		return Reply{}, false, ErrTooManySessions
	case changed && u.OnlyRenew:
		return Reply{}, false, ErrTooManyChanges
	}

	if s == nil {
		s = &session{name: u.Session, seq: m.newest(now, u.Session)}
		r.members[user.ID] = m
		m.forget(u.Session)
		if u.Section != "" || len(m.sessions) >= 2*MaxSessions {
			r.succeed(now, m)
		}
		m.sessions = append(m.sessions, s)
	}
	s.seq, s.connection = max(s.seq, u.Seq), u.Connection
	s.leaving, s.unwritten = false, true
	s.lastSeen = now
	r.liveUntil(s, now.Add(r.lease))
	r.renewed = true
	if changed {
		r.tick(now)
		if activity != Idle || s.touched == 0 {
			s.touched = r.clock
		}
		r.place(s, u.Section, activity)
		r.rename(m, user)
		r.refold(m)
	}
	return r.reply(now, m, s, user, u, false), changed, nil
}

// activity decides rule 6: what is recorded for what an update says.
func (r *Roster) activity(m *member, s *session, u Update) Activity {
	switch {
	case u.Section == "" && u.Activity != Idle:
		return Viewing
	case u.Activity != "" && u.Activity != Editing:
		return u.Activity
	case !u.UnlessOccupied || s != nil && s.edits(u.Section) || !r.occupied(m, u.Section):
		return Editing
	default:
		return Viewing
	}
}

// Leave ends a session of the user (rules 8 and 9). A session that was never seen
// is remembered as ended, too: its leave may have overtaken its first update. With
// OnlyLiving such a session is not remembered, and the reply for every session that is not
// alive is Stale. Changed tells that there is something to write down.
func (r *Roster) Leave(now time.Time, user User, l Leave) (reply Reply, changed bool) {
	r.Expire(now)
	m := r.member(user)
	s := m.find(l.Session)
	switch {
	case (l.Broken || l.Connection != 0) && (s == nil || !s.endsWith(l)):
		return Reply{Version: r.version, Stale: true}, false
	case l.Broken:
		r.liveUntil(s, earlier(s.until, now.Add(BrokenGrace)))
		return Reply{Version: r.version}, false
	}
	newest := m.newest(now, l.Session)
	unknown := s == nil && !m.hasEnded(now, l.Session)
	stale := l.Seq != 0 && !unknown && l.Seq <= newest
	changed = true
	switch {
	case stale, s == nil && l.Seq == 0, unknown && l.OnlyLiving:
		changed = false
	case s == nil:
		r.members[user.ID] = m
		m.forget(l.Session)
		m.remember(ended{name: l.Session, seq: max(l.Seq, newest), at: now, unwritten: true}, r.maxEnded)
	default:
		s.seq = max(s.seq, l.Seq)
		if l.Hidden {
			s.leaving, s.unwritten = true, true
			r.liveUntil(s, earlier(s.until, now.Add(HiddenGrace)))
		} else {
			r.end(now, m, s)
			r.refold(m)
		}
	}
	return Reply{Version: r.version, Stale: stale || s == nil && l.OnlyLiving}, changed
}

// Expire ends the sessions whose time is over; where there are none it costs nothing.
// Update, Leave, Snapshot and Forget call it; without them, somebody must.
func (r *Roster) Expire(now time.Time) {
	if !now.After(r.nextLapse) {
		return
	}
	r.nextLapse = time.Time{}
	for _, m := range slices.Clone(r.listed) {
		before := len(m.sessions)
		for _, s := range slices.Clone(m.sessions) {
			if s.lapsed(now) {
				r.end(s.until, m, s)
			} else {
				r.liveUntil(s, s.until)
			}
		}
		if len(m.sessions) < before {
			r.tick(now)
			r.refold(m)
		}
	}
}

// Snapshot is all that is visible. While nothing visible changes it is the same
// one, but for LastSeen, which it has with a second's precision.
func (r *Roster) Snapshot(now time.Time) *Snapshot {
	r.Expire(now)
	if r.snapshot != nil && (!r.renewed || now.Sub(r.snapshotAt) < freshness) {
		return r.snapshot
	}
	occupants := make([]*Occupant, 0, min(len(r.listed), MaxListed))
	for _, m := range r.listed[:cap(occupants)] {
		occupants = append(occupants, m.fresh(now))
	}
	r.snapshot, r.snapshotAt, r.renewed = NewSnapshot(r.version, occupants, len(r.listed)), now, false
	return r.snapshot
}

// Forget drops what is remembered of sessions that ended longer than [Finality]
// ago, and tells whether nothing is left to remember at all.
func (r *Roster) Forget(now time.Time) (empty bool) {
	r.Expire(now)
	for id, m := range r.members {
		m.ended = slices.DeleteFunc(m.ended, func(e ended) bool { return e.forgotten(now) })
		if len(m.sessions) == 0 && len(m.ended) == 0 {
			delete(r.members, id)
		}
	}
	return len(r.members) == 0
}

// Clock is not below any version that the roster has had.
func (r *Roster) Clock() uint64 { return r.clock }

// Count is how many are listed, those among them who have lapsed since anybody looked.
func (r *Roster) Count() int { return len(r.listed) }

// Version is that of the last visible change. What has lapsed since then, and nobody has
// looked at, is not among those.
func (r *Roster) Version() uint64 { return r.version }

func (r *Roster) reply(now time.Time, m *member, s *session, user User, u Update, stale bool) Reply {
	reply := Reply{Version: r.version, Stale: stale, Conflicts: r.conflicts(now, m, u.Section)}
	if s != nil {
		reply.Activity = s.activity
	}
	if len(m.sessions) > 0 {
		reply.You = m.fresh(now)
	} else {
		reply.You = NewOccupant(Occupant{User: user, Activity: Viewing, LastSeen: now})
	}
	if u.Poll && u.Known != r.version {
		reply.Snapshot = r.Snapshot(now)
	}
	return reply
}

// occupied decides rule 5: whether other users than m are editing the section.
func (r *Roster) occupied(m *member, section Section) bool {
	own := 0
	for _, s := range m.sessions {
		if s.edits(section) {
			own++
		}
	}
	return r.editing[section] > own
}

func (r *Roster) conflicts(now time.Time, m *member, section Section) []*Occupant {
	if !r.occupied(m, section) {
		return nil
	}
	var others []*Occupant
	for _, other := range r.listed {
		if other != m && other.edits(section) && len(others) < MaxListed {
			others = append(others, other.fresh(now))
		}
	}
	return others
}

// tick advances the clock, for something that happens now.
func (r *Roster) tick(now time.Time) {
	r.clock = max(r.clock+1, uint64(max(now.UnixMilli(), 0)))
}

// succeed ends the sessions of a member that are leaving: their page has come back
// as another session, in a section of its own; or there are too many of them.
func (r *Roster) succeed(now time.Time, m *member) {
	for _, s := range slices.Clone(m.sessions) {
		if s.leaving {
			r.end(now, m, s)
		}
	}
}

// place moves a session to a section and an activity, and keeps count.
func (r *Roster) place(s *session, section Section, activity Activity) {
	if s.activity == Editing {
		if r.editing[s.section]--; r.editing[s.section] == 0 {
			delete(r.editing, s.section)
		}
	}
	s.section, s.activity = section, activity
	if s.activity == Editing {
		r.editing[s.section]++
	}
}

func (r *Roster) liveUntil(s *session, until time.Time) {
	s.until = until
	if r.nextLapse.IsZero() || until.Before(r.nextLapse) {
		r.nextLapse = until
	}
}

// member finds the user, or makes one that the roster does not hold yet.
func (r *Roster) member(user User) *member {
	if m := r.members[user.ID]; m != nil {
		return m
	}
	return &member{user: user, folded: user.foldedName()}
}

// end takes a session out that ended at a moment.
func (r *Roster) end(at time.Time, m *member, s *session) {
	r.tick(at)
	r.place(s, "", "")
	m.sessions = slices.DeleteFunc(m.sessions, func(other *session) bool { return other == s })
	m.remember(ended{name: s.name, seq: s.seq, at: at, unwritten: true}, r.maxEnded)
}

// rename gives a member the name that the host has for them now.
func (r *Roster) rename(m *member, user User) {
	if m.user == user {
		return
	}
	if m.occupant != nil {
		at, _ := slices.BinarySearchFunc(r.listed, m, (*member).compare)
		r.listed = slices.Delete(r.listed, at, at+1)
	}
	m.user, m.folded = user, user.foldedName()
	if m.occupant != nil {
		at, _ := slices.BinarySearchFunc(r.listed, m, (*member).compare)
		r.listed = slices.Insert(r.listed, at, m)
	}
}

// refold makes a member's occupant anew after their sessions changed, and raises
// the version, to the clock, if anybody could see a difference.
func (r *Roster) refold(m *member) {
	before := m.occupant
	m.occupant = m.fold()
	switch {
	case before == nil && m.occupant == nil:
		return
	case before != nil && m.occupant != nil:
		if before.looksLike(m.occupant) {
			return
		}
	default:
		at, found := slices.BinarySearchFunc(r.listed, m, (*member).compare)
		if found {
			r.listed = slices.Delete(r.listed, at, at+1)
		} else {
			r.listed = slices.Insert(r.listed, at, m)
		}
	}
	r.version, r.snapshot = r.clock, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
