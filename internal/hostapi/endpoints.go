package hostapi

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// pageSize is how many projects an answer lists.
	pageSize = 100
	// searchTime is how long a request looks for projects before it answers with those that it found, and where to
	// continue. Each call of the store may take two seconds more.
	searchTime = 2 * time.Second
	// maxRemoval is the longest time for which a user can be removed.
	maxRemoval = 24 * time.Hour
	// session is the name of the session of a user whom the host lists. It is short enough to stay with its user (rule 7).
	session = "host-api"
)

// status answers GET status.
func (h *Handler) status(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	return h.o.Status(r.Context()), nil
}

// projects answers GET projects.
func (h *Handler) projects(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	q := r.URL.Query()
	prefix := q.Get("prefix")
	if tenant, _, ok := strings.Cut(prefix, "/"); ok { // another server's, or misspelt, would be a list of nobody
		if err := h.checkTenant(tenant); err != nil {
			return nil, err
		}
	}
	page, next, err := h.o.Service.Projects(r.Context(), presence.ProjectFilter{Prefix: prefix}, q.Get("cursor"), pageSize)
	if err != nil {
		return nil, err
	}
	return wire.AppendProjects(nil, page, next), nil
}

// project answers GET projects/{project}.
func (h *Handler) project(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	snapshot, sessions, err := h.o.Service.Sessions(r.Context(), project)
	if err != nil {
		return nil, err
	}
	return wire.AppendSessions(nil, snapshot, sessions), nil
}

// removeAll answers DELETE projects/{project}.
func (h *Handler) removeAll(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	return h.remove(r, project, "")
}

// remove removes a user, or everybody, from a project.
func (h *Handler) remove(r *http.Request, project presence.Project, user presence.UserID) ([]byte, error) {
	until, err := untilOf(r)
	if err != nil {
		return nil, err
	}
	reply, err := h.o.Service.Remove(r.Context(), project, presence.Removal{User: user, Until: until})
	if err != nil {
		return nil, err
	}
	return wire.AppendChanged(nil, reply), nil
}

// save answers POST projects/{project}/saves.
func (h *Handler) save(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	var body wire.HostSave
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	user, err := identity.NewUser(presence.UserID(body.UserID), body.Username)
	if err != nil {
		return nil, err
	}
	saved := presence.Saved{Section: access.NormalSection(presence.Section(body.Section)), Revision: body.Revision}
	reply, err := h.o.Service.Save(r.Context(), project, user, saved)
	if err != nil {
		return nil, err
	}
	return wire.AppendChanged(nil, reply), nil
}

// move answers POST projects/{project}/sections/move.
func (h *Handler) move(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	var body wire.HostMove
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	from, to := access.NormalSection(presence.Section(body.From)), access.NormalSection(presence.Section(body.To))
	reply, err := h.o.Service.Move(r.Context(), project, from, to)
	if err != nil {
		return nil, err
	}
	return wire.AppendChanged(nil, reply), nil
}

// listUser answers PUT projects/{project}/users/{user}.
func (h *Handler) listUser(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	var body wire.HostUser
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	user, err := identity.NewUser(presence.UserID(r.PathValue("user")), body.Username)
	if err != nil {
		return nil, err
	}
	user.AvatarURL, user.Agent = body.AvatarURL, body.Agent
	u := presence.Update{
		Session: session, Section: access.NormalSection(presence.Section(body.Section)), Activity: body.Activity, Unsaved: body.Unsaved,
		WaitingFor: access.NormalSection(presence.Section(body.WaitingFor)),
	}
	if body.TTL != nil {
		if *body.TTL == 0 || *body.TTL > uint64(h.o.Lease/time.Second) {
			return nil, wire.ErrSeconds
		}
		u.Lease = time.Duration(*body.TTL) * time.Second
	}
	everywhere, err := h.o.Service.Snapshot(r.Context(), presence.Everywhere) // the store knows removals from the project only
	if err == nil {
		err = everywhere.Removed(time.Now(), presence.UserID(access.UserKey(project, user.ID)))
	}
	if err != nil {
		return nil, err
	}
	reply, err := h.o.Service.Update(r.Context(), project, user, u)
	if err != nil {
		return nil, err
	}
	answer, _ := wire.AppendReply(nil, reply, presence.DefaultHeartbeat)
	return answer, nil
}

// removeUser answers DELETE projects/{project}/users/{user}.
func (h *Handler) removeUser(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	project, err := h.projectOf(r)
	if err != nil {
		return nil, err
	}
	user, err := userOf(r)
	if err != nil {
		return nil, err
	}
	return h.remove(r, project, user)
}

