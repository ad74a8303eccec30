package presence_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// oracle is one project by the rules alone, in the simplest way: a list of the tabs that are alive, a list
// of those that ended, and lists of saves and of moves of sections. Every question searches these lists; nothing is counted,
// cached or sorted in advance.
type oracle struct {
	now   time.Time
	tabs  []*oracleTab
	ends  []oracleEnd
	saves []presence.Save
	moves []presence.Move
	acts  int
	// removals has the newest removal of each user, and for "" that of everybody.
	removals map[presence.UserID]oracleRemoval
}

// oracleRemoval is rule 24. Kept is until when it has to be in the snapshot.
type oracleRemoval struct {
	presence.Removal
	kept time.Time
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
	o.moves = slices.DeleteFunc(o.moves, func(m presence.Move) bool { return o.now.Add(-presence.Finality).UnixMilli() > int64(m.Version) })
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

// after is rule 23: where a section is after a move.
func after(m presence.Move, section presence.Section) presence.Section {
	moved := section
	if section == m.From {
		moved = m.To
	} else if strings.HasPrefix(string(section), string(m.From)+"/") {
		moved = m.To + section[len(m.From):]
	}
	if len(moved) > presence.MaxSection { // all are ASCII
		return section
	}
	return moved
}

// move moves sections. The roster gave the move its version, 0 if there was nothing to move.
func (o *oracle) move(from, to presence.Section, version uint64) {
	m := presence.Move{From: from, To: to, Version: version}
	for _, t := range o.tabs {
		t.section, t.waitingFor = after(m, t.section), after(m, t.waitingFor)
		if t.claims(t.waitingFor) {
			t.waitingFor = "" // rule 20
		}
	}
	var moved []presence.Save
	o.saves = slices.DeleteFunc(o.saves, func(s presence.Save) bool {
		isMoved := after(m, s.Section) != s.Section
		if isMoved {
			s.Section = after(m, s.Section)
			moved = append(moved, s)
		}
		return isMoved
	})
	for _, s := range moved {
		if !slices.ContainsFunc(o.saves, func(other presence.Save) bool { return other.Section == s.Section && other.At.After(s.At) }) {
			o.save(s)
		}
	}
	o.moves = append(o.moves, m)
	o.moves = o.moves[max(0, len(o.moves)-100):]
}

// canMove reports whether no path would become too long.
func (o *oracle) canMove(from, to presence.Section) bool {
	sections := []presence.Section{}
	for _, t := range o.tabs {
		sections = append(sections, t.section, t.waitingFor)
	}
	for _, s := range o.saves {
		sections = append(sections, s.Section)
	}
	return !slices.ContainsFunc(sections, func(s presence.Section) bool {
		return (s == from || strings.HasPrefix(string(s), string(from)+"/")) && len(to)+len(s)-len(from) > presence.MaxSection
	})
}

// remove is rule 24: all tabs of the user end, or those of everybody with all saves.
func (o *oracle) remove(r presence.Removal) {
	for _, t := range slices.Clone(o.tabs) {
		if r.User == "" || t.user.ID == r.User {
			o.end(t, o.now)
		}
	}
	if r.User == "" {
		o.saves = nil
	}
	kept := o.now.Add(time.Minute)
	if r.Until.After(kept) {
		kept = r.Until
	}
	o.removals[r.User] = oracleRemoval{r, kept}
}

func (o *oracle) isRemoved(user presence.UserID) bool {
	return o.removals[user].Until.After(o.now) || o.removals[""].Until.After(o.now)
}

// hasRemovals reports whether a removal has to be kept.
func (o *oracle) hasRemovals() bool {
	for _, r := range o.removals {
		if !o.now.After(r.kept) {
			return true
		}
	}
	return false
}

func (o *oracle) update(user presence.User, u presence.Update) (reply oracleReply) {
	for _, m := range o.moves {
		if u.Known != 0 && m.Version > u.Known { // rule 23: the page had not heard of it
			u.Section, u.WaitingFor, u.Saved.Section = after(m, u.Section), after(m, u.WaitingFor), after(m, u.Saved.Section)
		}
	}
	t, isOthers := o.find(user.ID, u.Session)
	if (t == nil || isOthers) && o.isRemoved(user.ID) {
		return oracleReply{err: presence.ErrRemoved}
	}
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
	return len(o.tabs) == 0 && len(o.saves) == 0 && len(o.moves) == 0 && !slices.ContainsFunc(o.ends, func(e oracleEnd) bool { return o.now.Sub(e.at) <= presence.Finality })
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
