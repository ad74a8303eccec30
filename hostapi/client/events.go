package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	// firstPause is how long Events waits before it asks again, at first; each failure in a row doubles it up to maxPause.
	firstPause = time.Second
	maxPause   = 30 * time.Second
	// silence is the read timeout. The server sends a comment every 15 seconds.
	silence = 45 * time.Second
	// maxEvent is the length of the longest line in bytes. Twenty users with the longest ids and names take a third of it.
	maxEvent = 1 << 20
)

// EventType says what an event is about.
type EventType string

// The types of events; there may be others. The events of users count users, not tabs.
const (
	UserJoined       EventType = "user.joined"
	UserLeft         EventType = "user.left"
	SectionOccupied  EventType = "section.occupied"
	SectionVacated   EventType = "section.vacated"
	SectionContested EventType = "section.contested"
	SectionSaved     EventType = "section.saved"
	// EventsLost says that the server no longer has all events since the position. Those that it has follow. Read the
	// present state by the other calls.
	EventsLost EventType = "gap"
)

// Event is a change of a project, in the form that docs/how-to/webhooks.md describes.
type Event struct {
	// Position is where [Client.Events] continues after this event. It is empty in the body of a webhook.
	Position string `json:"-"`

	// ID is unique. An event that comes twice has the same one.
	ID   string    `json:"id"`
	Type EventType `json:"type"`
	// At is when the server found the change, or when the section was saved.
	At time.Time `json:"timestamp"`

	// Tenant is the host of the project, on a server with --tenant-from.
	Tenant  string `json:"tenant"`
	Project string `json:"project"`
	// Version is a version of the project that shows the change.
	Version  uint64 `json:"version"`
	Section  string `json:"section"`
	Revision string `json:"revision"` // of SectionSaved
	// User is who joined, left or saved. Like those in Users it has ID, Name, Agent and Visitor only.
	User User `json:"user"`
	// Users are who is in the section (SectionOccupied) or claims it (SectionContested), at most 20.
	Users []User `json:"users"`
}

// UnmarshalJSON decodes an event, also one in the body of a webhook.
func (e *Event) UnmarshalJSON(text []byte) error {
	type fields Event // without this method
	return json.Unmarshal(text, &struct {
		*fields
		Data *fields `json:"data"` // has the fields from tenant on
	}{(*fields)(e), (*fields)(e)})
}

// Events returns the events of all projects as they happen: those after a position, which is that of an [Event]; with ""
// those from now on. An event can come twice.
//
// When the connection ends, or the server cannot be reached, Events connects again and continues where it was, after a
// pause of a second to half a minute, or as long as the server asks for. It yields each failure as an error, after which
// the loop may go on or break. It ends when ctx does. [Client.HTTP] should have no timeout.
func (c *Client) Events(ctx context.Context, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for position, pause := after, firstPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
			for e, err := range c.listen(ctx, position) {
				if ctx.Err() != nil {
					return
				}
				if failure := (*Error)(nil); errors.As(err, &failure) {
					pause = max(pause, failure.RetryAfter)
				}
				if err == nil {
					position, pause = e.Position, firstPause
				}
				wanted := err != nil || e.Type == EventsLost || e.Type != "" && (c.Tenant == "" || c.Tenant == e.Tenant)
				if wanted && !yield(e, err) {
					return
				}
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// listen returns the events of one connection. One without a type has a position only. An error is the last.
func (c *Client) listen(ctx context.Context, position string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silent := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the host API sent nothing for %v", silence)) })
		defer silent.Stop()
		fail := func(err error) { yield(Event{}, cmp.Or(context.Cause(ctx), err)) }

		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"events", nil)
		if err != nil {
			fail(err)
			return
		}
		r.Header.Set("Accept", "text/event-stream")
		if position != "" {
			r.Header.Set("Last-Event-ID", position)
		}
		response, err := c.send(r)
		if err != nil {
			fail(err)
			return
		}
		defer response.Body.Close()
		if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "text/event-stream" {
			fail(failure(response, nil))
			return
		}
		var kind, data string
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			silent.Reset(silence)
			line := lines.Text()
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case field == "id":
				position = value
			case field == "event":
				kind = value
			case field == "data":
				data += value
			case line == "": // the end of an event
				e := Event{Type: EventType(kind)}
				if data != "" {
					if err := json.Unmarshal([]byte(data), &e); err != nil {
						fail(failure(response, []byte(data)))
						return
					}
				}
				silent.Stop() // the caller may take its time
				if e.Position = position; !yield(e, nil) {
					return
				}
				silent.Reset(silence)
				kind, data = "", ""
			}
		}
		if err := lines.Err(); err != nil {
			fail(err)
		}
	}
}
