package identity

import (
	"context"
	"errors"
	"fmt"

	presence "github.com/writer-presence/writer-presence"
)

// Functions authenticates and authorises users by functions of the program that embeds this package. Both
// functions are needed and must be safe for concurrent use.
type Functions struct {
	// Identify returns the user of a request, made by [NewUser], with AvatarURL and Agent where the
	// program knows them; an AvatarURL that [presence.AvatarURL] does not accept is left out. It returns [ErrNobody] for a caller
	// it does not know. Any other error except [ErrTokenInvalid] counts as [presence.ErrUnavailable],
	// and so does a user that [NewUser] rejects, such as one with an empty id.
	Identify func(context.Context, Request) (presence.User, error)
	// Authorize returns nil if the user may see the project, and [ErrProjectUnknown] if the project
	// is forbidden or does not exist. Any other error counts as [presence.ErrUnavailable]. The
	// project is [Request.Key], so it includes the tenant if there is one.
	Authorize func(context.Context, presence.User, presence.Project) error
}

// Authenticate implements [Authenticator].
func (f Functions) Authenticate(ctx context.Context, r Request) (Principal, error) {
	user, err := f.identify(ctx, r)
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: user}, known(f.Authorize(ctx, user, r.Key()))
}

// identify returns the user of a request. The error is one that Authenticate may return.
func (f Functions) identify(ctx context.Context, r Request) (presence.User, error) {
	if f.Identify == nil || f.Authorize == nil {
		return presence.User{}, fmt.Errorf("%w: Functions needs both Identify and Authorize", presence.ErrUnavailable)
	}
	user, err := f.Identify(ctx, r)
	if err != nil {
		return presence.User{}, known(err)
	}
	user.AvatarURL = presence.AvatarURL(user.AvatarURL)
	if user.Visitor { // only Visitors makes visitors
		err = presence.ErrUserIDInvalid
	} else {
		err = user.Check()
	}
	if err != nil {
		return presence.User{}, fmt.Errorf("%w: Identify returned an invalid user, so nobody is let in: %w", presence.ErrUnavailable, err)
	}
	return user, nil
}

// known returns the errors that Identify and Authorize may return as they are, and makes any other
// one unavailable.
func known(err error) error {
	if err == nil || errors.Is(err, ErrNobody) || errors.Is(err, ErrProjectUnknown) || errors.Is(err, ErrTokenInvalid) {
		return err
	}
	return fmt.Errorf("%w: %v", presence.ErrUnavailable, err) // not %w: the cause is the host's, not the user's
}
