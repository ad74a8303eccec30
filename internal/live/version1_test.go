package live_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// step is a message of a recording in testdata/wire/v1, with what the server of version 1 answered.
type step struct {
	By      string // alice, whose page was recorded, or bob
	Request string // list, update or leave; empty for a live message
	Body    string // of the request
	Live    string // the message
	Answer  json.RawMessage
	// Received are the messages that alice's live connection received until the next step.
	Received []json.RawMessage
}

// TestVersion1ClientsGetTheAnswersThatTheyKnow replays recordings of the first client in a browser, polling and live, and of
// the JavaScript of the original specification. The server must answer as the first server did: more fields are allowed,
// but none may be missing or have another value. In the second replay bob has a newer client, which sends all new fields.
func TestVersion1ClientsGetTheAnswersThatTheyKnow(t *testing.T) {
	for _, recording := range []string{"polling", "live", "note"} {
		for _, newer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bob has a newer client: %t", recording, newer), func(t *testing.T) {
				var steps []step
				if err := json.Unmarshal(servertest.ReadGolden(t, "v1/"+recording), &steps); err != nil || len(steps) < 5 {
					t.Fatalf("%d steps, %v", len(steps), err)
				}
				servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) { replay(t, w, steps, newer) }, func(p *servertest.Config) {
					p.Authenticator = holder{"a-token": {ID: "1", Name: "alice"}, "b-token": {ID: "2", Name: "bob"}}
				})
			})
		}
	}
}

func replay(t *testing.T, w *servertest.LiveServer, steps []step, newer bool) {
	people := map[string]*servertest.Client{}
	for _, name := range []string{"alice", "bob"} {
		people[name] = &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: name[:1] + "-token"}
	}
	var page *servertest.Socket
	versions := versionMap{}
	everything := "" // that alice got
	for i, s := range steps {
		name := fmt.Sprintf("step %d, %s of %s %s%s", i, s.Request, s.By, s.Body, s.Live)
		body := versions.translate(s.Body)
		if newer && s.By == "bob" && s.Request == "update" {
			body = strings.TrimSuffix(body, "}") + `,"unsaved":true,"waiting_for":"manuscript/intro","saved":{"section":"manuscript/intro","revision":"` + fmt.Sprint(i) + `"}}`
		}
		switch {
		case s.Live == "":
			got := people[s.By].DoIn("p", s.Request, body)
			servertest.ExpectFields(t, name, []byte(got.Body), s.Answer)
			versions.add(t, name, []byte(got.Body), s.Answer)
			if s.By == "alice" {
				everything += got.Body
			}
		default:
			if page == nil {
				page = w.ConnectAs(people[s.By])
			}
			page.SendFrame(0x81, []byte(versions.translate(s.Live)))
		}
		if page == nil {
			continue
		}
		got := page.Pending()
		for _, want := range s.Received {
			var m servertest.Message
			if err := json.Unmarshal(want, &m); err != nil {
				t.Fatal(err)
			}
			found := false
			for at, candidate := range got {
				if found = candidate.Type == m.Type; found {
					servertest.ExpectFields(t, name, []byte(candidate.Text), want)
					versions.add(t, name, []byte(candidate.Text), want)
					everything += candidate.Text
					got = append(got[:at:at], got[at+1:]...)
					break
				}
			}
			if !found {
				t.Errorf("%s: no message like %s arrived", name, want)
			}
		}
		for _, more := range got {
			if !strings.Contains(s.Live, `"leave"`) { // the page closed its connection before the ack arrived
				t.Errorf("%s: got %s, which is not in the recording", name, more.Text)
			}
		}
	}
	for _, field := range []string{`"unsaved":[`, `"waiting_for":`, `"saved":[`} {
		if strings.Contains(everything, field) != newer {
			t.Errorf("alice got %s: %t, want %t", field, !newer, newer)
		}
	}
}

// versionMap maps the versions of a recording to those of its replay.
type versionMap map[string]string

var versionField = regexp.MustCompile(`"(known_version|version|base)": *([0-9]+)`)

// add checks that a replayed answer has the version of all answers with the same recorded version.
func (v versionMap) add(t *testing.T, name string, got, want []byte) {
	t.Helper()
	var a, b struct{ Version, Base json.Number }
	if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil {
		t.Fatalf("%s: cannot read the versions in %s and %s", name, got, want)
	}
	for recorded, replayed := range map[json.Number]json.Number{b.Version: a.Version, b.Base: a.Base} {
		if known := v[string(recorded)]; known != "" && known != string(replayed) {
			t.Errorf("%s: version %s, want %s as in an earlier answer", name, replayed, known)
		}
		v[string(recorded)] = string(replayed)
	}
}

// translate replaces the recorded versions in a message of a client.
func (v versionMap) translate(message string) string {
	return versionField.ReplaceAllStringFunc(message, func(field string) string {
		part := versionField.FindStringSubmatch(field)
		if replayed := v[part[2]]; replayed != "" {
			return `"` + part[1] + `":` + replayed
		}
		return field
	})
}

// A page of the first client names its sessions such that nobody can guess them, so rule 7 holds for it too.
func TestVersion1SessionsHaveNamesThatNobodyCouldGuess(t *testing.T) { // rule 7
	for _, recording := range []string{"polling", "live"} {
		text := string(servertest.ReadGolden(t, "v1/"+recording))
		for _, found := range regexp.MustCompile(`session\\":\\"([^"\\]+)`).FindAllStringSubmatch(text, -1) {
			if found[1] != "bob-tab" && len(found[1]) < presence.MinUnguessableName {
				t.Errorf("%s: the session %q is shorter than %d", recording, found[1], presence.MinUnguessableName)
			}
		}
	}
}
