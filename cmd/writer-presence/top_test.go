package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

// topFixture is a model of top with what it asked for.
type topFixture struct {
	*testing.T
	model topModel
	kicks []string
	gone  int // projects that nobody is in any more
}

// newTopFixture returns a model that has read projects p0 to p4, with Alice and Bob in each.
func newTopFixture(t *testing.T) *topFixture {
	f := &topFixture{T: t}
	f.model = newTopModel("http://127.0.0.1:9090", f.read(t.Context(), topQuery{rows: 9}), f.read, func(_ context.Context, project, user string, until time.Duration) error {
		f.kicks = append(f.kicks, fmt.Sprintf("%s %s %v", project, user, until))
		return nil
	})
	f.send(tea.WindowSizeMsg{Width: 100, Height: topFrame + 3})
	return f
}

func (f *topFixture) read(_ context.Context, q topQuery) topData {
	d := topData{query: q, at: time.Now(), people: map[string]client.Snapshot{}}
	d.status.Version, d.status.StartedAt = "1.2.3", d.at.Add(-time.Hour)
	d.status.Store.Ready, d.status.Store.Message = true, "ready"
	d.status.History.Requests, d.status.History.People = []float64{1, 2.5}, []float64{0, 4, 8}
	for i := f.gone; i < 5; i++ {
		name := fmt.Sprint("p", i)
		if !strings.HasPrefix(name, q.prefix) {
			continue
		}
		d.projects = append(d.projects, client.Project{Project: name, People: 2})
		d.people[name] = client.Snapshot{
			Users: []client.User{{ID: "7", Name: "Alice\x1b[2J"}, {ID: "8", Name: "Bob"}},
			Sessions: []client.Session{
				{Session: "a", User: "7", Section: "intro", Activity: "editing", LastSeen: d.at},
				{Session: "b", User: "8", Section: "intro", Activity: "idle", Unsaved: true, LastSeen: d.at},
			},
		}
	}
	return d
}

// send has the model handle a message, and the message of the command that follows from it, but no tick.
func (f *topFixture) send(msg tea.Msg) {
	f.Helper()
	m, command := f.model.Update(msg)
	f.model = m.(topModel)
	if command != nil {
		switch next := command().(type) {
		case topData, topKicked:
			f.send(next)
		}
	}
}

