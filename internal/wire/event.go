package wire

import (
	"strconv"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// AppendEvents appends the body of a webhook, in the form of the Standard Webhooks specification: the events are its
// data.
func AppendEvents(b []byte, events []presence.Event, at time.Time) []byte {
	b = append(b, `{"type":"presence.events","timestamp":`...)
	b = appendTimestamp(b, at)
	b = append(b, `,"data":[`...)
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendEvent(b, e)
	}
	return append(b, "]}"...)
}

// AppendEvent appends an event as a JSON object.
func AppendEvent(b []byte, e presence.Event) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, e.ID)
	b = append(b, `,"type":"`...)
	b = append(b, e.Type...)
	b = append(b, `","timestamp":`...)
	b = appendTimestamp(b, e.At)
	b = append(b, `,"data":{`...)
	project := string(e.Project)
	if slash := strings.LastIndexByte(project, '/'); slash >= 0 { // see identity.Request.Key
		b = append(b, `"tenant":`...)
		b = appendText(b, project[:slash])
		b = append(b, ',')
		project = project[slash+1:]
	}
	b = append(b, `"project":`...)
	b = appendText(b, project)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, e.Version, 10)
	if e.Section != "" {
		b = append(b, `,"section":`...)
		b = appendText(b, string(e.Section))
	}
	if e.Revision != "" {
		b = append(b, `,"revision":`...)
		b = appendText(b, e.Revision)
	}
	switch e.Type {
	case presence.SectionOccupied, presence.SectionContested:
		b = append(b, `,"users":[`...)
		for i, u := range e.Users {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendEventUser(b, u)
		}
		b = append(b, ']')
	case presence.SectionVacated:
	default:
		b = append(b, `,"user":`...)
		b = appendEventUser(b, e.Users[0])
	}
	return append(b, "}}"...)
}

func appendEventUser(b []byte, u presence.User) []byte {
	b = append(b, `{"user_id":`...)
	b = appendUserID(b, u.ID)
	b = append(b, `,"username":`...)
	b = appendText(b, u.Name)
	if u.Visitor {
		b = append(b, `,"visitor":true`...)
	}
	if u.Agent {
		b = append(b, `,"agent":true`...)
	}
	return append(b, '}')
}

// appendTimestamp appends a time in milliseconds, as RFC 3339 has it.
func appendTimestamp(b []byte, at time.Time) []byte {
	b = append(b, '"')
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	return append(b, '"')
}
