package presence

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// EventSettle is for how long something must have changed until an event says so. A page that reloads within that
	// time causes no event.
	EventSettle = 3 * time.Second

	// MaxEventUsers is the number of users that an event lists.
	MaxEventUsers = 20
)

// EventType says what an event is about.
type EventType string

// The types of events. Those of users count users, not tabs: the second tab of a user joins nothing.
const (
	// UserJoined and UserLeft say that a user is in the project, or no longer. For each user they alternate.
	UserJoined EventType = "user.joined"
	UserLeft   EventType = "user.left"
	// SectionOccupied and SectionVacated say that somebody is in the section, whatever they do there, or nobody any
	// more. For each section they alternate.
	SectionOccupied EventType = "section.occupied"
	SectionVacated  EventType = "section.vacated"
	// SectionContested says that at least two users claim the section, where it was fewer before (rule 18).
	SectionContested EventType = "section.contested"
	// SectionSaved says that the section has a new save. If several follow each other quickly, only the newest is told.
	SectionSaved EventType = "section.saved"
)

// Event tells the host application of a visible change of a project. It never changes.
type Event struct {
	// ID is unique. An event that is sent again has the same one.
	ID      string
	Type    EventType
	Project Project
	// Version is a version of the project that shows the change.
	Version uint64
	// At is when the change was found, or when the section was saved.
	At time.Time
	// Section is the section of the event; empty for UserJoined and UserLeft.
	Section Section `json:",omitzero"`
	// Revision is that of SectionSaved.
	Revision string `json:",omitzero"`
	// Users are the user who joined, left or saved; or those who are in the section (SectionOccupied) or claim it
	// (SectionContested), the first MaxEventUsers in the order of lists. They have no AvatarURL.
	Users []User `json:",omitzero"`
}

// EventState is the state of a project that its newest events led to. The zero EventState is that of a project without
// events. It can be encoded as JSON. It never changes.
type EventState struct {
	// Version is the version of the project that the state follows from.
	Version uint64
	// Serial is higher than that of the state before. It makes ids of events unique.
	Serial uint64
	Users  map[UserID]User `json:",omitempty"`
	// Sections are the sections with a user, and whether they are contested.
	Sections map[Section]bool `json:",omitempty"`
	// Saves are the revisions of the newest saves, and when they were saved, in nanoseconds of Unix time.
	Saves map[Section]EventSave `json:",omitempty"`
}

// EventSave is a save of which an event told.
type EventSave struct {
	Revision string
	At       int64
}

// EventView is what events can tell of a project at one version.
type EventView struct {
	version  uint64
	partial  bool
	sessions []Record
	previous []int // for each session the number of the one before it in its section, counted from 1; 0 for none
	users    map[UserID]User
	sections map[Section]sectionView
	saves    []*Save
	moves    []*Move
}

// sectionView is what a view has of a section that at least one user is in.
type sectionView struct {
	last      int    // the number of its last session, counted from 1
	claimant  UserID // a user who claims the section; empty if nobody does
	contested bool   // at least two users claim it
}

// NewEventView returns the view of what [Store.Sessions] returned. It keeps the sessions, which must not change.
func NewEventView(s *Snapshot, sessions []Record) *EventView {
	v := &EventView{
		version: s.Version, partial: s.Partial, sessions: sessions, previous: make([]int, len(sessions)),
		users: make(map[UserID]User, len(sessions)), sections: make(map[Section]sectionView, len(sessions)), saves: s.Saves, moves: s.Moves,
	}
	for i := range sessions {
		r := &sessions[i]
		user := r.User
		user.AvatarURL = ""
		v.users[user.ID] = user
		if r.Section == "" {
			continue
		}
		section := v.sections[r.Section]
		v.previous[i], section.last = section.last, i+1
		if isClaim(r.Activity, r.Unsaved) {
			section.contested = section.contested || section.claimant != "" && section.claimant != user.ID
			section.claimant = user.ID
		}
		v.sections[r.Section] = section
	}
	return v
}

// Version returns the version of the project.
func (v *EventView) Version() uint64 { return v.version }

