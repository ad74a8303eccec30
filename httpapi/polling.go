package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/access"
	"github.com/writer-presence/writer-presence/internal/live"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// update answers POST …/update/. Over a rate limit, renewals still succeed.
func (h *Handler) update(w http.ResponseWriter, r *http.Request, project string) (status int) {
	from, err := h.authenticate(w, r, project, false)
	if err != nil {
		if access.LosesSession(err) {
			h.endSession(r, from)
		}
		return h.failFor(w, r, from, err)
	}
	var body wire.Update
	if err := decodeBody(r, &body); err != nil {
		return h.failFor(w, r, from, err)
	}
	u, err := body.Domain()
	if err != nil {
		return h.failFor(w, r, from, err)
	}
	reply, err := h.access.Update(r.Context(), from.sender(), u)
	if err != nil {
		return h.failFor(w, r, from, err)
	}
	if from.cookie != nil { // set only now, so that a failed request creates no visitor
		http.SetCookie(w, from.cookie)
	} else {
		h.givePageCookie(w, r)
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	var at int
	*b, at = wire.AppendReply((*b)[:0], reply, h.o.Heartbeat)
	return h.respondWithList(w, r, b, at, reply.Snapshot)
}

// endSession ends the session that the body of a request names, after its user lost access.
func (h *Handler) endSession(r *http.Request, from caller) {
	var body wire.Update
	if from.user.ID == "" || decodeBody(r, &body) != nil {
		return
	}
	h.access.EndSession(r.Context(), from.project, from.user, body.Session)
}

var revalidate = []string{"private, no-cache"}

// list answers GET …/list/.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, project string) (status int) {
	from, err := h.authenticate(w, r, project, true)
	if err == nil {
		err = from.exceeded
	}
	if err != nil {
		return h.failFor(w, r, from, err)
	}
	snapshot, err := h.o.Service.SnapshotSince(r.Context(), from.project, newestOf(r.Header["If-None-Match"]))
	if err == nil && from.user.ID != "" {
		err = snapshot.Removed(time.Now(), from.user.ID)
	}
	if err != nil {
		return h.failFor(w, r, from, err)
	}
	tag := `W/"` + strconv.FormatUint(snapshot.Version, 10) + `"`
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
	var at int
	*b, at = wire.AppendList((*b)[:0], snapshot)
	return h.respondWithList(w, r, b, at, snapshot)
}

// leave answers POST …/leave/. Over a rate limit, the leave of a live session still succeeds.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, project string) (status int) {
	from, err := h.authenticate(w, r, project, true)
	if err != nil {
		if access.LosesSession(err) {
			h.endSession(r, from)
		}
		return h.failFor(w, r, from, err)
	}
	if from.user.ID == "" { // an unknown caller has no session to end
		return h.failFor(w, r, from, cmp.Or(from.exceeded, identity.ErrNobody))
	}
	var body wire.Leave
	if err := decodeBody(r, &body); err != nil {
		return h.failFor(w, r, from, err)
	}
	reply, err := h.access.Leave(r.Context(), from.sender(), presence.Leave{Session: body.Session, Seq: body.Seq, Hidden: body.Hidden})
	if err != nil {
		return h.failFor(w, r, from, err)
	}
	return respond(w, http.StatusOK, wire.AppendLeft(make([]byte, 0, 80), reply, h.o.Heartbeat))
}

// live answers GET …/live/. It rejects the same callers as list, except unknown ones: a browser can send its
// token only in the hello, and is authenticated then.
func (h *Handler) live(w http.ResponseWriter, r *http.Request, project string) (status int) {
	if !live.IsHandshake(r) {
		return h.fail(w, r, wire.ErrUpgradeRequired)
	}
	if !h.mayConnect(r) {
		return h.failOrigin(w, r)
	}
	from, err := h.authenticate(w, r, project, true)
	if errors.Is(err, identity.ErrNobody) {
		err = nil
	}
	if err = cmp.Or(err, from.exceeded); err != nil {
		return h.failFor(w, r, from, err)
	}
	status, err = h.hub.Upgrade(w, r, from.request)
	if status == 0 {
		return h.failFor(w, r, from, err)
	}
	return status
}
