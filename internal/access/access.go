// Package access is the way from a request to the presence service that polling and live connections share: it
// authenticates the caller, applies the rate limits, and counts and logs what was rejected.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// Control authenticates callers and passes their updates and leaves to the service. All fields are needed, and a call of
// Use before any other. Its methods are safe for concurrent use.
type Control struct {
	Presence  *presence.Service
	Lease     time.Duration
	Heartbeat time.Duration
	Metrics   *metrics.HTTP
	Log       *slog.Logger

	rules      atomic.Pointer[Rules]
	everywhere atomic.Pointer[presence.Snapshot] // of presence.Everywhere; see WatchRemovals
}

// Rules are the parts of a Control that can be replaced while the server runs. A nil limiter limits nothing.
type Rules struct {
	Authenticator identity.Authenticator
	// PerUser and PerAddress bound requests and live messages.
	PerUser, PerAddress *ratelimit.Limiter
	// ProjectsPerUser, ProjectsPerVisitor and ProjectsPerAddress bound the different projects that are
	// entered.
	ProjectsPerUser, ProjectsPerVisitor, ProjectsPerAddress *ratelimit.Distinct
}

// Use replaces the rules. Requests that have begun may see the old ones.
func (c *Control) Use(r Rules) { c.rules.Store(&r) }

// Rules returns the rules in use, and the zero Rules before the first call of Use.
func (c *Control) Rules() Rules {
	if r := c.rules.Load(); r != nil {
		return *r
	}
	return Rules{}
}

// Authenticate asks the authenticator who is asking. It rejects a user that is not valid: with an empty id, all
// who have it would be one user, without limits. An invalid picture is left out. Only a request that reads may have no user.
// It rejects users who were removed from all projects; the Principal has the user then.
func (c *Control) Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error) {
	a, err := c.rules.Load().Authenticator.Authenticate(ctx, r)
	return c.check(&r, a, err)
}

// AuthenticateMany is Authenticate for each of several projects, in one round through the authenticators; see
// [identity.ManyAuthenticator].
func (c *Control) AuthenticateMany(ctx context.Context, r identity.Request, projects []presence.Project) []identity.Decision {
	decisions := identity.AuthenticateMany(ctx, c.rules.Load().Authenticator, r, projects)
	for i := range decisions {
		d := &decisions[i]
		r.Project = projects[i]
		d.Principal, d.Err = c.check(&r, d.Principal, d.Err)
	}
	return decisions
}

// check checks what an authenticator returned.
func (c *Control) check(r *identity.Request, a identity.Principal, err error) (identity.Principal, error) {
	if err != nil || r.ReadOnly && a.User == (presence.User{}) {
		return a, err
	}
	a.User.AvatarURL = presence.AvatarURL(a.User.AvatarURL)
	if err := a.User.Check(); err != nil {
		return identity.Principal{}, fmt.Errorf("%w: the authenticator returned an invalid user: %w", presence.ErrUnavailable, err)
	}
	if err := c.removedEverywhere(r.Key(), a.User.ID); err != nil {
		return identity.Principal{User: a.User}, err // without the cookie, which an error clears
	}
	return a, nil
}

// TakeAddress counts a request to an address. The error wraps [wire.ErrTooManyRequests].
func (c *Control) TakeAddress(address string) error {
	return c.rules.Load().PerAddress.Take(address, wire.ErrTooManyRequests)
}

// TakeUser counts a request to a user. project is as the store knows it. The error wraps
// [wire.ErrTooManyRequests].
func (c *Control) TakeUser(project presence.Project, id presence.UserID) error {
	return c.rules.Load().PerUser.Take(UserKey(project, id), wire.ErrTooManyRequests)
}

// Sender is who sends an update or a leave, and from where.
type Sender struct {
	Project presence.Project // as the store knows it: with the tenant, if there is one
	User    presence.User
	Address string // as rate limiters tell addresses apart
	// Exceeded is the error of a rate limit that the sender exceeded; nil for none.
	Exceeded error
}

// Update passes an update to the service, with its sections in their normal form; see [NormalSection]. Over a
// limit, only a renewal succeeds. It rejects a user whose removal from all projects is in force: it may have come after the
// authentication, while the body arrived.
func (c *Control) Update(ctx context.Context, from Sender, u presence.Update) (presence.Reply, error) {
	if err := c.removedEverywhere(from.Project, from.User.ID); err != nil {
		return presence.Reply{}, err
	}
	normaliseSections(&u)
	exceeded := c.exceeded(from)
	u.OnlyRenew = exceeded != nil
	reply, err := c.Presence.Update(ctx, from.Project, from.User, u)
	if errors.Is(err, presence.ErrTooManyChanges) {
		err = errors.Join(err, exceeded) // which has the time in Retry-After
	}
	return reply, err
}