// Next returns the events that lead to what two views agree on, and the state after them. The views must be
// [EventSettle] apart, the second one at the time at. What they disagree on is left as it was, and settled is false:
// call Next again with the second view and a later one. While the store may have lost users there are no events, since
// it is not known who left (rule 13).
//
// Sections that the host moved are the same sections at other paths, so a move causes no events. The events are in the
// order in which they can have happened: a user joins before their section is occupied, and leaves after it is vacated.
func (s EventState) Next(project Project, first, second *EventView, at time.Time) (next EventState, events []Event, settled bool) {
	if first.partial || second.partial {
		return s, nil, false
	}
	next = EventState{Version: second.version, Serial: max(s.Serial+1, second.version), Users: make(map[UserID]User, len(second.users)), Sections: make(map[Section]bool, len(second.sections)), Saves: make(map[Section]EventSave, len(second.saves))}
	settled = true
	var left, entered, contested, saved, vacated []Event
	event := func(kind EventType, section Section, users ...User) Event {
		e := Event{Type: kind, Project: project, Version: second.version, At: at, Section: section, Users: users[:min(len(users), MaxEventUsers)]}
		e.ID = next.eventID(e)
		return e
	}

	for _, id := range sortedKeys(s.Users, first.users, second.users) {
		before, was := s.Users[id]
		user, is := second.users[id]
		_, wasSeen := first.users[id]
		switch {
		case is != wasSeen:
			settled = false
			if was {
				next.Users[id] = before
			}
		case is:
			next.Users[id] = user
			if !was {
				events = append(events, event(UserJoined, "", user))
			}
		case was:
			left = append(left, event(UserLeft, "", before))
		}
	}

	sections := second.moved(s.Version, s.Sections)
	seen := make(map[Section]bool, len(first.sections))
	for section, in := range first.sections {
		seen[section] = in.contested
	}
	seen = second.moved(first.version, seen)
	for _, section := range sortedKeys(sections, seen, second.sections) {
		wasContested, was := sections[section]
		in, is := second.sections[section]
		seenContested, wasSeen := seen[section]
		isContested := in.contested
		switch {
		case is != wasSeen:
			settled = false
			if was {
				next.Sections[section] = wasContested
			}
			continue
		case !is && was:
			vacated = append(vacated, event(SectionVacated, section))
			continue
		case !is:
			continue
		case !was:
			entered = append(entered, event(SectionOccupied, section, second.usersOf(section, false)...))
		}
		if isContested != seenContested {
			settled, isContested = false, wasContested
		}
		if next.Sections[section] = isContested; isContested && !wasContested {
			contested = append(contested, event(SectionContested, section, second.usersOf(section, true)...))
		}
	}

	type place struct {
		section Section
		save    EventSave
	}
	told := make(map[place]bool, len(s.Saves))
	for section, save := range s.Saves {
		told[place{second.move(s.Version, section), save}] = true
	}
	for _, save := range second.saves {
		now := EventSave{save.Revision, save.At.UnixNano()}
		next.Saves[save.Section] = now
		if !told[place{save.Section, now}] {
			e := event(SectionSaved, save.Section, User{ID: save.User, Name: save.Name})
			e.Revision, e.At = save.Revision, save.At
			saved = append(saved, e)
		}
	}
	return next, slices.Concat(events, entered, contested, saved, vacated, left), settled
}

// IsEmpty reports whether nobody is in the project, as far as events told.
func (s EventState) IsEmpty() bool { return len(s.Users)+len(s.Sections) == 0 }

// eventID returns an id that depends on the state that the event leads to.
func (s EventState) eventID(e Event) string {
	user := UserID("")
	if e.Section == "" {
		user = e.Users[0].ID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %q %q", e.Project, s.Serial, e.Type, user, e.Section))
	return base32.StdEncoding.EncodeToString(sum[:15])
}

// usersOf returns the users who are in a section, or those who claim it, in the order of lists (rule 17).
func (v *EventView) usersOf(section Section, claiming bool) (users []User) {
	for i := v.sections[section].last; i > 0; i = v.previous[i-1] {
		if r := &v.sessions[i-1]; !claiming || isClaim(r.Activity, r.Unsaved) {
			users = append(users, v.users[r.User.ID])
		}
	}
	slices.SortFunc(users, func(a, b User) int { return cmp.Or(cmp.Compare(a.sortKey(), b.sortKey()), a.ID.compare(b.ID)) })
	return slices.CompactFunc(users, func(a, b User) bool { return a.ID == b.ID }) // of several tabs
}

// move returns where a section is that was at its path at a version.
func (v *EventView) move(since uint64, section Section) Section {
	for _, m := range v.moves {
		if m.Version > since {
			section = m.apply(section)
		}
	}
	return section
}

// moved returns sections, and whether they are contested, after the moves since a version. The caller must not change them.
func (v *EventView) moved(since uint64, sections map[Section]bool) map[Section]bool {
	if len(v.moves) == 0 || v.moves[len(v.moves)-1].Version <= since {
		return sections
	}
	after := make(map[Section]bool, len(sections))
	for section, contested := range sections {
		to := v.move(since, section)
		after[to] = after[to] || contested
	}
	return after
}

// sortedKeys returns the keys of three maps in order.
func sortedKeys[K cmp.Ordered, A, B, C any](a map[K]A, b map[K]B, c map[K]C) []K {
	keys := make([]K, 0, len(a)+len(b)+len(c))
	keys = slices.AppendSeq(slices.AppendSeq(slices.AppendSeq(keys, maps.Keys(a)), maps.Keys(b)), maps.Keys(c))
	slices.Sort(keys)
	return slices.Compact(keys)
}
