package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// countRefusal counts a refused request or live message by its code. A rejected token is counted by
// its reason too, and the log says that reason at most once a minute; the answer does not.
func (s *Handler) countRefusal(err error, f failure) {
	s.Counts.Failures[f.code].Add(1)
	if reason, ok := identity.ReasonOf(err); ok {
		s.Counts.TokenRejections[reason].Add(1)
		s.Log.Warn("rejected a token", "cause", string(reason), "meaning", reason.Explain())
	}
}

// debugs reports whether refusals are logged one by one.
func (s *Handler) debugs() bool { return s.Log.Enabled(context.Background(), slog.LevelDebug) }

// logRefusal writes a line for one refusal, from which the request can be found. It has ids only,
// and nothing else of what the client sent. Call it if debugs.
func (s *Handler) logRefusal(via, request string, project presence.Project, user presence.UserID, err error, f failure) {
	if known := (*ofUser)(nil); user == "" && errors.As(err, &known) {
		user = known.user
	}
	attributes := []slog.Attr{
		slog.String("via", via), slog.String("request", request), slog.String("project", string(project)), slog.String("user", string(user)), slog.String("code", f.code),
	}
	if reason, ok := identity.ReasonOf(err); ok {
		attributes = append(attributes, slog.String("reason", string(reason)))
	}
	s.Log.LogAttrs(context.Background(), slog.LevelDebug, "answered with an error", attributes...)
}

// logRefusedRequest logs the refusal of a request, and tells the client its id. The project is only
// logged if it can be one: anything could be in its place in the path.
func (s *Handler) logRefusedRequest(w http.ResponseWriter, r *http.Request, who asker, err error, f failure) {
	if !s.debugs() {
		return
	}
	id := cmp.Or(safeValue(first(r.Header, "X-Request-Id"), maxRequestID), rand.Text())
	w.Header().Set("X-Request-Id", id)
	project := who.project
	if rest, ok := strings.CutPrefix(r.URL.Path, s.projects); ok && project == "" {
		name, _, _ := strings.Cut(rest, "/")
		project, _ = presence.ParseProject(name)
	}
	s.logRefusal("http", id, project, who.user.ID, err, f)
}

// failed is [Handler.failed] of a live connection, and logs the refusal.
func (c *liveConn) failed(err error) failure {
	f := c.live.failed(err)
	if c.live.debugs() {
		id := cmp.Or(c.request, "live-"+strconv.FormatUint(c.id, 36))
		c.live.logRefusal("live", id, c.project, c.whose().ID, err, f)
	}
	return f
}

// ofUser is an error with the user whom it is about, where the connection has none yet.
type ofUser struct {
	error
	user presence.UserID
}

func (o *ofUser) Unwrap() error { return o.error }
