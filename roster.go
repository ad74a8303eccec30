package presence

import (
	"cmp"
	"slices"
	"time"
)

// This file and redisstore/roster.lua have the same rules, in functions of the same names and order.

// Roster is the sessions of one project and the rules about them. It has no lock, no clock and no
// I/O: its methods are not safe for concurrent use, and the times passed to them must not go back.
// The zero Roster is empty and has the [DefaultLease].
type Roster struct {
	lease time.Duration
	// clock numbers events: milliseconds of Unix time, or the former clock plus one if that is later.
	// So it grows over restarts and a loss of data, too. version is the clock of the last visible
	// change.
	clock, version uint64

	members map[UserID]*member
	// listed are the members with a living session, in list order.
	listed []*member
	// claims has the first of the sessions that claim a section; no entry stands for none. They are linked by nextClaim,
	// in list order. So finding who conflicts costs as much as there are such sessions, not people in the project.
	claims map[Section]*session
	// owners are the members of the living sessions whose names nobody could guess (rule 7).
	owners map[string]*member
	// alsoChanged are members whose sessions changed by a message of another user since RecordsOf was
	// last called.
	alsoChanged []*member

	// saves are the newest saves, sorted by section. Snapshots share the slice, so a change makes a new one.
	saves []*Save
	// unwrittenSaves are the sections whose save changed since UnwrittenSaves was last called. The value
	// says whether an older save of the section was returned before. Nil if none ever did: most rosters have no saves.
	unwrittenSaves map[Section]bool
	// moves are the newest moves of sections, sorted by version. Snapshots share the slice.
	moves []*Move
	// removals are kept until they are over, sorted by version. Snapshots share the slice, so a change makes a new one.
	removals []Removal
	// unwrittenRemovals are the users whose removal changed since UnwrittenRemovals was last called. Nil if none ever
	// did.
	unwrittenRemovals map[UserID]struct{}
	// lastEnd is when the newest of all ended sessions ended.
	lastEnd time.Time

	// maxEnded is [MaxEnded], except in tests.
	maxEnded int
	// nextExpiry is the time of the first expiry of a session or, if nobody is online, of a save; or before that. It is
	// zero if there are none. nextForget is the same for what else Forget removes.
	nextExpiry, nextForget time.Time
	// unwritten says that a session may have changed since Records was last called.
	unwritten bool

	snapshot   *Snapshot // nil after a visible change
	snapshotAt time.Time
	renewed    bool // a session was renewed after snapshotAt
}

// NewRoster returns the roster of an empty project. Its versions are not below floor.
func NewRoster(lease time.Duration, floor uint64) *Roster {
	r := &Roster{lease: lease, clock: floor, version: floor}
	r.init()
	return r
}

// init makes the zero Roster usable.
func (r *Roster) init() {
	if r.members == nil {
		r.lease = cmp.Or(r.lease, DefaultLease)
		r.maxEnded = MaxEnded
		r.members, r.claims, r.owners = map[UserID]*member{}, map[Section]*session{}, map[string]*member{}
	}
}

// Snapshot returns all that is visible. It returns the same snapshot again while nothing visible
// changes; a LastSeen in it may be a second old.
func (r *Roster) Snapshot(now time.Time) *Snapshot {
	r.Expire(now)
	if r.snapshot != nil && (!r.renewed || now.Sub(r.snapshotAt) < lastSeenPrecision) {
		return r.snapshot
	}
	occupants := make([]*Occupant, 0, min(len(r.listed), MaxListed))
	for _, m := range r.listed[:cap(occupants)] {
		occupants = append(occupants, m.currentOccupant(now))
	}
	r.snapshot = &Snapshot{Version: r.version, Occupants: occupants, Count: len(r.listed), Saves: r.saves, Moves: r.moves, Removals: r.removals}
	r.snapshotAt, r.renewed = now, false
	return r.snapshot
}

// Forget removes the sessions that ended longer than [Finality] ago, and the removals that are over. It reports
// whether the roster holds nothing any more, neither sessions nor saves nor moves nor removals, so that a store can drop
// it. It is cheap while nothing is due.
func (r *Roster) Forget(now time.Time) (empty bool) {
	r.Expire(now)
	if !r.nextForget.IsZero() && now.After(r.nextForget) {
		r.forget(now)
	}
	return len(r.members) == 0 && len(r.saves) == 0 && len(r.moves) == 0 && len(r.removals) == 0
}

