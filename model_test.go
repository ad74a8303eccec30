package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model implements the rules in the simplest way, without indexes: every question searches the list
// of all sessions that ever existed.
type model struct {
	now      time.Time
	sessions []*modelSession
	touches  int
	// ends are the ends of all sessions; a roster keeps maxEnded of one user.
	ends     []modelEnd
	maxEnded int
}

type modelEnd struct {
	user UserID
	name string
	at   time.Time
}

// end records that a session ended, for mayReject.
func (m *model) end(s *modelSession, at time.Time) {
	m.ends = append(m.ends, modelEnd{s.user.ID, s.name, at})
}

// mayReject reports whether so many sessions of the user have ended that a roster may have dropped an
// end, and so may reject an unknown session. It never becomes false again.
func (m *model) mayReject(u User) bool {
	names := map[string]bool{}
	for _, e := range m.ends {
		if e.user == u.ID {
			names[e.name] = true
		}
	}
	for _, s := range m.sessions { // expired
		if s.user.ID == u.ID && !s.expires.IsZero() && m.now.After(s.expires) {
			names[s.name] = true
		}
	}
	return len(names) > m.maxEnded
}

type modelSession struct {
	user    User
	name    string
	seq     uint64
	section Section
	doing   Activity
	expires time.Time // zero for one that has left
	left    time.Time
	leaving bool
	touched int
	over    uint64 // the connection of the newest update; 0 for HTTP
}

func (m *model) find(u User, name string) *modelSession {
	for _, s := range m.sessions {
		if s.user.ID == u.ID && s.name == name {
			return s
		}
	}
	s := &modelSession{user: u, name: name}
	m.sessions = append(m.sessions, s)
	return s
}

func (m *model) living() (all []*modelSession) {
	for _, s := range m.sessions {
		if !m.now.After(s.expires) {
			all = append(all, s)
		}
	}
	return all
}