// Leave passes a leave to the service. Over a limit, only the leave of a live session succeeds.
func (c *Control) Leave(ctx context.Context, from Sender, l presence.Leave) (presence.Reply, error) {
	exceeded := c.exceeded(from)
	l.OnlyLiving = exceeded != nil
	reply, err := c.Presence.Leave(ctx, from.Project, from.User, l)
	if err == nil && reply.Stale {
		err = exceeded
	}
	return reply, err
}

// exceeded returns the limit that the sender exceeds, nil for none, and counts the project to the user
// and the address.
func (c *Control) exceeded(from Sender) error {
	if from.Exceeded != nil {
		return from.Exceeded // only renewals succeed, which enter no project
	}
	rules := c.rules.Load()
	project, perUser, address := string(from.Project), rules.ProjectsPerUser, from.Address
	if from.User.Visitor {
		// Visitors count separately, or those of one address could use up the limit of its users.
		perUser, address = rules.ProjectsPerVisitor, "visitors "+address
	}
	// The user first: a user over their own limit must not use up the limit of the address.
	if err := perUser.Use(UserKey(from.Project, from.User.ID), project, wire.ErrTooManyProjects); err != nil {
		return err
	}
	return rules.ProjectsPerAddress.Use(address, project, wire.ErrTooManyProjects)
}

// EndSession ends a session whose user lost access, so that it is not listed until its lease expires. It
// does nothing for an unknown user or an invalid session.
func (c *Control) EndSession(ctx context.Context, project presence.Project, user presence.User, session string) {
	if user.ID == "" {
		return
	}
	_, err := c.Presence.Leave(ctx, project, user, presence.Leave{Session: session, OnlyLiving: true})
	if err != nil && !errors.Is(err, presence.ErrSessionInvalid) {
		c.Log.Error("the session of a user who lost access could not be ended; it is listed until its lease expires", "project", project, "error", err)
	}
}

// CountFailure counts an error that is sent to a client. A rejected token is counted by its reason too, and
// the reason is logged at most once a minute, with the id of the request if it has one; the client does not get it.
func (c *Control) CountFailure(err error, request string) {
	c.Metrics.Failure(wire.FailureOf(err).Code)
	if reason, ok := identity.ReasonOf(err); ok {
		c.Metrics.TokenRejection(reason)
		c.Log.Warn("rejected a token", "cause", string(reason), "meaning", reason.Explain(), "request", request)
	}
}

// Debug reports whether each failure is logged; see LogFailure.
func (c *Control) Debug() bool { return c.Log.Enabled(context.Background(), slog.LevelDebug) }

// LogFailure writes a debug line for one error that is sent to a client, so that an operator can find the
// request. via is http or live. The line has ids only, and nothing else that the client sent.
func (c *Control) LogFailure(via, request string, project presence.Project, user presence.UserID, err error) {
	if known := (*userError)(nil); user == "" && errors.As(err, &known) {
		user = known.user
	}
	attributes := []slog.Attr{
		slog.String("via", via), slog.String("request", request), slog.String("project", string(project)), slog.String("user", string(user)),
		slog.String("code", wire.FailureOf(err).Code),
	}
	if reason, ok := identity.ReasonOf(err); ok {
		attributes = append(attributes, slog.String("reason", string(reason)))
	}
	c.Log.LogAttrs(context.Background(), slog.LevelDebug, "answered with an error", attributes...)
}

// WithUser returns err with the user whom it is about, for LogFailure to log.
func WithUser(err error, user presence.UserID) error { return &userError{err, user} }

type userError struct {
	error
	user presence.UserID
}

func (e *userError) Unwrap() error { return e.error }

// SplitKey splits a project as the store knows it into tenant and id; see [identity.Request.Key]. Without
// tenants the tenant is empty.
func SplitKey(key presence.Project) (tenant string, project presence.Project) {
	slash := strings.LastIndexByte(string(key), '/')
	if slash < 0 {
		return "", key
	}
	return string(key[:slash]), key[slash+1:]
}

// UserKey returns the key by which limits count a user. The same id in another tenant is another user.
func UserKey(project presence.Project, id presence.UserID) string {
	tenant, _ := SplitKey(project)
	if tenant == "" {
		return string(id)
	}
	return tenant + "/" + string(id)
}
