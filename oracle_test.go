package presence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

// oracle is one project by the rules alone, in the simplest way: a list of the tabs that are alive, a list
// of those that ended, and a list of saves. Every question searches these lists; nothing is counted,
// cached or sorted in advance.
type oracle struct {
	now   time.Time
	tabs  []*oracleTab
	ends  []oracleEnd
	saves []presence.Save
	acts  int
}

type oracleTab struct {
	user       presence.User
	name       string
	seq        uint64
	section    presence.Section
	activity   presence.Activity
	unsaved    bool
	waitingFor presence.Section
	seen       time.Time
	expires    time.Time
	leaving    bool
	connection uint64
	acted      int // when the person last acted here
}

type oracleEnd struct {
	user presence.UserID
	name string
	seq  uint64
	at   time.Time
}

// oracleReply is what a message is answered with.
type oracleReply struct {
	err            error
	stale, changed bool
	activity       presence.Activity
	conflicts      []string
}

// claims is rule 18: whoever edits a section claims it, and so does unsaved work.
func (t *oracleTab) claims(section presence.Section) bool {
	return section != "" && t.section == section && (t.activity == presence.Editing || t.unsaved)
}

// isUnguessable is rule 7: only the page itself knows such a name.
func isUnguessable(name string) bool { return len(name) >= 16 }

// pass lets time pass: leases and graces end (rules 1 and 9), and so do saves (rule 19).
func (o *oracle) pass(d time.Duration) {
	o.now = o.now.Add(d)
	for _, t := range slices.Clone(o.tabs) {
		if o.now.After(t.expires) {
			o.end(t, t.expires)
		}
	}
	o.endSaves()
}

func (o *oracle) endSaves() {
	if len(o.tabs) > 0 || slices.ContainsFunc(o.ends, func(e oracleEnd) bool { return o.now.Sub(e.at) <= presence.Finality }) {
		return
	}
	o.saves = slices.DeleteFunc(o.saves, func(s presence.Save) bool { return o.now.Sub(s.At) > presence.Finality })
}

func (o *oracle) end(t *oracleTab, at time.Time) {
	o.tabs = slices.DeleteFunc(o.tabs, func(other *oracleTab) bool { return other == t })
	o.keepEnd(t.user.ID, t.name, t.seq, at)
}

// keepEnd is rule 8: the end of a tab is kept for ten minutes, with its newest number.
func (o *oracle) keepEnd(user presence.UserID, name string, seq uint64, at time.Time) {
	o.dropEnd(user, name)
	o.ends = append(o.ends, oracleEnd{user, name, seq, at})
}

func (o *oracle) dropEnd(user presence.UserID, name string) {
	o.ends = slices.DeleteFunc(o.ends, func(e oracleEnd) bool { return e.user == user && e.name == name })
}

// endedSeq returns the number with which a tab of the user ended.
func (o *oracle) endedSeq(user presence.UserID, name string) (seq uint64, ok bool) {
	for _, e := range o.ends {
		if e.user == user && e.name == name && o.now.Sub(e.at) <= presence.Finality {
			return e.seq, true
		}
	}
	return 0, false
}

func (o *oracle) tabsOf(user presence.UserID) (tabs []*oracleTab) {
	for _, t := range o.tabs {
		if t.user.ID == user {
			tabs = append(tabs, t)
		}
	}
	return tabs
}

// find returns the user's tab of that name, or, if there is none, the same page under another identity.
func (o *oracle) find(user presence.UserID, name string) (t *oracleTab, isOthers bool) {
	for _, t := range o.tabsOf(user) {
		if t.name == name {
			return t, false
		}
	}
	for _, t := range o.tabs {
		if t.name == name && isUnguessable(name) {
			return t, true
		}
	}
	return nil, false
}

// conflicts is rules 5, 7 and 18: the other users who claim the section. A tab that is the same page as
// the sender's is not another user's.
func (o *oracle) conflicts(user presence.UserID, self *oracleTab, section presence.Section) (lines []string) {
	for _, u := range o.listed() {
		if u.ID != user && slices.ContainsFunc(o.tabsOf(u.ID), func(t *oracleTab) bool { return t != self && t.claims(section) }) {
			lines = append(lines, o.line(u))
		}
	}
	return lines
}

