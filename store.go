package presence

import (
	"context"
	"time"
)

// Store keeps the rosters of all projects. Every method is safe for concurrent use, takes effect at
// one moment between its call and its return, by the store's own clock, and returns within five
// seconds, or sooner if its context ends.
//
// A store that cannot answer returns an error that wraps [ErrUnavailable], never an empty result.
// After such an error the message may or may not have taken effect. Sending the same message again
// is safe: a numbered message changes nothing the second time, an unnumbered one and a save state the same.
// So does a move, unless its new path is below the old one.
//
// [Service] has checked all arguments. Returned occupants and snapshots are shared and never change.
// Package storetest tests whether a store keeps this contract.
type Store interface {
	// Update records where a session of the user is; see [Roster.Update]. Of two updates that enter a
	// section, at least the later one names the other's user in its Conflicts. A change whose reply is
	// Durable survives the sudden end of any process. LastSeen of a renewal may be lost: after a
	// restart, living sessions get a full lease.
	// Errors: [ErrTooManySessions], [ErrTooManyChanges], [ErrRemoved], [ErrUnavailable].
	Update(ctx context.Context, project Project, user User, u Update) (Reply, error)

	// Leave ends a session of the user; see [Roster.Leave]. Ending a session that does not exist is no
	// error. Error: [ErrUnavailable].
	Leave(ctx context.Context, project Project, user User, l Leave) (Reply, error)

	// Move moves a section and all below it to another path, with everybody in it; see [Roster.Move]. In a
	// project that holds nothing it changes and creates nothing. Its reply is Durable as that of a change
	// is. Errors: [ErrSectionTooLong], [ErrUnavailable].
	Move(ctx context.Context, project Project, from, to Section) (Reply, error)

	// Save records a save on behalf of a user, who need not be online; see [Roster.Save]. Its reply is
	// Durable as that of a change is. Error: [ErrUnavailable].
	Save(ctx context.Context, project Project, user User, saved Saved) (Reply, error)

	// Remove ends all sessions of a user, or of everybody, in the project; see [Roster.Remove]. Of the Reply it sets
	// Version and Durable. Repeating it ends what began since then. Errors: [ErrTooManyRemovals], [ErrUnavailable].
	Remove(ctx context.Context, project Project, removal Removal) (Reply, error)

	// Snapshot returns all that is visible in the project, without expired sessions; for an unknown
	// project that is an empty snapshot. It renews nothing. Its version is never below one that any
	// method of this store returned before, also before a restart. Where several processes share the
	// data, a change by another process may be missing until its wake-up arrives, for at most five
	// seconds; updates and leaves always see it. Error: [ErrUnavailable].
	Snapshot(ctx context.Context, project Project) (*Snapshot, error)

	// FreshSnapshot is Snapshot, but includes every change that other processes made before the call.
	// It costs more where several processes share the data. Error: [ErrUnavailable].
	FreshSnapshot(ctx context.Context, project Project) (*Snapshot, error)

	// Sessions returns a FreshSnapshot together with the records of all living sessions, in any order. The caller may sort
	// and keep the records. Error: [ErrUnavailable].
	Sessions(ctx context.Context, project Project) (*Snapshot, []Record, error)

	// Projects returns about limit active projects, those with a living session, of any process. It continues where
	// the call that returned cursor ended; an empty cursor begins. Next is empty after the last project. A project
	// that is active all the time is returned at least once, and the order is any. A page can have fewer projects
	// than limit, or none, before the last one. Errors: [ErrCursorInvalid], [ErrUnavailable].
	Projects(ctx context.Context, f ProjectFilter, cursor string, limit int) (page []ActiveProject, next string, err error)

	// Watch calls wake after every visible change of the project until stop is called. One call may
	// stand for several changes, and there may be calls without a change. An expired session is a
	// change within a second. Wake must return at once and must not call the store. It may be called
	// concurrently with itself, and once more while stop runs. While the project is watched, Snapshot
	// includes the change when wake is called.
	Watch(project Project, wake func()) (stop func())
}

// ProjectFilter selects projects. The zero ProjectFilter selects all.
type ProjectFilter struct {
	// Prefix is what the project begins with.
	Prefix string
	// User is somebody who has a living session in the project; empty for anybody.
	User UserID
}

// ActiveProject is a project with at least one living session.
type ActiveProject struct {
	Project  Project
	Snapshot *Snapshot
	// User is the user of the filter, also beyond MaxListed; nil without one.
	User *Occupant
}

// Health is optionally implemented by a store, for operators. Both methods are safe for concurrent
// use and must be cheap, since they are called periodically.
type Health interface {
	// Ready returns nil while the store works. An error that wraps [ErrDegraded] describes a fault in
	// spite of which the store answers; after any other error this process should get no requests.
	Ready(ctx context.Context) error

	// Figures returns figures that are at most a few seconds old.
	Figures() Figures
}

// Figures describe the state of a store.
type Figures struct {
	// Projects is the number of projects with at least one occupant that this process holds. People
	// is the sum of their occupants; a user in two projects counts twice.
	Projects, People int
	// JournalLag is how long the oldest unwritten change has waited; nil for a store without a journal.
	JournalLag *time.Duration
	// PubSubAge is how long ago this process last received its own pub/sub probe message; nil for a
	// store of one process.
	PubSubAge *time.Duration
}
