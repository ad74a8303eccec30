package main

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

// topFrame is the number of lines around the list: five and its title above, and two below.
const topFrame = 8

var (
	topBold   = ansi.NewStyle().Bold()
	topQuiet  = ansi.NewStyle().Faint()
	topWarn   = ansi.NewStyle().Bold().ForegroundColor(ansi.Red)
	topChosen = ansi.NewStyle().Reverse(true)
)

// rows returns how many lines of the list fit on the screen.
func (m *topModel) rows() int { return max(1, m.height-topFrame) }

// View implements [tea.Model].
func (m topModel) View() tea.View {
	lines := []string{m.title(), m.totals(), m.node(), m.charts(), m.heading()}
	if m.open == "" {
		lines = append(lines, m.projectLines()...)
	} else {
		lines = append(lines, m.personLines()...)
	}
	for len(lines) < m.height-2 {
		lines = append(lines, "")
	}
	lines = append(lines, m.message(), m.help())
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, "")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.WindowTitle = true, "writer-presence top"
	return v
}

func (m *topModel) title() string {
	s := m.data.status
	store := "store: " + printable(s.Store.Message)
	if !s.Store.Ready || s.Store.Message != "ready" {
		store = topWarn.Styled(store)
	}
	if s.Draining {
		store += topWarn.Styled(" shutting down")
	}
	return fmt.Sprintf("%s  %s  up %s  %s  %s", topBold.Styled("Writer Presence "+printable(s.Version)), m.address, span(m.data.at.Sub(s.StartedAt)), store, m.data.at.Format("15:04:05"))
}

// totals returns the figures of all nodes.
func (m *topModel) totals() string {
	people, agents, more := 0, 0, ""
	for _, p := range m.data.projects {
		people, agents = people+p.People, agents+p.Agents
	}
	if m.data.more {
		more = "+"
	}
	text := fmt.Sprintf("%s and %s in %s", counted(people, more, "person", "people"), counted(agents, "", "agent", "agents"), counted(len(m.data.projects), more, "project", "projects"))
	if prefix := m.data.query.prefix; prefix != "" {
		text += " with an id that begins with " + printable(prefix)
	}
	return text
}

// counted returns a number, a mark behind it, and the noun for that number.
func counted(n int, mark, one, many string) string {
	if n == 1 && mark == "" {
		many = one
	}
	return fmt.Sprintf("%d%s %s", n, mark, many)
}

// node returns the figures of the node that answers, in a line of 80 columns.
func (m *topModel) node() string {
	s, h := m.data.status, m.data.status.History
	text := "node: "
	if rate := last(h.StoreErrors); rate != "0" && rate != "?" {
		text += topWarn.Styled(rate+" errors of the store/s") + ", " // first, since the end may not fit
	}
	return text + fmt.Sprintf("%s, %s requests/s, %s messages/s, %s deltas/s, %s errors/s",
		counted(s.Connections, "", "connection", "connections"), last(h.Requests), last(h.Messages), last(h.Deltas), last(h.Failures))
}

func (m *topModel) charts() string {
	width := max(1, min(60, (m.width-36)/2))
	h := m.data.status.History
	return topQuiet.Styled("last hour: people ") + sparkline(h.People, width) + topQuiet.Styled("  connections ") + sparkline(h.Connections, width)
}

func (m *topModel) heading() string {
	where := ""
	if m.open != "" {
		s := m.data.people[m.open]
		contested := len(conflicts(s.Sessions))
		where = topBold.Styled(printable(m.open)) + fmt.Sprintf(": %s, %s", counted(len(s.Users), "", "person", "people"), counted(len(s.Sessions), "", "session", "sessions"))
		if contested > 0 {
			where += topWarn.Styled(", " + counted(contested, "", "conflict", "conflicts"))
		}
	}
	switch {
	case m.typing:
		where += "  filter: " + printable(m.filter) + "█"
	case m.filter != "":
		where += "  filter: " + printable(m.filter)
	}
	return strings.TrimSpace(where)
}

