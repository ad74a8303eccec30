package presence

import (
	"context"
	"time"
)

// EventStore is optionally implemented by a store, so that events of its projects can be found and sent. Of several
// processes that share the data, the one that has the claim on a project sends its events. The methods are safe for
// concurrent use and return within five seconds. An error wraps [ErrUnavailable]; after it, the call may or may not have
// taken effect, and can be repeated.
type EventStore interface {
	// NotifyChanges calls changed after visible changes that this process makes or learns of, until stop is called. One
	// call may stand for several changes, and there may be calls without a change. Changed must return at once and must
	// not call the store.
	NotifyChanges(changed func(Project)) (stop func())

	// Unannounced returns projects whose announcement is not of their present version, or whose sessions have expired,
	// whichever process caused that. It returns nothing if it was called a few seconds ago by any process, and is for
	// what NotifyChanges misses: changes by a process that has ended.
	Unannounced(ctx context.Context) ([]Project, error)

	// Claim gives the claim on a project to a holder, a text that is used once, for a time. Ok is false if somebody has
	// the claim. The announcement is the newest one, zero if there is none.
	Claim(ctx context.Context, project Project, holder string, ttl time.Duration) (a Announcement, ok bool, err error)

	// Renew extends a claim from now on. A time of 0 gives it back. Ok is false if the holder does not have it any more.
	Renew(ctx context.Context, project Project, holder string, ttl time.Duration) (ok bool, err error)

	// Announce replaces the announcement of a project, which survives the end of the process as a change does. It
	// changes nothing and returns false if the holder does not have the claim.
	Announce(ctx context.Context, project Project, holder string, a Announcement) (ok bool, err error)

	// AppendEvents adds events, encoded by the caller, to the log of the newest events of all projects.
	AppendEvents(ctx context.Context, events [][]byte) error

	// Events returns about limit events of the log that were added after the one with an id, oldest first, with the id
	// to continue with. With an empty id it returns no events, but where the log ends. Known is false if the log does
	// not have that id any more, so that events may be missing; they then are all that it has.
	Events(ctx context.Context, after string, limit int) (page []LoggedEvent, next string, known bool, err error)
}

// Announcement is what the events of a project have told. A process that takes over a project continues from it.
type Announcement struct {
	// Version is the version of the project that has been announced; 0 if there is more to announce.
	Version uint64
	// Occupied says that somebody is in the project, as far as events told.
	Occupied bool
	// State is for the sender of events alone. It grows with the users, sections and saves of the project.
	State []byte
}

// LoggedEvent is an entry of the log of events.
type LoggedEvent struct {
	ID   string // of the entry
	Data []byte
}
