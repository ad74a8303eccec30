package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// topKickTime is how long a user is rejected whom the operator kicks for a time.
const topKickTime = 10 * time.Minute

// topModel is the state of top. Update changes a copy, as Bubble Tea demands; everything that takes time is in commands.
type topModel struct {
	address       string
	read          func(context.Context, topQuery) topData
	kick          func(ctx context.Context, project, user string, until time.Duration) error
	width, height int

	data   topData // the newest that was read without an error
	failed error   // of the newest read; then data is old

	open      string // the project that is open; empty for the list of projects
	chosen    string // the id of the chosen project in the list, or the key of the chosen row of a project
	index     int    // of chosen
	first     int    // the first line on the screen
	filter    string // what projects begin with, or what a row of a project has
	listState topList
	typing    bool // the filter is being typed
	kicking   *row // the operator is asked whether this user has to leave
	note      string
	loading   bool // a read is under way
}

// topList is where the list of projects was when a project was opened.
type topList struct {
	chosen, filter string
	first          int
}

type (
	topTick   struct{}
	topKicked struct {
		text string
		err  error
	}
)

func newTopModel(address string, first topData, read func(context.Context, topQuery) topData, kick func(context.Context, string, string, time.Duration) error) topModel {
	m := topModel{address: address, read: read, kick: kick, width: 80, height: 24}
	m.accept(first)
	return m
}

// Init implements [tea.Model].
func (m topModel) Init() tea.Cmd { return func() tea.Msg { return topTick{} } }

// Update implements [tea.Model].
func (m topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.scroll()
		return m, m.reload()
	case topTick:
		return m, tea.Batch(m.reload(), tea.Tick(topInterval, func(time.Time) tea.Msg { return topTick{} }))
	case topData:
		m.loading = false
		m.accept(msg)
		if msg.query != m.query() { // something else is shown by now
			return m, m.reload()
		}
	case topKicked:
		m.note = msg.text
		if msg.err != nil {
			m.note = msg.err.Error()
		}
		return m, m.reload()
	case tea.PasteMsg:
		if m.typing {
			m.setFilter(m.filter + printable(msg.Content))
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return m, nil
}

// key handles a key.
func (m topModel) key(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	m.note = ""
	name := k.String()
	switch {
	case name == "ctrl+c":
		return m, tea.Quit
	case m.kicking != nil:
		return m.answer(name)
	case m.typing:
		switch name {
		case "enter":
			m.typing = false
		case "esc":
			m.typing = false
			m.setFilter("")
		case "backspace":
			if letters := []rune(m.filter); len(letters) > 0 {
				m.setFilter(string(letters[:len(letters)-1]))
			}
		default:
			m.setFilter(m.filter + k.Text)
		}
		return m, m.reload()
	}
	page := max(1, m.rows()-1)
	switch name {
	case "q":
		return m, tea.Quit
	case "up":
		m.move(m.index - 1)
	case "down":
		m.move(m.index + 1)
	case "pgup":
		m.move(m.index - page)
	case "pgdown":
		m.move(m.index + page)
	case "home":
		m.move(0)
	case "end":
		m.move(len(m.lines()) - 1)
	case "/":
		m.typing = true
	case "enter", "right":
		if m.open == "" && m.chosen != "" {
			m.listState = topList{m.chosen, m.filter, m.first}
			m.open, m.chosen, m.index, m.first, m.filter = m.chosen, "", 0, 0, ""
		}
	case "esc", "left":
		if m.open == "" {
			m.setFilter("")
			break
		}
		m.open, m.chosen, m.filter, m.first = "", m.listState.chosen, m.listState.filter, m.listState.first
		m.choose()
	case "k":
		if r, ok := m.chosenRow(); ok {
			m.kicking = &r
		}
	}
	return m, m.reload()
}

// answer handles the key that answers whether a user has to leave.
func (m topModel) answer(name string) (tea.Model, tea.Cmd) {
	r, project, kick := *m.kicking, m.open, m.kick
	m.kicking = nil
	var until time.Duration
	switch name {
	case "y":
	case "t":
		until = topKickTime
	default:
		m.note = "nobody was kicked"
		return m, nil
	}
	return m, func() tea.Msg {
		err := kick(context.Background(), project, r.id, until)
		text := fmt.Sprintf("ended all sessions of %s (%s) in %s", r.name, r.user, printable(project))
		if until > 0 {
			text += fmt.Sprintf("; the server rejects the user for %v", until)
		}
		return topKicked{text, err}
	}
}

// query returns what is shown.
func (m *topModel) query() topQuery {
	if m.open != "" {
		return topQuery{prefix: m.listState.filter, open: m.open}
	}
	return topQuery{prefix: m.filter, first: m.first, rows: m.rows()}
}

// reload returns the command that reads what is shown, or nil while a read is under way: its answer reloads if something
// else is shown by then.
func (m *topModel) reload() tea.Cmd {
	if m.loading {
		return nil
	}
	m.loading = true
	read, query := m.read, m.query()
	return func() tea.Msg { return read(context.Background(), query) }
}

// accept takes over what was read.
func (m *topModel) accept(d topData) {
	if m.failed = d.err; d.err == nil {
		m.data = d
	}
	m.choose()
}

// lines returns the keys of the lines of the list: the projects, or the sessions of the open project.
func (m *topModel) lines() (keys []string) {
	if m.open == "" {
		for _, p := range m.data.projects {
			if strings.HasPrefix(p.Project, m.filter) { // the data can be that of an older filter
				keys = append(keys, p.Project)
			}
		}
		return keys
	}
	for _, r := range m.people() {
		keys = append(keys, r.key())
	}
	return keys
}

// people returns the sessions of the open project that pass the filter.
func (m *topModel) people() []row {
	return slices.DeleteFunc(rowsOf(m.data.people[m.open]), func(r row) bool {
		text := strings.ToLower(r.user + " " + r.name + " " + r.section + " " + r.activity)
		return !strings.Contains(text, strings.ToLower(m.filter))
	})
}

// chosenRow returns the chosen session of the open project.
func (m *topModel) chosenRow() (r row, ok bool) {
	people := m.people()
	if m.open == "" || m.index >= len(people) {
		return r, false
	}
	return people[m.index], true
}

// choose finds the chosen line again, since lines come, go and move.
func (m *topModel) choose() {
	if i := slices.Index(m.lines(), m.chosen); i >= 0 {
		m.index = i
	}
	m.move(m.index)
}

// move chooses a line by its index.
func (m *topModel) move(to int) {
	lines := m.lines()
	m.index, m.chosen = max(0, min(to, len(lines)-1)), ""
	if len(lines) > 0 {
		m.chosen = lines[m.index]
	}
	m.scroll()
}

// scroll keeps the chosen line on the screen.
func (m *topModel) scroll() {
	m.first = max(0, min(m.first, m.index), m.index-m.rows()+1)
}

func (m *topModel) setFilter(text string) {
	m.filter = text
	m.choose()
}