// press sends keys: names such as enter, or a letter.
func (f *topFixture) press(names ...string) {
	f.Helper()
	special := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "end": tea.KeyEnd, "enter": tea.KeyEnter, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace}
	for _, name := range names {
		k := tea.KeyPressMsg{Code: special[name]}
		if k.Code == 0 {
			k = tea.KeyPressMsg{Code: rune(name[0]), Text: name}
		}
		f.send(k)
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// screen returns the text on the screen.
func (f *topFixture) screen() string { return escapes.ReplaceAllString(f.model.View().Content, "") }

// want fails unless the screen has texts that match these patterns, in this order.
func (f *topFixture) want(patterns ...string) {
	f.Helper()
	if text := f.screen(); !regexp.MustCompile("(?s)" + strings.Join(patterns, ".*")).MatchString(text) {
		f.Errorf("the screen lacks %q:\n%s", patterns, text)
	}
}

func TestTopShowsProjectsAndThePeopleOfTheOneThatIsOpened(t *testing.T) {
	f := newTopFixture(t)
	f.want("Writer Presence 1.2.3  http://127.0.0.1:9090  up 1 h", "store: ready", "10 people and 0 agents in 5 projects", "\nnode: 0 connections, 2.5 requests/s", "people ▁▅█", `p0 +2 +0 +1 +1 *\n`, `p2 `)
	if lines := strings.Split(f.screen(), "\n"); len(lines) != topFrame+3 || strings.Contains(f.screen(), "p3 ") {
		t.Errorf("got %d lines, want %d, with three projects:\n%s", len(lines), topFrame+3, f.screen())
	}
	f.press("end", "up")
	f.want("p2 ", "p3 ", "p4 ")
	f.press("enter")
	f.want("p3: 2 people, 2 sessions, 1 conflict\n", `7 +Alice\x{fffd}\[2J +intro +editing, in conflict +0 s ago`, `8 +Bob +intro +idle, in conflict, unsaved changes`)
	if q := f.model.query(); q.open != "p3" {
		t.Errorf("it asks for %+v; want the people of p3", q)
	}
	f.press("esc")
	f.want("p2 ", "p3 ", "p4 ")
	if f.model.chosen != "p3" {
		t.Errorf("%q is chosen after going back; want p3", f.model.chosen)
	}

	f.gone = 2
	f.send(f.read(t.Context(), f.model.query()))
	if f.model.chosen != "p3" || f.model.index != 1 {
		t.Errorf("%q is chosen after others have gone, line %d; want p3, line 1", f.model.chosen, f.model.index)
	}
}

func TestTopFilters(t *testing.T) {
	f := newTopFixture(t)
	f.press("/", "p", "4", "x", "backspace")
	f.want("2 people and 0 agents in 1 project with an id that begins with p4", "filter: p4█")
	f.press("enter", "enter", "/", "b", "o", "b")
	if text := f.screen(); !strings.Contains(text, "p4: 2 people") || !strings.Contains(text, "Bob") || strings.Contains(text, "Alice") {
		t.Errorf("want Bob only:\n%s", text)
	}
	f.press("q", "esc", "esc", "esc") // q is text while the filter is typed
	f.want("10 people and 0 agents in 5 projects\n")
}

func TestTopAsksBeforeItKicks(t *testing.T) {
	f := newTopFixture(t)
	f.press("k") // no person is chosen
	f.press("enter", "down", "k")
	f.want(`Make Bob \(8\) leave p0\?`)
	f.press("n")
	f.want("nobody was kicked")
	f.press("k", "enter", "q") // q ends the program, which send ignores
	if len(f.kicks) != 0 {
		t.Fatalf("%q were kicked without a yes", f.kicks)
	}
	f.press("k", "y")
	f.want(`ended all sessions of Bob \(8\) in p0`)
	f.press("up", "k", "t")
	f.want("rejects the user for 10m0s")
	if got := strings.Join(f.kicks, ", "); got != "p0 8 0s, p0 7 10m0s" {
		t.Errorf("kicked %q", got)
	}
}

func TestTopKeepsAndMarksWhatItKnowsWhenTheServerFails(t *testing.T) { // rule 13
	f := newTopFixture(t)
	f.send(topData{query: f.model.query(), err: errors.New("no server answers")})
	f.want("10 people", "p0 ", `old, from \d\d:\d\d:\d\d: no server answers`)
	f.send(f.read(t.Context(), f.model.query()))
	if strings.Contains(f.screen(), "old, from") {
		t.Errorf("it is marked as old after a read that succeeded:\n%s", f.screen())
	}
}

func TestTopReadsTheHostAPI(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir(), "--admin-addr", "127.0.0.1:0", "--api-key-file", apiKeyFile(t, apiKey))
	for _, project := range []string{"a", "b", "c"} {
		s.post("project/"+project+"/presence/update/", s.token("Alice"), `{"session": "a", "section": "x"}`, &updateReply{})
	}
	s.post("project/c/presence/update/", s.token("Bob"), `{"session": "b"}`, &updateReply{})
	source := topSource{s.hostAPI(), func(err error) error { return fmt.Errorf("explained: %w", err) }}
	d := source.read(t.Context(), topQuery{first: 0, rows: 2})
	if d.err != nil || d.status.Version == "" || len(d.projects) != 3 || d.projects[0].Project != "c" || len(d.people) != 2 || len(d.people["c"].Sessions) != 2 {
		t.Fatalf("got %+v; want c first, with two people, and the sessions of two projects", d)
	}
	alice := string(d.people["c"].Users[0].ID)
	if err := source.kick(t.Context(), "c", alice, 0); err != nil {
		t.Fatal(err)
	}
	d = source.read(t.Context(), topQuery{prefix: "c", open: "c"})
	if len(d.projects) != 1 || len(d.people["c"].Sessions) != 1 {
		t.Errorf("after a kick: %+v; want one session in c", d)
	}
	s.kill()
	if d = source.read(t.Context(), topQuery{}); d.err == nil || !strings.HasPrefix(d.err.Error(), "explained: ") {
		t.Errorf("without a server: %v; want the explained error", d.err)
	}
	if _, err := runToEnd(t, nil, "top"); err == nil || !strings.Contains(err.Error(), "needs a terminal") {
		t.Errorf("without a terminal: %v; want an error that says so", err)
	}
}
