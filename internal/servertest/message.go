package servertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Message is a message of docs/reference/protocol.md from the server.
type Message struct {
	Type       string
	Seq        uint64
	Version    uint64
	Base       uint64
	Activity   string
	You        *User
	Conflicts  []User
	Users      []User
	Changed    []User
	At         []int
	Left       []any
	Count      int
	Saved      []Save
	SavedGone  []string `json:"saved_gone"`
	Moved      []Move
	Stale      bool
	Durable    *bool
	Heartbeat  float64
	Code       string
	Error      string
	RetryAfter float64 `json:"retry_after"`

	Text string
}

// ExpectError checks the code of an error.
func (m Message) ExpectError(t *testing.T, code string) {
	t.Helper()
	if m.Code != code {
		t.Errorf("got %s, want the error %s", m.Text, code)
	}
}

// ExpectUnavailable checks that the message is the error unavailable and hides SecretCause.
func (m Message) ExpectUnavailable(t *testing.T, seq uint64) {
	t.Helper()
	if m.Code != "unavailable" || m.Seq != seq || m.RetryAfter != 1 || strings.Contains(m.Text, "canary") || strings.Contains(m.Text, "10.1.2.3") {
		t.Errorf("got %s, want the error unavailable for seq %d with retry_after 1", m.Text, seq)
	}
}

// ExpectGolden checks that the message equals a golden one, except for versions and times.
func (m Message) ExpectGolden(t *testing.T, name string) {
	t.Helper()
	if want := ReadGolden(t, name); !reflect.DeepEqual(decodeComparable(t, []byte(m.Text)), decodeComparable(t, want)) {
		t.Errorf("got %s\nwant %s", m.Text, want)
	}
}

// decodeComparable decodes a message and replaces the versions and times, which a test cannot choose, by their types.
func decodeComparable(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	hideVersionsAndTimes(v)
	return v
}

func hideVersionsAndTimes(v any) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			hideVersionsAndTimes(each)
		}
	case map[string]any:
		for name, each := range v {
			switch name {
			case "version", "base", "last_seen", "saved_at", "retry_after":
				v[name] = fmt.Sprintf("%T", each)
			default:
				hideVersionsAndTimes(each)
			}
		}
	}
}

// ExpectFields checks that a message has all fields of another one with the same values, except for versions and times. It
// may have more.
func ExpectFields(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !contains(decodeComparable(t, got), decodeComparable(t, want)) {
		t.Errorf("%s: got %s\nwant at least the fields of %s", name, got, want)
	}
}

// contains reports whether got is want, or want with more fields in its objects.
func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for name := range want {
			each, has := object[name]
			ok = ok && has && contains(each, want[name])
		}
		return ok
	case []any:
		array, ok := got.([]any)
		ok = ok && len(array) == len(want)
		for i := range want {
			ok = ok && contains(array[i], want[i])
		}
		return ok
	}
	return got == want
}