// forget removes what Forget does, and finds when it has something to remove next.
func (r *Roster) forget(now time.Time) {
	r.nextForget = time.Time{}
	r.alsoChanged = nil // Records returns what RecordsOf did not
	for id, m := range r.members {
		m.forgetEnded(now)
		if len(m.sessions) == 0 && len(m.ended) == 0 {
			delete(r.members, id)
		}
		for _, e := range m.ended {
			r.setForget(e.at.Add(Finality))
		}
	}
	r.forgetRemovals(now)
	for _, removal := range r.removals {
		r.setForget(removal.kept)
	}
	if len(r.moves) > 0 {
		r.setForget(r.moves[0].oldAt())
	}
}

func (r *Roster) setForget(at time.Time) { r.nextForget = earliest(r.nextForget, at) }

// NextForget returns a time before which [Roster.Forget] removes nothing but what [Roster.Expire] does; false if there
// is nothing else. A roster without NextExpiry and NextForget is empty.
func (r *Roster) NextForget() (t time.Time, ok bool) { return r.nextForget, !r.nextForget.IsZero() }

// Clock returns a number that is not below any version the roster has had.
func (r *Roster) Clock() uint64 { return r.clock }

// Count returns the number of occupants. Sessions count until [Roster.Expire] has removed them.
func (r *Roster) Count() int { return len(r.listed) }

// Version returns the version of the last visible change. It does not call [Roster.Expire].
func (r *Roster) Version() uint64 { return r.version }

// member returns the member of the user, or a new one that the roster does not hold yet.
func (r *Roster) member(user User) *member {
	if m := r.members[user.ID]; m != nil {
		return m
	}
	return &member{user: user, sortKey: user.sortKey()}
}

// tick advances the clock, for an event at that time.
func (r *Roster) tick(at time.Time) {
	r.clock = max(r.clock+1, uint64(max(at.UnixMilli(), 0)))
}

// place sets section and activity of a session, and whether it has unsaved changes there, and so what it claims.
func (r *Roster) place(s *session, section Section, activity Activity, unsaved bool) {
	r.removeClaim(s)
	s.section, s.activity, s.unsaved = section, activity, unsaved
	r.addClaim(s)
}

// addClaim adds a session to claims if it claims its section.
func (r *Roster) addClaim(s *session) {
	if !s.claims(s.section) {
		return
	}
	first := r.claims[s.section]
	if first == nil || s.member.compare(first.member) <= 0 {
		s.nextClaim, r.claims[s.section] = first, s
		return
	}
	before := first
	for before.nextClaim != nil && s.member.compare(before.nextClaim.member) > 0 {
		before = before.nextClaim
	}
	s.nextClaim, before.nextClaim = before.nextClaim, s
}

// removeClaim removes a session from claims. Call it before its section, its activity or the order of its member changes.
func (r *Roster) removeClaim(s *session) {
	if !s.claims(s.section) {
		return
	}
	first := r.claims[s.section]
	switch {
	case first != s:
		before := first
		for before.nextClaim != s {
			before = before.nextClaim
		}
		before.nextClaim = s.nextClaim
	case s.nextClaim != nil:
		r.claims[s.section] = s.nextClaim
	default:
		delete(r.claims, s.section)
	}
	s.nextClaim = nil
}

func (r *Roster) setExpiry(s *session, expires time.Time) {
	s.expires = expires
	r.nextExpiry = earliest(r.nextExpiry, expires)
}

// earliest returns the earlier of two times, of which the first may be zero for none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return earlier(a, b)
}

// endSession removes a session that ended at that time, and keeps its end.
func (r *Roster) endSession(at time.Time, m *member, s *session) {
	r.tick(at)
	r.place(s, "", "", false)
	m.remove(s)
	delete(r.owners, s.name)
	r.addEnded(m, endedSession{name: s.name, seq: s.seq, at: at, unwritten: true})
}

