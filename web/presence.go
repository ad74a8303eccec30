package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	presence "writer-presence"
	"writer-presence/identity"
)

type updateBody struct {
	Section        string            `json:"section"`
	Session        string            `json:"session"`
	Seq            uint64            `json:"seq"`
	Activity       presence.Activity `json:"activity"`
	UnlessOccupied bool              `json:"unless_occupied"`
	KnownVersion   *uint64           `json:"known_version"`
}

// plain implements the quick way of decode.
func (b *updateBody) plain(name, value []byte) bool {
	switch string(name) {
	case "section":
		return plainText(&b.Section, value)
	case "session":
		return plainText(&b.Session, value)
	case "seq":
		return plainNumber(&b.Seq, value)
	case "activity":
		return plainText(&b.Activity, value)
	case "unless_occupied":
		return plainBool(&b.UnlessOccupied, value)
	case "known_version":
		b.KnownVersion = new(uint64)
		return plainNumber(b.KnownVersion, value)
	default:
		return false
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

// update answers POST …/update/. Whoever is above a limit may still renew.
func (s *Handler) update(w http.ResponseWriter, r *http.Request, project string) (status int) {
	who, err := s.admit(w, r, project, false)
	if err != nil {
		if errors.Is(err, identity.ErrProjectUnknown) {
			s.expel(r, who)
		}
		return s.fail(w, r, err)
	}
	var body updateBody
	if err := decode(r, &body, body.plain); err != nil {
		return s.fail(w, r, err)
	}
	u, err := body.update()
	if err != nil {
		return s.fail(w, r, err)
	}
	u.OnlyRenew = who.above != nil
	reply, err := s.Tracker.Update(r.Context(), who.project, who.user, u)
	if errors.Is(err, presence.ErrTooManyChanges) {
		err = errors.Join(err, who.above) // which says when to try again
	}
	if err != nil {
		return s.fail(w, r, err)
	}
	if who.cookie != nil { // nobody becomes a visitor by a request that fails
		http.SetCookie(w, who.cookie)
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	*b = s.appendReply((*b)[:0], reply)
	return answer(w, http.StatusOK, *b)
}

// expel ends the session of a request by somebody who may no longer, if that is known: for
// others it would go on for as long as its lease.
func (s *Handler) expel(r *http.Request, who asker) {
	var body updateBody
	if who.user.ID == "" || decode(r, &body, body.plain) != nil {
		return
	}
	if _, err := s.Tracker.Leave(r.Context(), who.project, who.user, presence.Leave{Session: body.Session, OnlyLiving: true}); err != nil {
		s.Log.Error("somebody who may no longer is still listed", "project", who.project, "error", err)
	}
}

func (s *Handler) appendReply(b []byte, reply presence.Reply) []byte {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	b = appendRecorded(b, reply)
	if reply.Snapshot != nil {
		b = appendUsers(b, reply.Snapshot)
	}
	return append(s.appendState(b, reply), '}')
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

// appendUsers appends who is listed, and how many there are if that is more.
func appendUsers(b []byte, snapshot *presence.Snapshot) []byte {
	b = append(b, `,"users":`...)
	return appendCount(append(b, snapshot.JSON()...), snapshot)
}

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
		return s.fail(w, r, err)
	}
	snapshot, err := s.Tracker.SnapshotSince(r.Context(), who.project, newestOf(r.Header["If-None-Match"]))
	if err != nil {
		return s.fail(w, r, err)
	}
	tag := `W/"` + strconv.FormatUint(snapshot.Version, 10) + `"`
	h := w.Header()
	h["Etag"] = []string{tag}
	h["Cache-Control"] = revalidate
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	*b = append((*b)[:0], `{"success":true,"version":`...)
	*b = strconv.AppendUint(*b, snapshot.Version, 10)
	*b = append(appendPartial(appendUsers(*b, snapshot), snapshot.Partial), '}')
	return answer(w, http.StatusOK, *b)
}

// newestOf gives the newest version that If-None-Match names, 0 for none. What follows the number
// in a tag, such as the -gzip of some proxies, does not count.
func newestOf(lines []string) (newest uint64) {
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			digits := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
			end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
			if version, err := strconv.ParseUint(digits[:max(end, 0)], 10, 64); err == nil && version <= presence.MaxSafe {
				newest = max(newest, version)
			}
		}
	}
	return newest
}

// matches compares as RFC 9110, 13.1.2 has it for If-None-Match: weakly.
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for given := range strings.SplitSeq(line, ",") {
			given = strings.TrimSpace(given)
			if given == "*" || strings.TrimPrefix(given, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

type leaveBody struct {
	Session string `json:"session"`
	Seq     uint64 `json:"seq"`
	Hidden  bool   `json:"hidden"`
}

// leave answers POST …/leave/. No limit keeps anybody from leaving who is here.
func (s *Handler) leave(w http.ResponseWriter, r *http.Request, project string) (status int) {
	who, err := s.admit(w, r, project, true)
	if err != nil {
		return s.fail(w, r, err)
	}
	if who.user.ID == "" { // who was never known has nothing to leave
		return s.fail(w, r, identity.ErrNobody)
	}
	var body leaveBody
	if err := decode(r, &body, nil); err != nil {
		return s.fail(w, r, err)
	}
	reply, err := s.Tracker.Leave(r.Context(), who.project, who.user, presence.Leave{
		Session: body.Session, Seq: body.Seq, Hidden: body.Hidden, OnlyLiving: who.above != nil,
	})
	if err != nil {
		return s.fail(w, r, err)
	}
	b := append(make([]byte, 0, 80), `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	return answer(w, http.StatusOK, append(s.appendState(b, reply), '}'))
}