func (o *oracle) update(user presence.User, u presence.Update) (reply oracleReply) {
	t, isOthers := o.find(user.ID, u.Session)
	newest, _ := o.endedSeq(user.ID, u.Session)
	if t != nil {
		newest = max(newest, t.seq)
	}
	if u.Seq != 0 && u.Seq <= newest {
		reply.stale, reply.conflicts = true, o.conflicts(user.ID, nil, u.Section)
		if t != nil && !isOthers {
			reply.activity = t.activity
		}
		return reply
	}
	isNew := t == nil || isOthers
	if staying := slices.DeleteFunc(o.tabsOf(user.ID), func(t *oracleTab) bool { return t.leaving }); isNew && len(staying) >= presence.MaxSessions {
		return oracleReply{err: presence.ErrTooManySessions} // rule 16
	}

	activity := u.Activity
	if activity == "" {
		activity = presence.Editing
	}
	isOccupied := len(o.conflicts(user.ID, t, u.Section)) > 0
	if activity == presence.Editing && (u.Section == "" || u.UnlessOccupied && isOccupied && (t == nil || !t.claims(u.Section))) {
		activity = presence.Viewing // rules 4 and 6
	}
	unsaved := u.Unsaved && u.Section != ""
	waitingFor := u.WaitingFor
	if waitingFor == u.Section && (activity == presence.Editing || unsaved) {
		waitingFor = "" // rule 20
	}
	acts := isNew || t.leaving || t.section != u.Section || t.activity != activity || t.user != user
	isSave := u.Saved != presence.Saved{} && !slices.ContainsFunc(o.saves, func(s presence.Save) bool { return s.Saved == u.Saved && s.User == user.ID })
	reply.changed = acts || isSave || t.unsaved != unsaved || t.waitingFor != waitingFor
	if reply.changed && u.OnlyRenew {
		return oracleReply{err: presence.ErrTooManyChanges} // rule 16
	}

	switch {
	case t == nil:
		if u.Section != "" { // rule 9: the page that was left is back
			for _, other := range o.tabsOf(user.ID) {
				if other.leaving {
					o.end(other, o.now)
				}
			}
		}
		t = &oracleTab{name: u.Session}
		o.tabs = append(o.tabs, t)
	case isOthers: // rule 7: the page has another identity now
		o.keepEnd(t.user.ID, t.name, max(t.seq, u.Seq), o.now)
	}
	o.dropEnd(user.ID, u.Session)
	for _, own := range o.tabsOf(user.ID) {
		own.user = user
	}
	if o.acts++; acts && (activity != presence.Idle || t.acted == 0) {
		t.acted = o.acts // rule 3: going idle is no action
	}
	t.user, t.seq, t.connection, t.leaving = user, max(newest, u.Seq), u.Connection, false
	t.section, t.activity, t.unsaved, t.waitingFor = u.Section, activity, unsaved, waitingFor
	t.seen, t.expires = o.now, o.now.Add(presence.DefaultLease)
	if isSave {
		o.save(presence.Save{Saved: u.Saved, User: user.ID, Name: user.Name, At: o.now})
	}
	reply.activity, reply.conflicts = activity, o.conflicts(user.ID, nil, u.Section)
	return reply
}

// save is rules 16 and 19: the newest save of each section is kept, of at most 1,000 sections.
func (o *oracle) save(save presence.Save) {
	o.saves = slices.DeleteFunc(o.saves, func(s presence.Save) bool { return s.Section == save.Section })
	o.saves = append(o.saves, save)
	if len(o.saves) > 1000 {
		oldest := o.saves[0]
		for _, s := range o.saves {
			if s.At.Before(oldest.At) || s.At.Equal(oldest.At) && s.Section < oldest.Section {
				oldest = s
			}
		}
		o.saves = slices.DeleteFunc(o.saves, func(s presence.Save) bool { return s == oldest })
	}
}