func (m *model) editors(section Section, except User) (ids []string) {
	for _, s := range m.living() {
		if s.user.ID != except.ID && s.section == section && s.doing == Editing {
			ids = append(ids, s.user.Name)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// newestSeq returns the newest number of the session; 0 once its end is forgotten.
func (m *model) newestSeq(s *modelSession) uint64 {
	end := s.expires
	if end.IsZero() {
		end = s.left
	}
	if m.now.Sub(end) > Finality {
		return 0
	}
	return s.seq
}

// stale reports whether a message with that number changes nothing.
func (m *model) stale(s *modelSession, seq uint64) bool { return seq != 0 && seq <= m.newestSeq(s) }

func (m *model) update(u User, message Update) (conflicts []string) {
	s := m.find(u, message.Session)
	conflicts = m.editors(message.Section, u)
	if m.stale(s, message.Seq) {
		return conflicts
	}
	doing := message.Activity
	if doing == "" {
		doing = Editing
	}
	alive := !m.now.After(s.expires)
	edits := alive && s.section == message.Section && s.doing == Editing
	if doing == Editing && (message.Section == "" || message.UnlessOccupied && len(conflicts) > 0 && !edits) {
		doing = Viewing
	}
	if !alive && message.Section != "" {
		for _, other := range m.living() {
			if other.user.ID == u.ID && other.leaving {
				other.expires, other.left = time.Time{}, m.now
				m.end(other, m.now)
			}
		}
	}
	if !alive && !s.expires.IsZero() {
		m.end(s, s.expires)
	}
	if m.touches++; !alive || doing != Idle && (s.section != message.Section || s.doing != doing || s.leaving) {
		s.touched = m.touches
	}
	s.leaving, s.over = false, message.Connection
	s.seq, s.section, s.doing, s.expires = max(m.newestSeq(s), message.Seq), message.Section, doing, m.now.Add(DefaultLease)
	return conflicts
}

func (m *model) leave(u User, message Leave) {
	s := m.find(u, message.Session)
	alive := !m.now.After(s.expires)
	if message.Broken {
		if grace := m.now.Add(BrokenGrace); alive && message.Connection != 0 && s.over == message.Connection && grace.Before(s.expires) {
			s.expires = grace
		}
		return
	}
	if message.Connection != 0 && (!alive || s.over != 0 && s.over != message.Connection) {
		return
	}
	if m.stale(s, message.Seq) || !alive && message.Seq == 0 {
		return
	}
	s.seq = max(m.newestSeq(s), message.Seq)
	s.leaving = false
	if grace := m.now.Add(HiddenGrace); !message.Hidden || !alive {
		s.expires, s.left = time.Time{}, m.now
		m.end(s, m.now)
	} else {
		s.leaving = true
		if grace.Before(s.expires) {
			s.expires = grace
		}
	}
}

func (m *model) list() (lines []string) {
	var users []User
	for _, s := range m.living() {
		if !slices.Contains(users, s.user) {
			users = append(users, s.user)
		}
	}
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	for _, u := range users {
		var primary *modelSession
		var sections, editing []Section
		for _, s := range m.living() {
			if s.user.ID != u.ID {
				continue
			}
			if s.section != "" {
				sections = append(sections, s.section)
			}
			if s.doing == Editing {
				editing = append(editing, s.section)
			}
			if primary == nil || s.outranks(primary) {
				primary = s
			}
		}
		slices.Sort(sections)
		slices.Sort(editing)
		lines = append(lines, fmt.Sprintf("%s %s %q of %q, edits %q", u.Name, primary.doing, primary.section, slices.Compact(sections), slices.Compact(editing)))
	}
	return lines
}

func (a *modelSession) outranks(b *modelSession) bool {
	if (a.section == "") != (b.section == "") {
		return b.section == ""
	}
	if (a.doing == Idle) != (b.doing == Idle) {
		return b.doing == Idle
	}
	return a.touched > b.touched
}

// Random users send random messages, repeated, reordered and late; after each, the roster must equal
// the model.
func TestRosterEqualsModel(t *testing.T) { // rules 1 and 3 to 9, invariants 1 to 4 and 8
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: start, maxEnded: rapid.SampledFrom([]int{1, 2, 3, MaxEnded}).Draw(t, "ends kept")}
		r := NewRoster(DefaultLease, 0)
		r.maxEnded = m.maxEnded
		var version uint64
		var before []string
		compare := func() {
			s := r.Snapshot(m.now)
			seen := shown(s)
			if want := m.list(); !slices.Equal(seen, want) {
				t.Fatalf("listed:\n  %s\nwant:\n  %s", strings.Join(seen, "\n  "), strings.Join(want, "\n  "))
			}
			if same := slices.Equal(seen, before); same && s.Version != version || !same && s.Version <= version || s.Count != len(seen) {
				t.Fatalf("version %d after %d with count %d, while the list goes from %q to %q", s.Version, version, s.Count, before, seen)
			}
			version, before = s.Version, seen
		}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Second, HiddenGrace, HiddenGrace + 1, BrokenGrace, 29 * time.Second, time.Minute, DefaultLease, DefaultLease + 1, Finality, Finality + 1}).Draw(t, "passes"))
			compare()
			user := rapid.SampledFrom([]User{alice, bob, carol}).Draw(t, "user")
			session := rapid.SampledFrom([]string{"", "x", "y", "z", "w", "v"}).Draw(t, "session")
			seq := rapid.Uint64Range(0, 12).Draw(t, "seq")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				l := Leave{Session: session, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), Broken: rapid.Bool().Draw(t, "broken"), Connection: rapid.Uint64Range(0, 2).Draw(t, "connection")}
				reply, _ := r.Leave(m.now, user, l)
				if !reply.Stale || l.Connection == 0 && !l.Broken && m.stale(m.find(user, session), seq) || !m.mayReject(user) {
					m.leave(user, l)
				}
			} else {
				u := Update{
					Session: session, Seq: seq,
					Section:        rapid.SampledFrom([]Section{"", "a", "b"}).Draw(t, "section"),
					Activity:       rapid.SampledFrom([]Activity{"", Editing, Viewing, Idle}).Draw(t, "activity"),
					UnlessOccupied: rapid.Bool().Draw(t, "unless occupied"),
					Connection:     rapid.Uint64Range(0, 2).Draw(t, "connection"),
				}
				reply, _, err := r.Update(m.now, user, u)
				if m.mayReject(user) && u.Seq != 0 && (err == ErrTooManyChanges || reply.Stale) {
					continue // rejected, though it may be newer; nothing has changed
				}
				want := m.update(user, u)
				if err != nil {
					t.Fatal(err)
				}
				if u.Section != "" && names(reply.Conflicts) != strings.Join(want, ", ") {
					t.Fatalf("conflicts %q; want %q", names(reply.Conflicts), want)
				}
			}
			compare()
			equalsAfterRestart(t, r, m)
		}
	})
}

func shown(s *Snapshot) (lines []string) {
	for _, o := range s.Occupants {
		lines = append(lines, fmt.Sprintf("%s, edits %q", show(o), o.Editing))
	}
	return lines
}

// equalsAfterRestart compares the roster with one restored from its records. It skips rosters with a
// leaving session, which a restart ends.
func equalsAfterRestart(t *rapid.T, r *Roster, m *model) {
	for _, member := range r.members {
		for _, s := range member.sessions {
			if s.leaving {
				return
			}
		}
	}
	records := r.AllRecords()
	slices.SortFunc(records, Record.Compare)
	restarted := NewRoster(DefaultLease, r.Clock())
	restarted.maxEnded = r.maxEnded
	for _, record := range records {
		restarted.Restore(m.now, record)
	}
	if seen, want := shown(restarted.Snapshot(m.now)), m.list(); !slices.Equal(seen, want) {
		t.Fatalf("after a restart:\n  %s\nwant:\n  %s", strings.Join(seen, "\n  "), strings.Join(want, "\n  "))
	}
}
