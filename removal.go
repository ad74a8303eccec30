package presence

import (
	"slices"
	"time"
)

// This file and redisstore/removal.lua have the same rules, in functions of the same names and order.

const (
	// MaxRemovals is the number of removals of users that a project keeps. Beyond it, one that is over is dropped; if
	// none is over, a new one is rejected with [ErrTooManyRemovals]. The removal of everybody is never rejected.
	MaxRemovals = 1000

	// removalKept is how long a removal is kept at least, so that each process with a live connection of the user
	// sees it.
	removalKept = time.Minute
)

// Everywhere is a project that no caller can name: [ParseProject] rejects it. A removal there holds in all projects.
// Handlers apply it: a [Roster] knows only the removals of its own project. On a server with tenants the user of such a
// removal is tenant and id with a slash between them, since the same id in another tenant is another user.
const Everywhere Project = ""

// Removal ends all sessions of a user in a project, as a leave would. It is final like a leave (rule 8).
type Removal struct {
	// User is who is removed; empty for everybody, and for all saves.
	User UserID
	// Until is until when updates of the user are rejected with [ErrRemoved]. If it is not in the future, the user may
	// come back at once.
	Until time.Time
	// Version is the version of the project after the removal, which [Roster.Remove] sets. A live connection of the
	// user that began at a lower version has to be closed.
	Version uint64

	kept time.Time // until when the roster keeps it
}

// RemovedError is the error of an update of a user who was removed. It wraps [ErrRemoved].
type RemovedError struct {
	// After is when the user may come back.
	After time.Duration
}

func (e *RemovedError) Error() string { return ErrRemoved.Error() }

// Unwrap returns [ErrRemoved].
func (e *RemovedError) Unwrap() error { return ErrRemoved }

// RetryAfter returns After.
func (e *RemovedError) RetryAfter() time.Duration { return e.After }

// Removed returns a [RemovedError] if a user was removed until a moment after now, alone or with everybody; otherwise
// nil.
func (s *Snapshot) Removed(now time.Time, id UserID) error { return removed(s.Removals, now, id) }

// RemovedSince reports whether a user was removed, alone or with everybody, at a version above the given one.
func (s *Snapshot) RemovedSince(version uint64, id UserID) bool {
	return slices.ContainsFunc(s.Removals, func(r Removal) bool { return r.Version > version && (r.User == "" || r.User == id) })
}

// removed decides until when a user's updates are rejected.
func removed(removals []Removal, now time.Time, id UserID) error {
	until := now
	for _, r := range removals {
		if (r.User == "" || r.User == id) && r.Until.After(until) {
			until = r.Until
		}
	}
	if until == now {
		return nil
	}
	return &RemovedError{After: until.Sub(now)}
}

// addRemoval keeps a removal, at a new version. It replaces an older one of the same user. It returns false if too many
// are in force.
func (r *Roster) addRemoval(now time.Time, removal Removal) bool {
	removals := slices.DeleteFunc(slices.Clone(r.removals), func(old Removal) bool { return old.User == removal.User })
	if removal.User != "" && len(removals) >= MaxRemovals {
		over := slices.IndexFunc(removals, func(old Removal) bool { return !old.Until.After(now) })
		if over < 0 {
			return false
		}
		r.setUnwrittenRemoval(removals[over].User)
		removals = slices.Delete(removals, over, over+1)
	}
	r.tick(now)
	removal.Version, removal.kept = r.clock, now.Add(removalKept)
	if removal.Until.After(removal.kept) {
		removal.kept = removal.Until
	}
	r.setForget(removal.kept)
	r.removals = append(removals, removal)
	r.setUnwrittenRemoval(removal.User)
	r.version, r.snapshot = r.clock, nil
	return true
}

// endAll ends all sessions of a member.
func (r *Roster) endAll(now time.Time, m *member) {
	for _, s := range slices.Clone(m.sessions) {
		r.endSession(now, m, s)
	}
	r.reaggregate(m)
	r.alsoChanged = append(r.alsoChanged, m)
}

// Remove ends all sessions of a user, or those of everybody with all saves, and rejects their updates until
// removal.Until. The version grows even if nobody was there, so that all processes learn of it. A newer removal of the
// same user replaces an older one, also if it ends sooner. The error is [ErrTooManyRemovals], after which nothing has
// changed.
func (r *Roster) Remove(now time.Time, removal Removal) (Reply, error) {
	r.init()
	r.Expire(now)
	if !r.addRemoval(now, removal) {
		return Reply{}, ErrTooManyRemovals
	}
	if removal.User != "" {
		if m := r.members[removal.User]; m != nil {
			r.endAll(now, m)
		}
		return Reply{Version: r.version}, nil
	}
	for _, m := range slices.Clone(r.listed) {
		r.endAll(now, m)
	}
	if len(r.saves) > 0 {
		r.tick(now)
		r.dropSaves(func(*Save) bool { return true })
	}
	return Reply{Version: r.version}, nil
}

// forgetRemovals drops the removals that need not be kept any more.
func (r *Roster) forgetRemovals(now time.Time) {
	isOver := func(old Removal) bool { return now.After(old.kept) }
	if !slices.ContainsFunc(r.removals, isOver) {
		return
	}
	var kept []Removal // a new slice, since snapshots share the old one
	for _, old := range r.removals {
		if isOver(old) {
			r.setUnwrittenRemoval(old.User)
		} else {
			kept = append(kept, old)
		}
	}
	r.removals, r.snapshot = kept, nil
}

func (r *Roster) setUnwrittenRemoval(id UserID) {
	if r.unwrittenRemovals == nil {
		r.unwrittenRemovals = map[UserID]struct{}{}
	}
	r.unwrittenRemovals[id] = struct{}{}
}

// UnwrittenRemovals returns the removals that changed since they were last returned. One with Version 0 was dropped.
func (r *Roster) UnwrittenRemovals() (removals []Removal) {
	for user := range r.unwrittenRemovals {
		removal := Removal{User: user}
		if at := slices.IndexFunc(r.removals, func(kept Removal) bool { return kept.User == user }); at >= 0 {
			removal = r.removals[at]
		}
		removals = append(removals, removal)
	}
	clear(r.unwrittenRemovals)
	return removals
}

// RestoreRemoval adds a removal as UnwrittenRemovals returned it. Call it before any method other than [Roster.Restore]
// and [Roster.RestoreSave], in the order of their versions.
func (r *Roster) RestoreRemoval(removal Removal) {
	r.init()
	removal.kept = removal.Until
	r.setForget(removal.kept)
	r.clock = max(r.clock, removal.Version)
	r.removals = append(r.removals, removal)
}
