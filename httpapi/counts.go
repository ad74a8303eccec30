package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// maxCounted is how many projects one request names at most.
	maxCounted = 100
	// countedAsOne is how many projects of a request count as one request for the rate limits: the
	// application may be asked about each of them, without --auth-url-projects.
	countedAsOne = 10
	// countedAtOnce is how many projects of one request are read concurrently.
	countedAtOnce = 8
	// countsTimeout ends a request whose projects are authorised or read too slowly.
	countsTimeout = 4 * time.Second
)

// counts answers GET …/presence/counts/: how many people are in each of several projects. It leaves out the
// projects that the caller may not see. Whatever else fails for one project fails the request: to leave that
// project out would state what is not known.
func (h *Handler) counts(w http.ResponseWriter, r *http.Request, _ string) (status int) {
	projects, err := projectsOf(r.URL.RawQuery)
	if err != nil {
		return h.fail(w, r, err)
	}
	from, exceeded := h.requestOf(r, "", true)
	if h.o.TenantFromHost && from.Tenant == "" {
		projects = nil // all of them are unknown
	}
	for range (len(projects) - 1) / countedAsOne {
		exceeded = cmp.Or(exceeded, h.access.TakeAddress(from.Address))
	}
	from.LimitExceeded = exceeded != nil
	counted, user, err := h.count(r.Context(), from, projects)
	sender := caller{user: user.User, request: from}
	noteUser(w, from.Key(), user.User.ID)
	if user.Cookie != nil && err != nil {
		clearCookie(w, *user.Cookie)
	}
	if err = cmp.Or(exceeded, err); err == nil && user.User.ID != "" {
		for range (len(projects)-1)/countedAsOne + 1 {
			err = cmp.Or(err, h.access.TakeUser(from.Key(), user.User.ID))
		}
	}
	if err != nil {
		return h.failFor(w, r, sender, err)
	}
	tag := countsTag(counted)
	header := w.Header()
	header["Etag"] = []string{tag}
	header["Cache-Control"] = revalidate
	addVary(header)
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	*b = wire.AppendCounts((*b)[:0], counted)
	return h.respondWithList(w, r, b, len(*b), nil)
}

// projectsOf returns the projects that a query names by project=, sorted and each of them once.
func projectsOf(query string) ([]presence.Project, error) {
	values, err := url.ParseQuery(query)
	ids := values["project"]
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if err != nil || len(ids) == 0 || len(ids) > maxCounted {
		return nil, wire.ErrProjects
	}
	projects := make([]presence.Project, len(ids))
	for i, id := range ids {
		if projects[i], err = presence.ParseProject(id); err != nil {
			return nil, err
		}
	}
	return projects, nil
}

// count authorises a caller for each project and reads its snapshot. It returns those that the caller may see,
// in the order of projects, and the caller. If none is visible because the caller is unknown, the error is
// identity.ErrNobody. Of several errors it returns that of the first project.
func (h *Handler) count(ctx context.Context, from identity.Request, projects []presence.Project) (counted []wire.Counted, user identity.Principal, err error) {
	ctx, cancel := context.WithTimeout(ctx, countsTimeout)
	defer cancel()
	decisions := h.access.AuthenticateMany(ctx, from, projects)
	snapshots := make([]*presence.Snapshot, len(projects))
	slots := make(chan struct{}, countedAtOnce)
	var reading sync.WaitGroup
	for i := range decisions {
		d := &decisions[i]
		if d.Err != nil || from.LimitExceeded { // then the caller rejects the request
			continue
		}
		request := from
		request.Project = projects[i]
		slots <- struct{}{}
		reading.Go(func() {
			defer func() {
				if cause := recover(); cause != nil {
					d.Err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
				}
				<-slots
			}()
			if snapshots[i], d.Err = h.o.Service.Snapshot(ctx, request.Key()); d.Err == nil && snapshots[i].Removed(time.Now(), d.User.ID) != nil {
				d.Err = identity.ErrProjectUnknown
			}
		})
	}
	reading.Wait()
	unknown := false
	for i, d := range decisions {
		switch {
		case errors.Is(d.Err, identity.ErrNobody):
			unknown = true
		case errors.Is(d.Err, identity.ErrProjectUnknown):
		case d.Err != nil:
			return nil, d.Principal, d.Err
		default:
			user = d.Principal
			counted = append(counted, wire.Counted{Project: projects[i], Snapshot: snapshots[i]})
		}
	}
	if unknown && len(counted) == 0 {
		return nil, user, identity.ErrNobody
	}
	return counted, user, nil
}

// countsTag returns a weak tag of the visible projects and their versions.
func countsTag(counted []wire.Counted) string {
	sum := sha256.New()
	for _, c := range counted {
		sum.Write(strconv.AppendUint(append([]byte(c.Project), ' '), c.Snapshot.Version, 10))
		sum.Write([]byte{'\n'})
	}
	return `W/"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
}
