// Package presence knows who is online in a writing project, and which section
// each person is in.
//
// A [Roster] holds the sessions of one project and decides everything about
// them: who is listed, in which order, at which version, and who is in whose
// way. A [Store] keeps the rosters of all projects, in one process or many. A
// [Service] is the door to a store: whatever comes from outside is checked
// there, once.
//
// The package imports the standard library only, and knows nothing of HTTP,
// SQL or Redis.
package presence

import "time"

const (
	// DefaultLease is how long a session outlives its last sign of life: four
	// heartbeats, and twice the slowest rate at which a browser runs the timers
	// of a hidden tab. The architecture note calls it the active threshold.
	DefaultLease = 2 * time.Minute

	// DefaultHeartbeat is how far apart the updates of a session are that has
	// nothing new to say. From the architecture note.
	DefaultHeartbeat = 30 * time.Second

	// HiddenGrace is how long a session lives on that left because its page was
	// hidden: long enough for a reload to come back without others noticing.
	HiddenGrace = 3 * time.Second

	// BrokenGrace is how long a session lives on whose live connection broke: long enough
	// to come back by another one, or by polling.
	BrokenGrace = 15 * time.Second

	// Finality is how long the end of a session is remembered, so that no older
	// message brings it back: longer than anything between a page and this
	// process holds a request.
	Finality = 10 * time.Minute

	// MaxSessions is how many living sessions one user has in one project.
	// Above it renewals succeed, and new sessions are refused.
	MaxSessions = 20

	// MaxEnded is how many ended sessions of one user in one project are remembered: as if
	// each of MaxSessions tabs loaded a page every 12 seconds for all of Finality. Beyond
	// it, a numbered update of a session that is not known is refused with
	// [ErrTooManyChanges], since it may be older than an end that is no longer remembered.
	MaxEnded = 50 * MaxSessions

	// MaxListed is how many occupants a snapshot lists; its count stays true
	// above it.
	MaxListed = 1000

	// MaxSafe is the largest number that a version or a sequence number may
	// have: the largest integer that JavaScript holds exactly.
	MaxSafe = 1<<53 - 1
)

// Activity is what a session says it does in its section.
type Activity string

// The activities. A session without a section is never recorded as editing.
const (
	Editing Activity = "editing"
	Viewing Activity = "viewing"
	Idle    Activity = "idle"
)

// Update says where a session is. It states the whole of the session, so that
// a heartbeat for one that has lapsed makes it anew, complete.
type Update struct {
	// Session names the tab: at most [MaxName] characters of the project
	// grammar, new for every page load. Empty is a name too: that of clients
	// that send none, of which a user then has one.
	Session string
	// Seq orders the messages of a session; one that is not newer than the
	// newest seen changes nothing. 0 is not numbered, and counts as it arrives.
	Seq uint64
	// Section is where the session is; empty is online without a section.
	Section Section
	// Activity is what it does there; empty is editing in a section and viewing
	// without one.
	Activity Activity
	// UnlessOccupied makes entering careful: where others are editing the
	// section, and this session is not yet, viewing is recorded for editing.
	UnlessOccupied bool
	// OnlyRenew refuses, with [ErrTooManyChanges], what would change more than the
	// last sign of life: for senders that are above a limit.
	OnlyRenew bool
	// Connection identifies the live connection that the update came over: a number
	// that the server chose at random, 1 to [MaxSafe]. 0 is none, for an update over
	// HTTP. The session keeps the Connection of its newest update; see [Leave].
	Connection uint64
	// Poll asks for the snapshot as well, unless Known is its version.
	Poll  bool
	Known uint64
}

// Leave ends a session. It is final: no older message brings the session back.
type Leave struct {
	Session string
	Seq     uint64
	// Hidden says that the page is going away, perhaps to be reloaded: the leave
	// takes effect after [HiddenGrace], unless a newer message of the session
	// comes first.
	// Before it does, a new session of the same user in a section makes it so, too.
	Hidden bool
	// Connection is the live connection whose end is the reason, 0 for a leave that
	// somebody sent. Such a leave ends nothing if the newest update of the session came
	// over another live connection.
	Connection uint64
	// Broken says that Connection was lost and nobody left. The session lives on for
	// [BrokenGrace] at most, or longer if it is updated again before that. Nothing
	// happens unless the newest update of the session came over Connection; Seq is
	// not looked at.
	Broken bool
	// OnlyLiving is for senders above a limit: no unknown session is remembered as ended, and
	// the reply is Stale unless the session was alive.
	OnlyLiving bool
}

// Reply is what an update or a leave came to.
type Reply struct {
	// Version of the project after the message.
	Version uint64
	// Activity that is recorded, empty for a session that is not alive.
	Activity Activity
	// You are the sender as others see them, from all of their sessions.
	You *Occupant
	// Conflicts are the other users who are editing the section at this moment,
	// in the order of lists, at most MaxListed.
	Conflicts []*Occupant
	// Snapshot is there if it was asked for and is not the one that is known.
	Snapshot *Snapshot
	// Stale says that the message was not newer than one seen before, and so
	// changed nothing; or, for a leave with OnlyLiving, that it ended nothing.
	Stale bool
	// Partial says that people may be missing from Conflicts, as in a Snapshot.
	Partial bool
	// Durable says that the change survives the end of the process. A mere
	// renewal, which grants nothing that a restart would not, is durable too.
	Durable bool
}
