package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

type updateBody struct {
	Section        string
	Session        string
	Seq            uint64
	Activity       presence.Activity
	UnlessOccupied bool
	KnownVersion   *uint64
}

// Field implements [strictjson.Fields].
func (b *updateBody) Field(name []byte) any {
	switch string(name) {
	case "section":
		return &b.Section
	case "session":
		return &b.Session
	case "seq":
		return &b.Seq
	case "activity":
		return &b.Activity
	case "unless_occupied":
		return &b.UnlessOccupied
	case "known_version":
		return &b.KnownVersion
	default:
		return nil
	}
}

func (b *updateBody) update() (presence.Update, error) {
	u := presence.Update{
		Session: b.Session, Seq: b.Seq,
		Section: presence.Section(b.Section), Activity: b.Activity, UnlessOccupied: b.UnlessOccupied,
	}
	if b.KnownVersion != nil {
		if *b.KnownVersion > presence.MaxSafe {
			return u, errVersion
		}
		u.Poll, u.Known = true, *b.KnownVersion
	}
	return u, nil
}

// update answers POST …/update/. Above a limit renewals still succeed.
func (s *Handler) update(w http.ResponseWriter, r *http.Request, project string) (status int) {
	who, err := s.admit(w, r, project, false)
	if err != nil {
		if errors.Is(err, identity.ErrProjectUnknown) {
			s.expel(r, who)
		}
		return s.failFor(w, r, who, err)
	}
	var body updateBody
	if err := decode(r, &body); err != nil {
		return s.failFor(w, r, who, err)
	}
	u, err := body.update()
	if err != nil {
		return s.failFor(w, r, who, err)
	}
	reply, err := s.putUpdate(r.Context(), who.sender(), u)
	if err != nil {
		return s.failFor(w, r, who, err)
	}
	if who.cookie != nil { // nobody becomes a visitor by a request that fails
		http.SetCookie(w, who.cookie)
	} else {
		s.givePageCookie(w, r)
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	var at int
	*b, at = s.appendReply((*b)[:0], reply)
	return s.answerUsers(w, r, b, at, reply.Snapshot)
}

// expel ends the session that the body of a request names, because its user has lost access.
// Otherwise the session would be listed until its lease ends.
func (s *Handler) expel(r *http.Request, who asker) {
	var body updateBody
	if who.user.ID == "" || decode(r, &body) != nil {
		return
	}
	s.endSession(r.Context(), who.project, who.user, body.Session)
}

// endSession ends the session of a user who has lost access. An unknown user, or an invalid
// session name, has no session to end.
func (s *Handler) endSession(ctx context.Context, project presence.Project, user presence.User, session string) {
	if user.ID == "" {
		return
	}
	_, err := s.Tracker.Leave(ctx, project, user, presence.Leave{Session: session, OnlyLiving: true})
	if err != nil && !errors.Is(err, presence.ErrSessionInvalid) {
		s.Log.Error("the session of a user who has lost access could not be ended; it is listed until its lease ends", "project", project, "error", err)
	}
}

// appendReply appends an answer without the list of its snapshot, which belongs at the index.
func (s *Handler) appendReply(b []byte, reply presence.Reply) (_ []byte, at int) {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	b = appendRecorded(b, reply)
	if reply.Snapshot != nil {
		b = append(b, `,"users":`...)
	}
	at = len(b)
	if reply.Snapshot != nil {
		b = appendCount(b, reply.Snapshot)
	}
	return append(s.appendState(b, reply), '}'), at
}

// appendRecorded appends what an update came to.
func appendRecorded(b []byte, reply presence.Reply) []byte {
	b = append(b, `,"activity":"`...)
	b = append(b, reply.Activity...)
	b = append(b, `","you":`...)
	b = append(b, reply.You.JSON()...)
	b = append(b, `,"conflicts":`...)
	return appendPartial(presence.AppendOccupants(b, reply.Conflicts), reply.Partial)
}

// appendState appends what is not as it usually is.
func (s *Handler) appendState(b []byte, reply presence.Reply) []byte {
	if reply.Stale {
		b = append(b, `,"stale":true`...)
	}
	if !reply.Durable {
		b = append(b, `,"durable":false`...)
	}
	if s.Heartbeat != presence.DefaultHeartbeat && reply.You != nil {
		b = append(b, `,"heartbeat":`...)
		b = strconv.AppendFloat(b, s.Heartbeat.Seconds(), 'f', -1, 64)
	}
	return b
}

// appendPartial says that people may be missing from a list or from conflicts.
func appendPartial(b []byte, partial bool) []byte {
	if partial {
		b = append(b, `,"partial":true`...)
	}
	return b
}

// appendCount appends how many are in a project, if that is more than are listed.
func appendCount(b []byte, snapshot *presence.Snapshot) []byte {
	if snapshot.Count > len(snapshot.Occupants) {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(snapshot.Count), 10)
	}
	return b
}

var revalidate = []string{"private, no-cache"}

// list answers GET …/list/.
func (s *Handler) list(w http.ResponseWriter, r *http.Request, project string) (status int) {
	who, err := s.admit(w, r, project, true)
	if err == nil {
		err = who.above
	}
	if err != nil {
		return s.failFor(w, r, who, err)
	}
	snapshot, err := s.Tracker.SnapshotSince(r.Context(), who.project, newestOf(r.Header["If-None-Match"]))
	if err != nil {
		return s.failFor(w, r, who, err)
	}
	tag := `W/"` + strconv.FormatUint(snapshot.Version, 10) + `"`
	h := w.Header()
	h["Etag"] = []string{tag}
	h["Cache-Control"] = revalidate
	addVary(h)
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	*b = append((*b)[:0], `{"success":true,"version":`...)
	*b = strconv.AppendUint(*b, snapshot.Version, 10)
	*b = append(*b, `,"users":`...)
	at := len(*b)
	*b = append(appendPartial(appendCount(*b, snapshot), snapshot.Partial), '}')
	return s.answerUsers(w, r, b, at, snapshot)
}

type leaveBody struct {
	Session string
	Seq     uint64
	Hidden  bool
}

// Field implements [strictjson.Fields].
func (b *leaveBody) Field(name []byte) any {
	switch string(name) {
	case "session":
		return &b.Session
	case "seq":
		return &b.Seq
	case "hidden":
		return &b.Hidden
	default:
		return nil
	}
}

// leave answers POST …/leave/. Above a limit the leave of a session that is alive still succeeds.
func (s *Handler) leave(w http.ResponseWriter, r *http.Request, project string) (status int) {
	who, err := s.admit(w, r, project, true)
	if err != nil {
		if errors.Is(err, identity.ErrProjectUnknown) {
			s.expel(r, who)
		}
		return s.failFor(w, r, who, err)
	}
	if who.user.ID == "" { // an unknown caller has no session to end
		return s.failFor(w, r, who, cmp.Or(who.above, identity.ErrNobody))
	}
	var body leaveBody
	if err := decode(r, &body); err != nil {
		return s.failFor(w, r, who, err)
	}
	reply, err := s.putLeave(r.Context(), who.sender(), presence.Leave{Session: body.Session, Seq: body.Seq, Hidden: body.Hidden})
	if err != nil {
		return s.failFor(w, r, who, err)
	}
	b := append(make([]byte, 0, 80), `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	return answer(w, http.StatusOK, append(s.appendState(b, reply), '}'))
}