func (o *oracle) leave(user presence.User, l presence.Leave) (reply oracleReply) {
	t, isOthers := o.find(user.ID, l.Session)
	ended, isEnded := o.endedSeq(user.ID, l.Session)
	isOfServer := l.Broken || l.Connection != 0
	if isOthers && (isOfServer || l.Seq != 0 && l.Seq <= max(t.seq, ended)) {
		t, isOthers = nil, false // rule 7: only a leave that the page sent ends it under another identity
	}
	if isOfServer && (t == nil || t.connection != l.Connection && (l.Broken || t.connection != 0)) {
		return oracleReply{stale: true} // rules 9 and 14: the tab does not depend on that connection
	}
	if l.Broken {
		if t.connection != 0 && t.expires.After(o.now.Add(presence.BrokenGrace)) {
			t.expires = o.now.Add(presence.BrokenGrace)
		}
		return oracleReply{stale: t.connection == 0}
	}
	switch {
	case t == nil && !isEnded && l.OnlyLiving: // rule 16
		return oracleReply{stale: true}
	case t != nil && l.Seq != 0 && l.Seq <= max(t.seq, ended), t == nil && isEnded && l.Seq != 0 && l.Seq <= ended:
		return oracleReply{stale: true}
	case t == nil && l.Seq == 0:
		return oracleReply{stale: l.OnlyLiving}
	case t == nil: // the leave may have overtaken the first update
		o.keepEnd(user.ID, l.Session, l.Seq, o.now)
		return oracleReply{stale: l.OnlyLiving, changed: true}
	}
	if isOthers && l.Seq != 0 {
		o.keepEnd(user.ID, l.Session, l.Seq, o.now)
	}
	t.seq = max(t.seq, l.Seq)
	if !l.Hidden {
		o.end(t, o.now)
	} else if t.leaving = true; t.expires.After(o.now.Add(presence.HiddenGrace)) {
		t.expires = o.now.Add(presence.HiddenGrace)
	}
	return oracleReply{changed: true}
}

// restart gives every tab a full lease. It ends those that are leaving, as of their last sign of life.
func (o *oracle) restart() {
	for _, t := range slices.Clone(o.tabs) {
		if t.leaving {
			o.end(t, t.seen)
		}
		t.expires, t.connection = o.now.Add(presence.DefaultLease), 0
	}
	o.endSaves()
}

// isEmpty reports whether nothing is kept any more.
func (o *oracle) isEmpty() bool {
	return len(o.tabs) == 0 && len(o.saves) == 0 && !slices.ContainsFunc(o.ends, func(e oracleEnd) bool { return o.now.Sub(e.at) <= presence.Finality })
}

// listed is rule 17: the users with a tab, by name without regard to case, then by id.
func (o *oracle) listed() (users []presence.User) {
	for _, t := range o.tabs {
		if !slices.Contains(users, t.user) {
			users = append(users, t.user)
		}
	}
	slices.SortFunc(users, func(a, b presence.User) int {
		if n := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); n != 0 {
			return n
		}
		return len(a.ID)*100 - len(b.ID)*100 + strings.Compare(string(a.ID), string(b.ID)) // all are numbers
	})
	return users
}

// line is rules 3, 18 and 20: one user with the sections of all tabs.
func (o *oracle) line(user presence.User) string {
	occupant := presence.Occupant{User: user}
	var first, waiting *oracleTab
	for _, t := range o.tabsOf(user.ID) {
		if t.section != "" {
			occupant.Sections = append(occupant.Sections, t.section)
		}
		if t.activity == presence.Editing {
			occupant.Editing = append(occupant.Editing, t.section)
		}
		if t.unsaved {
			occupant.Unsaved = append(occupant.Unsaved, t.section)
		}
		if first == nil || t.isBefore(first) {
			first = t
		}
		if t.waitingFor != "" && (waiting == nil || t.acted > waiting.acted) {
			waiting = t
		}
		if t.seen.After(occupant.LastSeen) {
			occupant.LastSeen = t.seen
		}
	}
	for _, sections := range []*[]presence.Section{&occupant.Sections, &occupant.Editing, &occupant.Unsaved} {
		slices.Sort(*sections)
		*sections = slices.Compact(*sections)
	}
	occupant.Section, occupant.Activity = first.section, first.activity
	if waiting != nil {
		occupant.WaitingFor = waiting.waitingFor
	}
	return occupantLine(&occupant)
}

// isBefore is rule 3: a tab in a section comes before one without, one that is not idle before an idle one,
// and then the one touched last.
func (t *oracleTab) isBefore(other *oracleTab) bool {
	switch {
	case (t.section != "") != (other.section != ""):
		return t.section != ""
	case (t.activity != presence.Idle) != (other.activity != presence.Idle):
		return t.activity != presence.Idle
	}
	return t.acted > other.acted
}

