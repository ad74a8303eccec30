// Package presence tracks who is online in a writing project and which section each person is in.
//
// A [Store] keeps the sessions of all projects, in one process or for several; packages sqlitestore and redisstore
// have one each. A [Service] checks what callers send and passes it to a store:
//
//	store, err := sqlitestore.Open("data", sqlitestore.Options{})
//	// …
//	go store.Run(ctx)
//	service := presence.NewService(store)
//	reply, err := service.Update(ctx, "thesis", alice, presence.Update{Session: "tab-1", Seq: 1, Section: "abstract"})
//	// reply.Conflicts are the other users who edit the section at this moment
//
// To serve browsers, mount the handler of package httpapi; package identity authenticates their users.
//
// A [Roster] holds the sessions of one project and decides the rules: who is listed, in which order, at which
// version, and who conflicts with whom. It is what a store of your own can be built on; package storetest tests it.
//
// The package imports the standard library only. It knows no HTTP, SQL or Redis.
package presence

import "time"

const (
	// DefaultLease is how long a session outlives its last update: four heartbeats, and twice the
	// interval at which browsers run the timers of a hidden tab.
	DefaultLease = 2 * time.Minute

	// DefaultHeartbeat is the interval between updates of a session that does not change.
	DefaultHeartbeat = 30 * time.Second

	// HiddenGrace is how long a session stays alive after a leave with Hidden. A page that reloads
	// comes back within that time, so other users see no change.
	HiddenGrace = 3 * time.Second

	// BrokenGrace is how long a session stays alive after its live connection broke, so that the page
	// can reconnect or poll.
	BrokenGrace = 15 * time.Second

	// Finality is how long the end of a session is kept, so that no older message creates the session
	// again. No proxy between a page and this process holds a request for that long.
	Finality = 10 * time.Minute

	// MaxSessions is the number of living sessions of one user in one project. At the limit, renewals
	// succeed and new sessions are rejected with [ErrTooManySessions].
	MaxSessions = 20

	// MaxEnded is the number of ended sessions that are kept of one user in one project. That is
	// enough for MaxSessions tabs that each load a page every 12 seconds for all of Finality. Beyond
	// it, a numbered update of an unknown session is rejected with [ErrTooManyChanges], since it may
	// be older than an end that was dropped.
	MaxEnded = 50 * MaxSessions

	// MaxSaves is the number of sections of a project whose newest save is kept. Beyond it, the oldest
	// save is dropped.
	MaxSaves = 1000

	// MaxMoves is the number of moves of sections that a project keeps. Beyond it, the oldest is dropped
	// before [Finality].
	MaxMoves = 100

	// MaxRevision is the length limit of a revision, in characters.
	MaxRevision = 64

	// MinUnguessableName is the shortest session name that moves with its page to another identity (rule
	// 7), in characters: nobody but the page can know it.
	MinUnguessableName = 16

	// MaxListed is the number of occupants that a snapshot lists. Its Count includes the others.
	MaxListed = 1000

	// MaxSafe is the largest version and sequence number: the largest integer that JavaScript
	// represents exactly.
	MaxSafe = 1<<53 - 1
)

// Activity is what a session does in its section.
type Activity string

// The activities. A session without a section is never recorded as Editing.
const (
	Editing Activity = "editing"
	Viewing Activity = "viewing"
	Idle    Activity = "idle"
)

// Update states where a session is and what it does there. It always states the whole session, so
// that a heartbeat creates an expired session again with nothing missing.
type Update struct {
	// Session identifies the tab: at most [MaxName] characters of the project grammar, new for every
	// page load. Clients that send none share the empty name, one session for each user.
	Session string
	// Seq orders the messages of a session. A message whose Seq is not above the highest seen changes
	// nothing. 0 means not numbered; such a message counts when it arrives.
	Seq uint64
	// Section is where the session is; empty for online without a section.
	Section Section
	// Activity is what the session does there. Empty means Editing in a section, Viewing without one.
	Activity Activity
	// Unsaved says that the section holds changes of this session that are not saved yet. The session
	// then claims the section as if it were editing, whatever its Activity. Without a section it has
	// no effect.
	Unsaved bool
	// WaitingFor is a section that the session waits for; empty for none. A session does not wait for a
	// section that it claims itself.
	WaitingFor Section
	// Saved reports a save; zero for none. Repeating the newest save of a section changes nothing.
	Saved Saved
	// UnlessOccupied records Viewing instead of Editing if other users claim the section and this
	// session does not claim it yet.
	UnlessOccupied bool
	// OnlyRenew rejects the update with [ErrTooManyChanges] if it is not a mere renewal. It is set for
	// senders that exceeded a rate limit.
	OnlyRenew bool
	// Lease is how long the session outlives this update; 0 for the lease of the roster, which is also the limit.
	Lease time.Duration
	// Connection identifies the live connection of the update: a number that the server chose at
	// random, 1 to [MaxSafe], or 0 for HTTP. The session keeps the Connection of its newest update;
	// see [Leave].
	Connection uint64
	// Known is the version that the page knows, 0 for none. The page states its sections as of this
	// version, so the moves since then apply to them; see [Roster.Move].
	Known uint64
	// Poll asks for the snapshot as well, unless its version is Known.
	Poll bool
}

// Saved is a revision of a section that was saved. The zero Saved is none.
type Saved struct {
	Section Section
	// Revision identifies what was saved: an opaque text of the host, 1 to [MaxRevision] characters.
	Revision string
}

// Leave ends a session. It is final: no older message creates the session again.
type Leave struct {
	Session string
	Seq     uint64
	// Hidden says that the page is going away, perhaps to reload. The leave takes effect after
	// [HiddenGrace]: sooner if the same user opens a new session in a section, never if a newer
	// update of this session arrives first.
	Hidden bool
	// Connection is the live connection whose end caused the leave, or 0 if a client sent it. A leave
	// with a Connection ends nothing if the newest update of the session came over another live
	// connection.
	Connection uint64
	// Broken says that Connection was lost without a leave. The session stays alive for at most
	// [BrokenGrace], unless it is updated before. Nothing happens unless the newest update of the
	// session came over Connection. Seq is ignored.
	Broken bool
	// OnlyLiving is set for senders that exceeded a rate limit: an unknown session is not kept as
	// ended, and the reply is Stale unless the session was alive.
	OnlyLiving bool
}

// Reply is the answer to an update or a leave. That to a move or to a save of the host has Version and Durable only.
type Reply struct {
	// Version of the project after the message.
	Version uint64
	// Activity that is recorded; empty if the session is not alive.
	Activity Activity
	// You is the sender as others see them, aggregated from all of the sender's sessions.
	You *Occupant
	// Conflicts are the other users who claim the section at this moment, because they are editing it or
	// hold unsaved changes in it, in list order, at most MaxListed.
	Conflicts []*Occupant
	// Snapshot is set if the update asked for it and does not know its version.
	Snapshot *Snapshot
	// Stale says that the message changed nothing: it was not newer than one seen before, or it is a
	// leave with OnlyLiving or Connection that ended nothing.
	Stale bool
	// Partial says that Conflicts may be incomplete; see [Snapshot].
	Partial bool
	// Durable says that the change survives the end of the process. A renewal is durable too, since a
	// restart grants every living session a full lease.
	Durable bool
}
