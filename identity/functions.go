package identity

import (
	"context"

	presence "writer-presence"
)

// Functions is the word of a host that is this very program.
type Functions struct {
	// Identify tells who is asking, by [NewUser]. The error for somebody whom the host does
	// not know is [ErrNobody].
	Identify func(context.Context, Request) (presence.User, error)
	// Authorize tells whether somebody may see a project. The error is [ErrProjectUnknown],
	// whether it is not theirs or not there.
	Authorize func(context.Context, presence.User, presence.Project) error
}

// Admit implements [Gate].
func (f Functions) Admit(ctx context.Context, r Request) (Admission, error) {
	user, err := f.Identify(ctx, r)
	if err != nil {
		return Admission{}, err
	}
	return Admission{User: user}, f.Authorize(ctx, user, r.Project)
}
