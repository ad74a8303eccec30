package presence

import (
	"context"
	"time"
)

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
// Arguments have been checked by [Service]. Occupants and snapshots that a store
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
	// gone. Its version is never below one returned before, by any method of this
	// store, over restarts too. Where several processes share the data, another one
	// may be behind by as long as it takes to hear of a change, and by five seconds
	// at most; updates and leaves never are. Error: [ErrUnavailable].
	Snapshot(ctx context.Context, project Project) (*Snapshot, error)

	// FreshSnapshot is Snapshot, but what other processes have changed before the call is in it.
	// It costs more where several processes share the data. Error: [ErrUnavailable].
	FreshSnapshot(ctx context.Context, project Project) (*Snapshot, error)

	// Watch has wake called after every visible change of the project, until stop is
	// called: one call may stand for several changes, and there may be calls for none. What
	// lapses is a change within a second, whoever looks. Wake must return at once, and must
	// not call the store; it may be called at once with itself, and a last time while stop
	// is. While the project is watched, Snapshot is up to date when wake is called.
	Watch(project Project, wake func()) (stop func())
}

// Health is what a store may tell, besides, to those who look after it. Both methods may
// be called at once with any other, and are called again and again: they must be cheap.
type Health interface {
	// Ready is nil while all is well. An error that wraps [ErrDegraded] says what is wrong
	// while presence goes on all the same; any other says why this process cannot tell who is
	// there, so that it should not be asked.
	Ready(ctx context.Context) error

	// Figures are those of this moment, or of a few seconds ago.
	Figures() Figures
}

// Figures are a store's.
type Figures struct {
	// Projects are those that this process holds in which somebody is, and People are how
	// many are listed in them: somebody in two projects is counted twice.
	Projects, People int
	// JournalLag is how long the oldest change has waited to be written; nil for a store
	// that has no journal.
	JournalLag *time.Duration
	// PubSubAge is how long ago a word of this process to itself last came through, by the
	// way that wakes other nodes; nil for a store of one process.
	PubSubAge *time.Duration
}