func (o *oracle) list() (lines []string) {
	for _, u := range o.listed() {
		lines = append(lines, o.line(u))
	}
	return lines
}

func (o *oracle) sortedSaves() []presence.Save {
	return slices.SortedFunc(slices.Values(o.saves), func(a, b presence.Save) int { return strings.Compare(string(a.Section), string(b.Section)) })
}

func occupantLine(o *presence.Occupant) string {
	return fmt.Sprintf("%+v is %s in %q of %q, edits %q, unsaved %q, waits for %q", o.User, o.Activity, o.Section, o.Sections, o.Editing, o.Unsaved, o.WaitingFor)
}

func occupantLines(occupants []*presence.Occupant) (lines []string) {
	for _, o := range occupants {
		lines = append(lines, occupantLine(o))
	}
	return lines
}

// history sends the same messages to a roster and to the oracle, and compares what they say.
type history struct {
	*rapid.T
	o *oracle
	r *presence.Roster

	version uint64
	lines   []string
	saves   []presence.Save

	// maxEnds is the number of ends that the roster keeps; ended has the names of all tabs of a user that
	// ever ended.
	maxEnds int
	ended   map[presence.UserID]map[string]bool
	// stored has the saves that a store would have.
	stored map[presence.Section]presence.Save
}

// mayReject reports whether the roster may have dropped an end of any user, so that it may reject a
// numbered message of an unknown tab.
func (h *history) mayReject() bool {
	for _, e := range h.o.ends {
		if h.ended[e.user] == nil {
			h.ended[e.user] = map[string]bool{}
		}
		h.ended[e.user][e.name] = true
	}
	for _, names := range h.ended {
		if len(names) > h.maxEnds {
			return true
		}
	}
	return false
}

