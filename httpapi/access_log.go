package httpapi

import (
	"cmp"
	"maps"
	"net/http"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/accesslog"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/requestid"
)

// serveLogged is ServeHTTP with a line in the access log. A request without an id gets one here, so that the host
// application gets it too.
func (h *Handler) serveLogged(w http.ResponseWriter, r *http.Request, began time.Duration) {
	rec := accesslog.Record(w)
	id := requestid.For(rec)
	if requestid.Of(r.Header) != id {
		r = r.WithContext(r.Context()) // a copy: a handler does not change its request
		r.Header = maps.Clone(r.Header)
		r.Header[requestid.Header] = []string{id}
	}
	operation, status := h.serve(rec, r)
	took := metrics.Now() - began
	h.metrics.Request(operation, status, took)
	rec.Status = status // not the one that was sent, if the client went away
	h.requests.Request(rec, id, r.Method, h.knownPath(r), took)
}

// noteUser tells the access log who sent a request. project is as the store knows it.
func noteUser(w http.ResponseWriter, project presence.Project, id presence.UserID) {
	if id != "" {
		accesslog.SetUser(w, access.UserKey(project, id))
	}
}

// knownPath returns the path of a request, with an asterisk from the first part on that means nothing here: it can be any
// text, even a secret.
func (h *Handler) knownPath(r *http.Request) string {
	path := cmp.Or(r.URL.RawPath, r.URL.Path)
	if _, ok := h.page(path); ok {
		return path
	}
	known := "/"
	if strings.HasPrefix(path, h.o.Prefix+"/") {
		known = h.o.Prefix + "/"
	}
	if rest, ok := strings.CutPrefix(path, h.projects); ok {
		known = h.projects
		name, rest, _ := strings.Cut(rest, "/")
		if project, err := presence.ParseProject(name); err == nil {
			known += string(project) + "/"
			if _, ok := h.api[rest]; ok {
				return known + rest
			}
		}
	}
	return known + "*"
}