// user answers GET users/{user}.
func (h *Handler) user(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	_, filter, err := h.everywhere(r)
	if err != nil {
		return nil, err
	}
	var all []presence.ActiveProject
	next, err := h.search(r, filter, func(page []presence.ActiveProject) error {
		all = append(all, page...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return wire.AppendPlaces(nil, all, next), nil
}

// removeEverywhere answers DELETE users/{user}. The removal everywhere closes live connections on all nodes and rejects
// requests; the removals from the projects of the user end the sessions of pages that poll.
func (h *Handler) removeEverywhere(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
	key, filter, err := h.everywhere(r)
	if err != nil {
		return nil, err
	}
	until, err := untilOf(r)
	if err != nil {
		return nil, err
	}
	durable, n := true, 0
	remove := func(project presence.Project, removal presence.Removal) error {
		reply, err := h.o.Service.Remove(r.Context(), project, removal)
		durable = durable && reply.Durable
		return err
	}
	if r.URL.Query().Get("cursor") == "" {
		if err := remove(presence.Everywhere, presence.Removal{User: key, Until: until}); err != nil {
			return nil, err
		}
	}
	var full error // of a project that can keep no more removals; the user still has to leave the others
	next, err := h.search(r, filter, func(page []presence.ActiveProject) error {
		for _, p := range page {
			err := remove(p.Project, presence.Removal{User: filter.User})
			if errors.Is(err, presence.ErrTooManyRemovals) {
				full = err
				continue
			}
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err = cmp.Or(err, full); err != nil {
		return nil, err
	}
	return wire.AppendRemoved(nil, n, durable, next), nil
}

// search calls do for the active projects of a filter, a page at a time, from the cursor of the request on. Next is
// where to continue if it did not come to the end within searchTime.
func (h *Handler) search(r *http.Request, f presence.ProjectFilter, do func([]presence.ActiveProject) error) (next string, err error) {
	next = r.URL.Query().Get("cursor")
	for began := time.Now(); ; {
		var page []presence.ActiveProject
		page, next, err = h.o.Service.Projects(r.Context(), f, next, pageSize)
		if err == nil {
			err = do(page)
		}
		if err != nil || next == "" || time.Since(began) > searchTime {
			return next, err
		}
	}
}

// projectOf returns the project that the path names, with its tenant if the server has tenants.
func (h *Handler) projectOf(r *http.Request) (presence.Project, error) {
	tenant, id := access.SplitKey(presence.Project(r.PathValue("project")))
	if err := h.checkTenant(tenant); err != nil {
		return "", err
	}
	if _, err := presence.ParseProject(string(id)); err != nil {
		return "", err
	}
	return identity.Request{Tenant: tenant, Project: id}.Key(), nil
}

// checkTenant returns an error unless the tenant is a host in its normal form on a server with tenants, and empty on any
// other.
func (h *Handler) checkTenant(tenant string) error {
	normal, ok := origin.Host(tenant)
	if h.o.Tenants && (!ok || tenant == "" || normal != tenant) || !h.o.Tenants && tenant != "" {
		return wire.ErrTenant
	}
	return nil
}

// userOf returns the user that the path names.
func userOf(r *http.Request) (presence.UserID, error) {
	id := presence.UserID(r.PathValue("user"))
	user, err := presence.NewUser(id, "", strings.HasPrefix(string(id), presence.VisitorPrefix))
	return user.ID, err
}

// everywhere returns the user that the path names as removals everywhere name them, and a filter for the user's projects.
func (h *Handler) everywhere(r *http.Request) (key presence.UserID, f presence.ProjectFilter, err error) {
	tenant := r.URL.Query().Get("tenant")
	if err := h.checkTenant(tenant); err != nil {
		return "", f, err
	}
	if f.User, err = userOf(r); err != nil {
		return "", f, err
	}
	if tenant != "" {
		f.Prefix = tenant + "/"
	}
	return presence.UserID(access.UserKey(presence.Project(f.Prefix), f.User)), f, nil
}

// untilOf returns until when a removal holds, by the parameter for; the zero time without one. An empty one is an error:
// the variable of a script is missing, and 0 would take a removal back.
func untilOf(r *http.Request) (until time.Time, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return until, wire.ErrSeconds
	}
	if !query.Has("for") {
		return until, nil
	}
	seconds, err := strconv.ParseUint(query.Get("for"), 10, 32)
	if d := time.Duration(seconds) * time.Second; err != nil || d > maxRemoval {
		return until, wire.ErrSeconds
	} else if d > 0 {
		until = time.Now().Add(d)
	}
	return until, nil
}
