package presence

import "errors"

// Errors of this package. Their texts are sent to clients and say what to do. Services and stores
// return them wrapped; match them with [errors.Is].
var (
	ErrProjectInvalid  = errors.New("a project id is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'")
	ErrSectionInvalid  = errors.New("a section is a path such as manuscript/abstract: segments with visible characters between single slashes, without control characters")
	ErrSectionTooLong  = errors.New("a section is at most 100 characters long; send a shorter path")
	ErrSessionInvalid  = errors.New("a session is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'; make a new random one for each page load")
	ErrSeqInvalid      = errors.New("seq is a whole number from 1 to 9007199254740991 that grows with every message of the session")
	ErrActivityInvalid = errors.New("activity is editing, viewing or idle")
	ErrRevisionInvalid = errors.New("a revision is 1 to 64 characters without control characters")
	ErrUserIDInvalid   = errors.New("a user id is 1 to 512 bytes without control characters, and begins with visitor- for visitors only")
	ErrUsernameInvalid = errors.New("a username is 1 to 64 visible characters with single spaces between words; make users with NewUser")
	ErrAvatarInvalid   = errors.New("an avatar URL is an absolute https URL of at most 1000 bytes of ASCII, without user and password")
	ErrTooManyChanges  = errors.New("too many requests; this one would have changed something and was rejected, so send it again after the time in Retry-After")
	ErrTooManySessions = errors.New("this user has 20 open tabs in this project; close one of them and try again")
	ErrCursorInvalid   = errors.New("this cursor is not one that the server gave: send next of the last answer, or leave cursor out to begin")
	ErrRemoved         = errors.New("the application removed you from this project; come back after the time in Retry-After, if there is one")
	ErrTooManyRemovals = errors.New("1000 removals are in force in this project; wait until one is over")
	// ErrUnavailable means that the store cannot answer. It never means that nobody is online.
	ErrUnavailable = errors.New("presence is unavailable at the moment; keep the last list, marked as old, and ask again later")
	// ErrDegraded is returned by [Health] only and never sent to clients.
	ErrDegraded = errors.New("degraded")
)
