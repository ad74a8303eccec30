package presence

import "errors"

// The errors of this package, as told to whoever asked: each says what to do.
// Stores and the tracker return them wrapped; match them with [errors.Is].
var (
	ErrProjectInvalid  = errors.New("a project id is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'")
	ErrSectionInvalid  = errors.New("a section is a path such as manuscript/abstract: segments with content between single slashes, without control characters")
	ErrSectionTooLong  = errors.New("a section is at most 100 characters long; send a shorter path")
	ErrSessionInvalid  = errors.New("a session is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'; make a new random one for each page load")
	ErrSeqInvalid      = errors.New("seq is a whole number from 1 to 9007199254740991 that grows with every message of the session")
	ErrActivityInvalid = errors.New("activity is editing, viewing or idle")
	ErrUserIDInvalid   = errors.New("a user id is 1 to 200 bytes without control characters, and begins with visitor- for visitors only")
	ErrUsernameInvalid = errors.New("a username is 1 to 64 characters that show, with single spaces between words; make users with NewUser")
	ErrTooManyChanges  = errors.New("too many requests; this one would have changed something and was not taken in, so send it again after the time in Retry-After")
	ErrTooManySessions = errors.New("this user has 20 open tabs in this project; close one of them and try again")
	// ErrUnavailable means that the store does not know: not that nobody is there.
	ErrUnavailable = errors.New("who is here is not known at the moment; keep the last list, marked as old, and ask again later")
	// ErrDegraded is not told to whoever asked, but to those who look after a store; see
	// [Health].
	ErrDegraded = errors.New("degraded")
)
