package presence

import "context"

// Store keeps the rosters of all projects, and is the truth about them. Every
// method may be called at once with any other, takes effect at one moment between
// its call and its return, by the store's own clock, and ends within five seconds; a
// context that ends may end it sooner.
//
// What the store does not know it does not state: it returns an error that wraps
// [ErrUnavailable], never an empty answer. After such an error a message may or may
// not have been taken in; sending the same one again is safe, for a numbered one
// changes nothing the second time, and an unnumbered one says the same thing twice.
//
// Arguments have been checked by [Tracker]. Occupants and snapshots that a store
// returns are shared and never change. The suite in storetest tells whether a store
// keeps this contract.
type Store interface {
	// Update records where a session of the user is; see [Roster.Update] for what
	// that means. Of two updates that enter a section, at least the later one is
	// answered with the other's user among its conflicts. A change that is durable
	// in the reply survives the sudden end of any process, except for a renewal:
	// after a restart the living have a whole lease again.
	// Errors: [ErrTooManySessions], [ErrTooManyChanges], [ErrUnavailable].
	Update(ctx context.Context, project Project, user User, u Update) (Reply, error)

	// Leave ends a session of the user; see [Roster.Leave]. Leaving what is not there
	// is no error. Error: [ErrUnavailable].
	Leave(ctx context.Context, project Project, user User, l Leave) (Reply, error)

	// Snapshot is all that is visible in the project. A project that was never heard
	// of has an empty one. Looking changes nothing, except that what has lapsed is
	// gone. Its version is never below one returned before, by any method of any
	// store on the same data, over restarts too. Error: [ErrUnavailable].
	Snapshot(ctx context.Context, project Project) (*Snapshot, error)

	// Watch has wake called after every visible change of the project, until stop is
	// called: one call may stand for several changes, and there may be calls for none. What
	// lapses is a change within a second, whoever looks. Wake must return at once, and must
	// not call the store; it may be called at once with itself, and a last time while stop
	// is. While the project is watched, Snapshot is up to date when wake is called.
	Watch(project Project, wake func()) (stop func())
}