func (m *topModel) projectLines() []string {
	widths := []int{max(12, m.width-44), 8, 8, 10, 10}
	lines := []string{topQuiet.Styled(columns(widths, "PROJECT", "PEOPLE", "AGENTS", "SECTIONS", "CONFLICTS"))}
	byName := map[string]client.Project{}
	for _, p := range m.data.projects {
		byName[p.Project] = p
	}
	names := m.lines()
	for i := m.first; i < min(m.first+m.rows(), len(names)); i++ {
		p, sections, contested := byName[names[i]], "", "" // unknown until it was read
		if s, ok := m.data.people[p.Project]; ok {
			used := map[string]bool{}
			for _, session := range s.Sessions {
				used[session.Section] = true
			}
			sections, contested = fmt.Sprint(len(used)), fmt.Sprint(len(conflicts(s.Sessions)))
		}
		line := columns(widths, printable(p.Project), fmt.Sprint(p.People), fmt.Sprint(p.Agents), sections, contested)
		lines = append(lines, m.style(i, contested != "" && contested != "0").Styled(line))
	}
	if len(names) == 0 {
		lines = append(lines, "nobody is online")
	}
	return lines
}

func (m *topModel) personLines() []string {
	rest := max(30, m.width-28)
	widths := []int{16, rest / 5, rest / 4, rest - rest/5 - rest/4, 12}
	lines := []string{topQuiet.Styled(columns(widths, "USER", "NAME", "SECTION", "ACTIVITY", "LAST SEEN"))}
	people := m.people()
	for i := m.first; i < min(m.first+m.rows(), len(people)); i++ {
		r := people[i]
		lines = append(lines, m.style(i, r.conflict).Styled(columns(widths, r.user, r.name, r.section, r.activity, age(r.seen))))
	}
	if len(people) == 0 {
		lines = append(lines, "nobody is here")
	}
	return lines
}

// style returns the style of a line of the list.
func (m *topModel) style(i int, conflict bool) ansi.Style {
	switch {
	case i == m.index:
		return topChosen
	case conflict:
		return topWarn
	}
	return ansi.NewStyle()
}

// message returns the line that asks or says what happened.
func (m *topModel) message() string {
	switch {
	case m.kicking != nil:
		return topBold.Styled(fmt.Sprintf("Make %s (%s) leave %s?", m.kicking.name, m.kicking.user, printable(m.open))) +
			fmt.Sprintf("  y: once   t: for %d minutes   other keys: no", int(topKickTime.Minutes()))
	case m.failed != nil:
		return topWarn.Styled("old, from " + m.data.at.Format("15:04:05") + ": " + printable(m.failed.Error()))
	}
	return m.note
}

func (m *topModel) help() string {
	keys := "↑↓ choose   enter open   / begin with   q end"
	switch {
	case m.typing:
		keys = "enter keep the filter   esc remove it"
	case m.open != "":
		keys = "↑↓ choose   k kick   / filter   esc back   q end"
	}
	return topQuiet.Styled(keys)
}

// columns returns texts in columns of the given widths, cut where they are too long.
func columns(widths []int, texts ...string) string {
	var line strings.Builder
	for i, text := range texts {
		cell := ansi.Truncate(text, widths[i]-1, "")
		line.WriteString(cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)))
	}
	return line.String()
}

// sparkline draws values, each column the largest of its part, on a scale from 0 to the largest of all.
func sparkline(values []float64, width int) string {
	bars, largest := []rune("▁▂▃▄▅▆▇█"), 0.0
	for _, v := range values {
		largest = max(largest, v)
	}
	var line strings.Builder
	for i := range min(width, len(values)) {
		n := min(width, len(values))
		v := 0.0
		for _, each := range values[i*len(values)/n : (i+1)*len(values)/n] {
			v = max(v, each)
		}
		if largest > 0 {
			v *= float64(len(bars)-1) / largest
		}
		line.WriteRune(bars[int(v+.5)])
	}
	return line.String()
}

// last returns the newest value of a list.
func last(values []float64) string {
	if len(values) == 0 {
		return "?"
	}
	return fmt.Sprintf("%.3g", values[len(values)-1])
}
