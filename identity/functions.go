package identity

import (
	"context"
	"errors"
	"fmt"

	presence "github.com/writer-presence/writer-presence"
)

// Functions asks functions of the host application, which is this very program.
type Functions struct {
	// Identify tells who is asking, by [NewUser]. The error for somebody whom the host does
	// not know is [ErrNobody]; any other but [ErrTokenInvalid] means that it cannot be known
	// now, and so does a user that [NewUser] would not make, such as one with an empty id.
	Identify func(context.Context, Request) (presence.User, error)
	// Authorize tells whether somebody may see a project. The error is [ErrProjectUnknown],
	// whether it is not theirs or not there; any other means that it cannot be known now. Where
	// there are tenants the project is that of [Request.Key].
	Authorize func(context.Context, presence.User, presence.Project) error
}

// Admit implements [Gate].
func (f Functions) Admit(ctx context.Context, r Request) (Admission, error) {
	user, err := f.Identify(ctx, r)
	if err != nil {
		return Admission{}, known(err)
	}
	if user.Visitor { // only the visitor cookie makes visitors
		err = presence.ErrUserIDInvalid
	} else {
		err = user.Check()
	}
	if err != nil {
		return Admission{}, fmt.Errorf("%w: Identify returned an invalid user, so nobody is let in: %w", presence.ErrUnavailable, err)
	}
	return Admission{User: user}, known(f.Authorize(ctx, user, r.Key()))
}

// known takes an error that is none of those above for one of a host that does not know.
func known(err error) error {
	if err == nil || errors.Is(err, ErrNobody) || errors.Is(err, ErrProjectUnknown) || errors.Is(err, ErrTokenInvalid) {
		return err
	}
	return fmt.Errorf("%w: %v", presence.ErrUnavailable, err) // not %w: the cause is the host's, not the user's
}
