package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model says what the rules say in the plainest way, without any index: a list of all
// sessions that ever were, looked through from the start for each question.
type model struct {
	now      time.Time
	sessions []*modelSession
	touches  int
	// ends are all ends of sessions; of those of one user, maxEnded are remembered.
	ends     []modelEnd
	maxEnded int
}

type modelEnd struct {
	user UserID
	name string
	at   time.Time
}

// end notes that a session ended, for mayRefuse.
func (m *model) end(s *modelSession, at time.Time) {
	m.ends = append(m.ends, modelEnd{s.user.ID, s.name, at})
}

// mayRefuse reports whether so many sessions of the user have ended that a roster cannot
// judge each message any more. It never becomes false again.
func (m *model) mayRefuse(u User) bool {
	names := map[string]bool{}
	for _, e := range m.ends {
		if e.user == u.ID {
			names[e.name] = true
		}
	}
	for _, s := range m.sessions { // ended by their lease
		if s.user.ID == u.ID && !s.until.IsZero() && m.now.After(s.until) {
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
	until   time.Time // zero for one that has left
	left    time.Time
	leaving bool
	touched int
	over    uint64 // the connection of the newest update, 0 for HTTP
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
		if !m.now.After(s.until) {
			all = append(all, s)
		}
	}
	return all
}

func (m *model) editors(section Section, but User) (ids []string) {
	for _, s := range m.living() {
		if s.user.ID != but.ID && s.section == section && s.doing == Editing {
			ids = append(ids, s.user.Name)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// known is the newest number of the session that is not forgotten.
func (m *model) known(s *modelSession) uint64 {
	end := s.until
	if end.IsZero() {
		end = s.left
	}
	if m.now.Sub(end) > Finality {
		return 0
	}
	return s.seq
}

// heard tells whether a message of that number is old news.
func (m *model) heard(s *modelSession, seq uint64) bool { return seq != 0 && seq <= m.known(s) }

func (m *model) update(u User, message Update) (conflicts []string) {
	s := m.find(u, message.Session)
	conflicts = m.editors(message.Section, u)
	if m.heard(s, message.Seq) {
		return conflicts
	}
	doing := message.Activity
	if doing == "" {
		doing = Editing
	}
	alive := !m.now.After(s.until)
	edits := alive && s.section == message.Section && s.doing == Editing
	if doing == Editing && (message.Section == "" || message.UnlessOccupied && len(conflicts) > 0 && !edits) {
		doing = Viewing
	}
	if !alive && message.Section != "" {
		for _, other := range m.living() {
			if other.user.ID == u.ID && other.leaving {
				other.until, other.left = time.Time{}, m.now
				m.end(other, m.now)
			}
		}
	}
	if !alive && !s.until.IsZero() {
		m.end(s, s.until)
	}
	if m.touches++; !alive || doing != Idle && (s.section != message.Section || s.doing != doing || s.leaving) {
		s.touched = m.touches
	}
	s.leaving, s.over = false, message.Connection
	s.seq, s.section, s.doing, s.until = max(m.known(s), message.Seq), message.Section, doing, m.now.Add(DefaultLease)
	return conflicts
}

func (m *model) leave(u User, message Leave) {
	s := m.find(u, message.Session)
	alive := !m.now.After(s.until)
	if message.Broken {
		if grace := m.now.Add(BrokenGrace); alive && message.Connection != 0 && s.over == message.Connection && grace.Before(s.until) {
			s.until = grace
		}
		return
	}
	if message.Connection != 0 && (!alive || s.over != 0 && s.over != message.Connection) {
		return
	}
	if m.heard(s, message.Seq) || !alive && message.Seq == 0 {
		return
	}
	s.seq = max(m.known(s), message.Seq)
	s.leaving = false
	if grace := m.now.Add(HiddenGrace); !message.Hidden || !alive {
		s.until, s.left = time.Time{}, m.now
		m.end(s, m.now)
	} else {
		s.leaving = true
		if grace.Before(s.until) {
			s.until = grace
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
		var chief *modelSession
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
			if chief == nil || outranks(s, chief) {
				chief = s
			}
		}
		slices.Sort(sections)
		slices.Sort(editing)
		lines = append(lines, fmt.Sprintf("%s %s %q of %q, edits %q", u.Name, chief.doing, chief.section, slices.Compact(sections), slices.Compact(editing)))
	}
	return lines
}

func outranks(a, b *modelSession) bool {
	if (a.section == "") != (b.section == "") {
		return b.section == ""
	}
	if (a.doing == Idle) != (b.doing == Idle) {
		return b.doing == Idle
	}
	return a.touched > b.touched
}

// TestARosterDoesWhatTheRulesSay lets random people send random messages, repeated,
// reordered and late, and holds the roster against the model after each.
func TestARosterDoesWhatTheRulesSay(t *testing.T) { // rules 1 and 3 to 9, invariants 1 to 4 and 8
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: start, maxEnded: rapid.SampledFrom([]int{1, 2, 3, MaxEnded}).Draw(t, "ends remembered")}
		r := NewRoster(DefaultLease, 0)
		r.maxEnded = m.maxEnded
		var version uint64
		var before []string
		look := func() {
			s := r.Snapshot(m.now)
			seen := shown(s)
			if due := m.list(); !slices.Equal(seen, due) {
				t.Fatalf("listed:\n  %s\ndue:\n  %s", strings.Join(seen, "\n  "), strings.Join(due, "\n  "))
			}
			if same := slices.Equal(seen, before); same && s.Version != version || !same && s.Version <= version || s.Count != len(seen) {
				t.Fatalf("version %d after %d, count %d, though the list went from %q to %q", s.Version, version, s.Count, before, seen)
			}
			version, before = s.Version, seen
		}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Second, HiddenGrace, HiddenGrace + 1, BrokenGrace, 29 * time.Second, time.Minute, DefaultLease, DefaultLease + 1, Finality, Finality + 1}).Draw(t, "passes"))
			look()
			user := rapid.SampledFrom([]User{alice, bob, carol}).Draw(t, "user")
			session := rapid.SampledFrom([]string{"", "x", "y", "z", "w", "v"}).Draw(t, "session")
			seq := rapid.Uint64Range(0, 12).Draw(t, "seq")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				l := Leave{Session: session, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), Broken: rapid.Bool().Draw(t, "broken"), Connection: rapid.Uint64Range(0, 2).Draw(t, "connection")}
				reply, _ := r.Leave(m.now, user, l)
				if !reply.Stale || l.Connection == 0 && !l.Broken && m.heard(m.find(user, session), seq) || !m.mayRefuse(user) {
					m.leave(user, l)
				}
			} else {
				u := Update{
					Session: session, Seq: seq,
					Section:        rapid.SampledFrom([]Section{"", "a", "b"}).Draw(t, "section"),
					Activity:       rapid.SampledFrom([]Activity{"", Editing, Viewing, Idle}).Draw(t, "activity"),
					UnlessOccupied: rapid.Bool().Draw(t, "careful"),
					Connection:     rapid.Uint64Range(0, 2).Draw(t, "connection"),
				}
				reply, _, err := r.Update(m.now, user, u)
				if m.mayRefuse(user) && u.Seq != 0 && (err == ErrTooManyChanges || reply.Stale) {
					continue // refused, though it may be newer: then nothing has changed
				}
				due := m.update(user, u)
				if err != nil {
					t.Fatal(err)
				}
				if u.Section != "" && names(reply.Conflicts) != strings.Join(due, ", ") {
					t.Fatalf("conflicts %q; due %q", names(reply.Conflicts), due)
				}
			}
			look()
			survivesARestart(t, r, m)
		}
	})
}

func shown(s *Snapshot) (lines []string) {
	for _, o := range s.Occupants {
		lines = append(lines, fmt.Sprintf("%s, edits %q", show(o), o.Editing))
	}
	return lines
}

// survivesARestart holds the roster against one made of its records. The living get a
// full lease by that, and what is leaving has left: so it looks only where nothing is.
func survivesARestart(t *rapid.T, r *Roster, m *model) {
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
	if seen, due := shown(restarted.Snapshot(m.now)), m.list(); !slices.Equal(seen, due) {
		t.Fatalf("after a restart:\n  %s\ndue:\n  %s", strings.Join(seen, "\n  "), strings.Join(due, "\n  "))
	}
}