func (h *history) same(what string, got, want []string) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Fatalf("%s:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// compare compares all that is visible. The version must have grown if and only if something changed.
func (h *history) compare() {
	h.Helper()
	s := h.r.Snapshot(h.o.now)
	lines := occupantLines(s.Occupants)
	h.same("listed", lines, h.o.list())
	for _, occupant := range s.Occupants {
		var seen time.Time
		for _, t := range h.o.tabsOf(occupant.User.ID) {
			if t.seen.After(seen) {
				seen = t.seen
			}
		}
		if occupant.LastSeen.Add(time.Second).Before(seen) && h.o.now.Sub(seen) >= time.Second || occupant.LastSeen.After(h.o.now) {
			h.Fatalf("%s was last seen at %v; want %v, at most a second earlier", occupant.User.Name, occupant.LastSeen, seen)
		}
	}
	var saves []presence.Save
	for _, save := range s.Saves {
		saves = append(saves, *save)
	}
	if want := h.o.sortedSaves(); !slices.Equal(saves, want) {
		h.Fatalf("%d saves %v;\nwant %d saves %v", len(saves), saves, len(want), want)
	}
	same := slices.Equal(lines, h.lines) && slices.Equal(saves, h.saves)
	if same && s.Version != h.version || !same && s.Version <= h.version || s.Count != len(lines) {
		h.Fatalf("version %d after %d with count %d, while the list goes from %q to %q, and %d saves become %d", s.Version, h.version, s.Count, h.lines, lines, len(h.saves), len(saves))
	}
	h.version, h.lines, h.saves = s.Version, lines, saves
	for _, save := range h.r.UnwrittenSaves() {
		if h.stored[save.Section] = save; save.Revision == "" {
			delete(h.stored, save.Section)
		}
	}
}

func (h *history) update(user presence.User, u presence.Update) {
	h.Helper()
	reply, changed, err := h.r.Update(h.o.now, user, u)
	if h.mayReject() && u.Seq != 0 && (err == presence.ErrTooManyChanges || reply.Stale) {
		return // it may be older than an end that was dropped
	}
	want := h.o.update(user, u)
	if !errors.Is(err, want.err) || want.err == nil && err != nil {
		h.Fatalf("the update is answered %v; want %v", err, want.err)
	}
	if err != nil {
		return
	}
	if reply.Stale != want.stale || changed != want.changed || reply.Activity != want.activity {
		h.Fatalf("the update is stale %v, changed %v, %q; want %v, %v, %q", reply.Stale, changed, reply.Activity, want.stale, want.changed, want.activity)
	}
	h.same("conflicts", occupantLines(reply.Conflicts), want.conflicts)
	you := occupantLine(&presence.Occupant{User: user, Activity: presence.Viewing})
	if tabs := h.o.tabsOf(user.ID); len(tabs) > 0 {
		you = h.o.line(tabs[0].user)
	}
	h.same("you", []string{occupantLine(reply.You)}, []string{you})
	if polled := u.Poll && u.Known != reply.Version; (reply.Snapshot != nil) != polled || polled && reply.Snapshot.Version != reply.Version {
		h.Fatalf("the reply at version %d to a poll %v that knows %d has the snapshot %+v", reply.Version, u.Poll, u.Known, reply.Snapshot)
	}
}

func (h *history) leave(user presence.User, l presence.Leave) {
	h.Helper()
	if h.mayReject() && isUnguessable(l.Session) && l.Seq != 0 {
		return // whether it ends another identity's tab depends on the ends that were dropped
	}
	reply, changed := h.r.Leave(h.o.now, user, l)
	if h.mayReject() && reply.Stale && l.Seq != 0 {
		return // as in update
	}
	want := h.o.leave(user, l)
	if (reply.Stale != want.stale || changed != want.changed) && !h.mayReject() {
		h.Fatalf("the leave is stale %v, changed %v; want %v, %v", reply.Stale, changed, want.stale, want.changed)
	}
}

// restart replaces the roster by one that is restored from its records.
func (h *history) restart() {
	records := h.r.AllRecords()
	slices.SortFunc(records, presence.Record.Compare)
	restarted := presence.NewRoster(presence.DefaultLease, h.r.Clock())
	restarted.KeepEnds(h.maxEnds)
	for _, record := range records {
		restarted.Restore(h.o.now, record)
	}
	for _, save := range h.stored {
		restarted.RestoreSave(save)
	}
	h.o.restart()
	h.r, h.version = restarted, restarted.Version()
	h.lines, h.saves = h.o.list(), h.o.sortedSaves()
	if n := len(restarted.UnwrittenSaves()); n > 0 {
		h.Fatalf("%d restored saves are unwritten", n)
	}
}

// forget replaces the roster by a new one if it is empty, as a store does.
func (h *history) forget() {
	empty := h.r.Forget(h.o.now)
	if want := h.o.isEmpty(); empty != want && !h.mayReject() {
		h.Fatalf("the roster is empty: %v; want %v", empty, want)
	}
	if empty && h.o.isEmpty() {
		h.r = presence.NewRoster(presence.DefaultLease, h.r.Clock())
		h.r.KeepEnds(h.maxEnds)
		h.version = h.r.Version()
	}
}

// fill reports saves of so many sections that few more reach the limit.
func (h *history) fill() {
	user := presence.User{ID: "1", Name: "Alice"}
	for i := range rapid.IntRange(presence.MaxSaves-4, presence.MaxSaves).Draw(h.T, "saved sections") {
		h.update(user, presence.Update{Saved: presence.Saved{Section: presence.Section(fmt.Sprintf("s%04d", i)), Revision: "0"}})
		if i%7 == 0 {
			h.o.pass(time.Millisecond)
		}
	}
}

// Random users send random messages, repeated, reordered and late, from pages whose identity changes; the
// roster is restarted and forgotten in between. All that it says must be what the rules say.
func TestRandomHistoriesFollowTheRules(t *testing.T) { // rules 1 to 10 and 16 to 20, invariants 1 to 4 and 8
	rapid.Check(t, func(t *rapid.T) {
		h := &history{
			T: t, o: &oracle{now: time.Date(2025, 11, 3, 17, 0, 0, 0, time.UTC)}, r: presence.NewRoster(presence.DefaultLease, 0),
			maxEnds: rapid.SampledFrom([]int{presence.MaxEnded, presence.MaxEnded, 1, 3}).Draw(t, "ends kept"),
			ended:   map[presence.UserID]map[string]bool{}, stored: map[presence.Section]presence.Save{},
		}
		h.r.KeepEnds(h.maxEnds)
		withSaves := h.maxEnds == presence.MaxEnded // a dropped end would end saves sooner
		if withSaves && rapid.IntRange(0, 9).Draw(t, "many saves") == 0 {
			h.fill()
			h.version, h.lines, h.saves = h.r.Version()-1, nil, nil
		}
		const long = "0123456789abcdef"
		seqs := map[string]uint64{}
		var sent []presence.Update
		sections := rapid.SampledFrom([]presence.Section{"", "a", "b"})
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			h.o.pass(rapid.SampledFrom([]time.Duration{
				0, 0, 0, time.Second, presence.HiddenGrace, presence.HiddenGrace + 1, presence.BrokenGrace, presence.BrokenGrace + 1, 29 * time.Second,
				time.Minute, presence.DefaultLease, presence.DefaultLease + 1, presence.Finality, presence.Finality + 1,
			}).Draw(t, "passes"))
			h.compare()
			user := rapid.SampledFrom([]presence.User{{ID: "1", Name: "Alice"}, {ID: "2", Name: "bob"}, {ID: "9", Name: "Carol"}, {ID: "10", Name: "carol"}}).Draw(t, "user")
			if rapid.IntRange(0, 7).Draw(t, "renamed") == 0 {
				user.Name, user.Agent, user.AvatarURL = "Bob", rapid.Bool().Draw(t, "agent"), "https://example.org/picture"
			}
			name := rapid.SampledFrom([]string{"", "x", "y", long[1:], long, long + "2"}).Draw(t, "session")
			page := fmt.Sprint(user.ID, " ", name)
			if isUnguessable(name) {
				page = name
			}
			seq := seqs[page] + 1
			if rapid.IntRange(0, 2).Draw(t, "any seq") == 0 {
				seq = rapid.Uint64Range(0, seq+1).Draw(t, "seq")
			}
			seqs[page] = max(seqs[page], seq)
			switch kind := rapid.IntRange(0, 19).Draw(t, "kind"); {
			case kind == 19:
				if !h.mayReject() { // a store also keeps the ends that a roster drops
					h.restart()
				}
			case kind == 18:
				h.forget()
			case kind == 17:
				for i := range rapid.IntRange(1, presence.MaxSessions).Draw(t, "tabs") {
					h.update(user, presence.Update{Session: fmt.Sprint("tab", i), Section: "c", Activity: presence.Viewing})
				}
			case kind >= 12:
				h.leave(user, presence.Leave{
					Session: name, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), OnlyLiving: rapid.Bool().Draw(t, "only living"),
					Broken:     rapid.IntRange(0, 3).Draw(t, "broken") == 0,
					Connection: rapid.SampledFrom([]uint64{0, 0, 1, 2}).Draw(t, "connection"),
				})
			default:
				u := presence.Update{
					Section:        sections.Draw(t, "section"),
					Activity:       rapid.SampledFrom([]presence.Activity{"", presence.Editing, presence.Viewing, presence.Idle}).Draw(t, "activity"),
					Unsaved:        rapid.IntRange(0, 2).Draw(t, "unsaved") == 0,
					WaitingFor:     sections.Draw(t, "waits for"),
					UnlessOccupied: rapid.Bool().Draw(t, "unless occupied"),
					OnlyRenew:      rapid.IntRange(0, 5).Draw(t, "only renew") == 0,
				}
				if section := rapid.SampledFrom([]presence.Section{"", "", "a", "b", "s0002", "t"}).Draw(t, "saved"); withSaves && section != "" {
					u.Saved = presence.Saved{Section: section, Revision: rapid.SampledFrom([]string{"0", "1"}).Draw(t, "revision")}
				}
				if len(sent) > 0 && rapid.IntRange(0, 2).Draw(t, "heartbeat") == 0 {
					u = sent[rapid.IntRange(max(0, len(sent)-3), len(sent)-1).Draw(t, "of")]
				}
				sent = append(sent, u)
				u.Session, u.Seq, u.Connection = name, seq, rapid.Uint64Range(0, 2).Draw(t, "connection")
				u.Poll, u.Known = rapid.Bool().Draw(t, "poll"), rapid.SampledFrom([]uint64{0, h.version}).Draw(t, "known")
				h.update(user, u)
			}
			h.compare()
		}
	})
}
