package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostid"
)

// HostSave is the body of a save that the host reports.
type HostSave struct {
	Section, Revision, Username string
	UserID                      hostid.ID
}

// Field implements [strictjson.Fields].
func (s *HostSave) Field(name []byte) any {
	switch string(name) {
	case "section":
		return &s.Section
	case "revision":
		return &s.Revision
	case "user_id":
		return &s.UserID
	case "username":
		return &s.Username
	default:
		return nil
	}
}

// HostMove is the body of a move of a section.
type HostMove struct{ From, To string }

// Field implements [strictjson.Fields].
func (m *HostMove) Field(name []byte) any {
	switch string(name) {
	case "from":
		return &m.From
	case "to":
		return &m.To
	default:
		return nil
	}
}

// HostUser is the body that lists a user.
type HostUser struct {
	Username, AvatarURL, Section, WaitingFor string
	Activity                                 presence.Activity
	Agent, Unsaved                           bool
	TTL                                      *uint64 // in seconds; nil if the field is missing
}

// Field implements [strictjson.Fields].
func (u *HostUser) Field(name []byte) any {
	switch string(name) {
	case "username":
		return &u.Username
	case "avatar_url":
		return &u.AvatarURL
	case "agent":
		return &u.Agent
	case "section":
		return &u.Section
	case "activity":
		return &u.Activity
	case "unsaved":
		return &u.Unsaved
	case "waiting_for":
		return &u.WaitingFor
	case "ttl":
		return &u.TTL
	default:
		return nil
	}
}

// AppendSessions appends the answer to a request for a project: its snapshot with its sessions.
func AppendSessions(b []byte, s *presence.Snapshot, sessions []presence.Record) []byte {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, s.Version, 10)
	b = append(b, `,"users":`...)
	b = append(b, List(s)...)
	b = append(b, `,"sessions":[`...)
	for i, r := range sessions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSession(b, r)
	}
	return append(appendPartial(append(b, ']'), s.Partial), '}')
}

// appendSession appends a session. Its name is sent as the begin of its digest: whoever knows the name of a page's
// session can take it over (rule 7).
func appendSession(b []byte, r presence.Record) []byte {
	digest := sha256.Sum256([]byte(r.Session))
	b = append(b, `{"session":"`...)
	b = hex.AppendEncode(b, digest[:6])
	b = append(b, `","user_id":`...)
	b = appendUserID(b, r.User.ID)
	b = append(b, `,"section":`...)
	b = appendText(b, string(r.Section))
	b = append(b, `,"activity":"`...)
	b = append(b, r.Activity...)
	b = append(b, `","last_seen":"`...)
	b = r.LastSeen.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, '"')
	if r.Unsaved {
		b = append(b, `,"unsaved":true`...)
	}
	if r.WaitingFor != "" {
		b = append(b, `,"waiting_for":`...)
		b = appendText(b, string(r.WaitingFor))
	}
	return append(b, '}')
}

// AppendProjects appends the answer to a request for the active projects. Agents are counted apart; those beyond
// presence.MaxListed count as people.
func AppendProjects(b []byte, page []presence.ActiveProject, next string) []byte {
	b = append(b, `{"success":true,"projects":[`...)
	for i, p := range page {
		if i > 0 {
			b = append(b, ',')
		}
		agents := 0
		for _, o := range p.Snapshot.Occupants {
			if o.User.Agent {
				agents++
			}
		}
		b = appendText(append(b, `{"project":`...), string(p.Project))
		b = strconv.AppendInt(append(b, `,"people":`...), int64(p.Snapshot.Count-agents), 10)
		b = strconv.AppendInt(append(b, `,"agents":`...), int64(agents), 10)
		b = strconv.AppendUint(append(b, `,"version":`...), p.Snapshot.Version, 10)
		b = append(appendPartial(b, p.Snapshot.Partial), '}')
	}
	return append(appendNext(append(b, ']'), next), '}')
}

// AppendPlaces appends the answer to a request for the projects of a user, each with the user as others see them.
func AppendPlaces(b []byte, page []presence.ActiveProject, next string) []byte {
	b = append(b, `{"success":true,"projects":[`...)
	for i, p := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"project":`...), string(p.Project))
		b = append(append(b, `,"user":`...), Occupant(p.User)...)
		b = strconv.AppendUint(append(b, `,"version":`...), p.Snapshot.Version, 10)
		b = append(appendPartial(b, p.Snapshot.Partial), '}')
	}
	return append(appendNext(append(b, ']'), next), '}')
}

// AppendChanged appends the answer to a change of one project.
func AppendChanged(b []byte, reply presence.Reply) []byte {
	b = append(b, `{"success":true,"version":`...)
	b = strconv.AppendUint(b, reply.Version, 10)
	return append(appendState(b, reply, presence.DefaultHeartbeat), '}')
}

// AppendRemoved appends the answer to the removal of a user from all projects: from how many they were removed by this
// request. next is the cursor of the request that continues.
func AppendRemoved(b []byte, projects int, durable bool, next string) []byte {
	b = append(b, `{"success":true,"projects":`...)
	b = strconv.AppendInt(b, int64(projects), 10)
	b = appendState(b, presence.Reply{Durable: durable}, presence.DefaultHeartbeat)
	return append(appendNext(b, next), '}')
}

func appendNext(b []byte, next string) []byte {
	if next != "" {
		b = appendText(append(b, `,"next":`...), next)
	}
	return b
}
