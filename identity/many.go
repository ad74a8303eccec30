package identity

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	presence "github.com/writer-presence/writer-presence"
)

// ManyAuthenticator is optionally implemented by an [Authenticator] that decides about several projects at less cost than
// about each of them.
type ManyAuthenticator interface {
	// AuthenticateMany is Authenticate for each of the projects, which take the place of r.Project. It returns a Decision
	// for each, in their order, within five seconds, and is safe for concurrent use.
	AuthenticateMany(ctx context.Context, r Request, projects []presence.Project) []Decision
}

// Decision is what Authenticate returns about one project.
type Decision struct {
	Principal
	Err error
}

// AuthenticateMany calls the method of this name, or Authenticate for each project, several at a time. A panic of
// Authenticate is the error of its project.
func AuthenticateMany(ctx context.Context, a Authenticator, r Request, projects []presence.Project) []Decision {
	if many, ok := a.(ManyAuthenticator); ok {
		return many.AuthenticateMany(ctx, r, projects)
	}
	return authenticateEach(ctx, a.Authenticate, r, projects)
}

// atOnce is how many projects of one request authenticateEach asks about concurrently.
const atOnce = 8

func authenticateEach(ctx context.Context, authenticate func(context.Context, Request) (Principal, error), r Request, projects []presence.Project) []Decision {
	decisions := make([]Decision, len(projects))
	slots := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for i, project := range projects {
		slots <- struct{}{}
		asking.Go(func() {
			d, of := &decisions[i], r
			defer func() {
				if cause := recover(); cause != nil {
					d.Err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
				}
				<-slots
			}()
			of.Project = project
			d.Principal, d.Err = authenticate(ctx, of)
		})
	}
	asking.Wait()
	return decisions
}

// AuthenticateMany implements [ManyAuthenticator]: it asks each authenticator once, about the projects of which those
// before it know no user.
func (f firstOf) AuthenticateMany(ctx context.Context, r Request, projects []presence.Project) []Decision {
	decisions, open := make([]Decision, len(projects)), make([]int, len(projects))
	for i := range decisions {
		decisions[i].Err, open[i] = ErrNobody, i
	}
	for _, authenticator := range f {
		asked := make([]presence.Project, len(open))
		for n, i := range open {
			asked[n] = projects[i]
		}
		var left []int
		for n, d := range AuthenticateMany(ctx, authenticator, r, asked) {
			if errors.Is(d.Err, ErrNobody) {
				left = append(left, open[n])
			} else {
				decisions[open[n]] = d
			}
		}
		if open = left; len(open) == 0 {
			break
		}
	}
	return decisions
}

// AuthenticateMany implements [ManyAuthenticator]: it calls Identify once.
func (f Functions) AuthenticateMany(ctx context.Context, r Request, projects []presence.Project) []Decision {
	identify := sync.OnceValues(func() (presence.User, error) { return f.identify(ctx, r) })
	return authenticateEach(ctx, func(ctx context.Context, r Request) (Principal, error) {
		user, err := identify()
		if err != nil {
			return Principal{}, err
		}
		return Principal{User: user}, known(f.Authorize(ctx, user, r.Key()))
	}, r, projects)
}
