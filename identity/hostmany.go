package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// maxAddress is the length of an address in bytes from which the projects of a question are asked about in another
// request: many servers reject longer ones.
const maxAddress = 3500

// SetProjectsAddress sets an address that answers about several projects at once, such as
// http://127.0.0.1:8000/presence/. It gets ?project=a&project=b, and answers like the other address, with
// "projects": the list of those that the user may see. It must not be the other address for any project. Call
// SetProjectsAddress before the Host is used.
func (h *Host) SetProjectsAddress(address string) error {
	fail := func(why string) error {
		return fmt.Errorf("%q cannot be used as the address for several projects: %s, such as http://127.0.0.1:8000/presence/", userInfo.ReplaceAllString(address, "//…@"), why)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(address, "#{}") {
		return fail("give an http or https address without {project} and #")
	}
	// The answer 200 about several projects, none of them visible, would open this project.
	if project := h.projectAt(address); project != "" {
		return fail(fmt.Sprintf("it is also the address for the project %s; give another one", project))
	}
	h.projects = address + "?project="
	if u.RawQuery != "" {
		h.projects = address + "&project="
	}
	return nil
}

// projectAt returns the project about which an address asks, but for its query; "" if there is none.
func (h *Host) projectAt(address string) presence.Project {
	path, _, _ := strings.Cut(address, "?")
	after, _, _ := strings.Cut(h.after, "?")
	text, begins := strings.CutPrefix(path, h.before)
	text, ends := strings.CutSuffix(text, after)
	project, err := presence.ParseProject(text)
	if !begins || !ends || err != nil {
		return ""
	}
	return project
}

// AuthenticateMany implements [ManyAuthenticator]. With an address for several projects it asks the host once about all
// projects whose answer is not in the cache.
func (h *Host) AuthenticateMany(ctx context.Context, r Request, projects []presence.Project) []Decision {
	if h.projects == "" {
		return authenticateEach(ctx, h.Authenticate, r, projects)
	}
	decisions := make([]Decision, len(projects))
	var missing []int
	q := questionOf(r)
	for i, project := range projects {
		q.project = project
		a, ok := h.answer(q.key())
		age := hostAge
		if errors.Is(a.err, presence.ErrUnavailable) {
			age = failureAge
		}
		switch {
		case ok && time.Since(a.at) <= age:
			decisions[i] = Decision{Principal{User: a.user}, a.err}
		case r.LimitExceeded:
			decisions[i].Principal, decisions[i].Err = h.Authenticate(ctx, of(r, project)) // from the cache, or rejected
		default:
			missing = append(missing, i)
		}
	}
	for len(missing) > 0 {
		some := h.fitting(projects, missing)
		h.askMany(ctx, q, projects, some, decisions)
		missing = missing[len(some):]
	}
	return decisions
}

// of returns the request for another project.
func of(r Request, project presence.Project) Request {
	r.Project = project
	return r
}

// fitting returns the first of the projects at the indexes, as many as fit into one address; at least one.
func (h *Host) fitting(projects []presence.Project, indexes []int) []int {
	length := len(h.projects)
	for n, i := range indexes {
		if length += len("&project=") + len(projects[i]); length > maxAddress && n > 0 {
			return indexes[:n]
		}
	}
	return indexes
}

// askMany asks the host about the projects at the indexes, and caches and sets their decisions.
func (h *Host) askMany(ctx context.Context, q question, projects []presence.Project, indexes []int, decisions []Decision) {
	limited, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	for _, i := range indexes {
		q.several = append(q.several, projects[i])
	}
	user, visible, err := h.send(limited, q, h.requests)
	if errors.Is(err, presence.ErrUnavailable) {
		h.logFailure(q, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range indexes {
		a := hostAnswer{user, err, time.Now()}
		if err == nil && !slices.Contains(visible, string(projects[i])) {
			a.err = ErrProjectUnknown
		}
		decisions[i] = Decision{Principal{User: a.user}, a.err}
		if ctx.Err() == nil { // else the caller went away, which says nothing about the host
			q.project = projects[i]
			h.answers.Set(q.key(), a)
		}
	}
}