// addEnded keeps the end of a session of a member.
func (r *Roster) addEnded(m *member, e endedSession) {
	m.addEnded(e, r.maxEnded)
	r.setForget(e.at.Add(Finality))
	r.unwritten = r.unwritten || e.unwritten
	if e.at.After(r.lastEnd) {
		r.lastEnd = e.at
	}
}

// setOwner notes whose session it is, if nobody could guess its name.
func (r *Roster) setOwner(m *member, s *session) {
	if len(s.name) >= MinUnguessableName {
		r.owners[s.name] = m
	}
}

// otherOwner returns the living session with a name that nobody could guess, and its member, if that is
// not m. Whoever sends this name is the same page under another identity (rule 7).
func (r *Roster) otherOwner(m *member, name string) (*member, *session) {
	owner := r.owners[name]
	if owner == nil || owner == m {
		return nil, nil
	}
	return owner, owner.find(name)
}

// endLeaving ends the sessions of a member that are leaving.
func (r *Roster) endLeaving(now time.Time, m *member) {
	for _, s := range slices.Clone(m.sessions) {
		if s.leaving {
			r.endSession(now, m, s)
		}
	}
}

// moveSession gives a session to the member of the identity that its page has now (rule 7). The former
// member keeps its end, so that no message up to seq takes the session back.
func (r *Roster) moveSession(now time.Time, s *session, from, to *member, seq uint64) {
	if len(to.sessions) >= 2*MaxSessions {
		r.endLeaving(now, to)
	}
	r.tick(now)
	from.remove(s)
	r.addEnded(from, endedSession{name: s.name, seq: max(s.seq, seq), at: now, unwritten: true})
	r.reaggregate(from)
	r.alsoChanged = append(r.alsoChanged, from)
	r.members[to.user.ID] = to
	to.removeEnded(s.name)
	r.removeClaim(s)
	s.member = to
	r.addClaim(s)
	to.sessions = append(to.sessions, s)
	r.setOwner(to, s)
}

// rename replaces the user of a member and keeps the list and the claims in order.
func (r *Roster) rename(m *member, user User) {
	if m.user == user {
		return
	}
	if m.occupant != nil {
		at, _ := slices.BinarySearchFunc(r.listed, m, (*member).compare)
		r.listed = slices.Delete(r.listed, at, at+1)
	}
	for _, s := range m.sessions {
		r.removeClaim(s)
	}
	m.user, m.sortKey = user, user.sortKey()
	for _, s := range m.sessions {
		r.addClaim(s)
	}
	if m.occupant != nil {
		at, _ := slices.BinarySearchFunc(r.listed, m, (*member).compare)
		r.listed = slices.Insert(r.listed, at, m)
	}
}

// reaggregate aggregates a member again after its sessions changed. If the occupant looks different,
// it sets the version to the clock.
func (r *Roster) reaggregate(m *member) {
	before := m.occupant
	m.occupant = m.aggregate()
	switch {
	case before == nil && m.occupant == nil:
		return
	case before != nil && m.occupant != nil:
		if before.sameVisible(m.occupant) {
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

// NextExpiry returns a time before which no session and no save expires; false if there are neither.
func (r *Roster) NextExpiry() (t time.Time, ok bool) { return r.nextExpiry, !r.nextExpiry.IsZero() }

// Expire ends the sessions whose lease or grace is over. Once nobody has been in the project for
// [Finality], it drops the saves older than that. It drops moves of that age. It is cheap while nothing is due. Update, Leave,
// Snapshot and Forget call it first; a store must call it when no message arrives.
func (r *Roster) Expire(now time.Time) {
	r.expireMoves(now)
	if !now.After(r.nextExpiry) {
		return
	}
	r.nextExpiry = time.Time{}
	for _, m := range slices.Clone(r.listed) {
		before := len(m.sessions)
		for _, s := range slices.Clone(m.sessions) {
			if s.expired(now) {
				r.endSession(s.expires, m, s)
			} else {
				r.setExpiry(s, s.expires)
			}
		}
		if len(m.sessions) < before {
			r.tick(now)
			r.reaggregate(m)
		}
	}
	r.expireSaves(now)
}
