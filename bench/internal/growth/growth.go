// Package growth measures what the embedded store costs as it holds more: in this process, by calls of
// [presence.Service], so that neither HTTP nor sockets hide what grows.
package growth

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Sizes are the sizes of each dimension. A dimension stays at its first size while another one grows.
type Sizes struct {
	Projects, People, Sessions, Watchers []int
	// Together are how many of the Crowd in a project share each section.
	Together []int
	Crowd    int
	// Watched is a number of projects that are measured with one watcher each, too.
	Watched int

	// Many is from how many people on memory, writes and what a quiet store takes are measured: with fewer they are
	// noise.
	Many int
	// Passes is how often the shapes take turns, except those of at least Once people, which are measured once.
	Passes, Once        int
	Rounds              int // of each pass, after one to warm up
	Changes, Heartbeats int // of a round
	// Quiet is for how long a store is measured while no messages come, after Settle.
	Settle, Quiet time.Duration
}

var (
	Full = Sizes{
		Projects: []int{10, 1000, 10_000, 100_000, 1_000_000}, People: []int{1, 10, 100, 1000}, Sessions: []int{1, 5, 20},
		Watchers: []int{0, 10, 100, 1000}, Together: []int{1, 10, 100}, Crowd: 1000, Watched: 100_000,
		Many: 10_000, Passes: 3, Once: 10_000, Rounds: 3, Changes: 2000, Heartbeats: 30_000, Settle: 6 * time.Second, Quiet: 2 * time.Second,
	}
	Quick = Sizes{
		Projects: []int{10, 20}, People: []int{1, 2}, Sessions: []int{1, 2}, Watchers: []int{0, 2},
		Together: []int{1, 2}, Crowd: 2, Watched: 20,
		Many: 20, Passes: 1, Rounds: 1, Changes: 10, Heartbeats: 10, Quiet: time.Millisecond,
	}
)

// shape is what a store holds: people in each project, sessions of each of them, watchers of each project, and people
// in each section.
type shape struct{ projects, people, sessions, watchers, together int }

func (s shape) allPeople() int { return s.projects * s.people }

// figures are what a store of a shape takes; 0 is not measured.
type figures struct {
	Change    float64 // µs CPU, with its share of the commit
	List      float64 // likewise, if the reply has the list
	Heartbeat float64 // µs CPU, without its write
	Write     float64 // µs CPU, to write a renewal later
	Quiet     float64 // ms CPU a second, while no messages come
	Heap, RSS float64 // KB for each person
	Start     float64 // s to open the store again
}

// dimension is what grows.
type dimension struct {
	name  string
	sizes []int
	grow  func(base *shape) *int
}

func (s Sizes) dimensions() []dimension {
	return []dimension{
		{"projects", s.Projects, func(base *shape) *int { return &base.projects }},
		{"people in each project", s.People, func(base *shape) *int { return &base.people }},
		{"sessions of each person", s.Sessions, func(base *shape) *int { return &base.sessions }},
		{"watchers of each project", s.Watchers, func(base *shape) *int { return &base.watchers }},
		{"people in each section", s.Together, func(base *shape) *int {
			base.people = s.Crowd
			return &base.together
		}},
	}
}

// shapes returns the shapes of a dimension, in the order of its sizes.
func (s Sizes) shapes(d dimension) (all []shape) {
	for _, size := range d.sizes {
		one := shape{s.Projects[0], s.People[0], s.Sessions[0], s.Watchers[0], 1}
		*d.grow(&one) = size
		all = append(all, one)
	}
	return all
}

// Scenario returns the scenario of this package.
func Scenario(s Sizes) harness.Scenario {
	return harness.Scenario{Name: "growth of one node", Run: s.run}
}

func (s Sizes) run(r *harness.Run) {
	watched := shape{s.Watched, s.People[0], s.Sessions[0], 1, 1}
	all := []shape{watched}
	for _, d := range s.dimensions() {
		for _, one := range s.shapes(d) {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	rounds := map[shape][]figures{}
	for pass := range s.Passes {
		for _, one := range all {
			if pass == 0 || one.allPeople() < s.Once {
				r.Sub(func(r *harness.Run) { rounds[one] = append(rounds[one], s.measure(r, one)...) })
			}
		}
	}

	t := harness.NewTable(r.Out, 42, "change, µs", "with list, µs", "heartbeat, µs", "its write, µs", "quiet, ms/s", "heap, KB", "RSS, KB", "start, s")
	row := func(name string, one shape) figures {
		f := harness.Medians(rounds[one])
		t.Row(name, f.Change, f.List, f.Heartbeat, f.Write, f.Quiet, f.Heap, f.RSS, f.Start)
		return f
	}
	for _, d := range s.dimensions() {
		var sizes, changes, lists, heartbeats []float64
		for i, one := range s.shapes(d) {
			f := row(d.name+": "+strconv.Itoa(d.sizes[i]), one)
			sizes, changes = append(sizes, float64(d.sizes[i])), append(changes, f.Change)
			lists, heartbeats = append(lists, f.List), append(heartbeats, f.Heartbeat)
		}
		t.Row("ten times the "+d.name+": ×", harness.Tenfold(sizes, changes), harness.Tenfold(sizes, lists), harness.Tenfold(sizes, heartbeats))
	}
	row(fmt.Sprintf("projects with a watcher: %d", s.Watched), watched)
	base := s.shapes(s.dimensions()[0])[0]
	fmt.Fprintf(r.Out, "\nWhat does not grow: %d projects, %d person in each with %d session, %d watchers; %d in each while people in a section grow.\n",
		base.projects, base.people, base.sessions, base.watchers, s.Crowd)
}

// measure measures a store of a shape. What it measures once is in each of the rounds.
func (s Sizes) measure(r *harness.Run, one shape) []figures {
	dir, err := os.MkdirTemp(r.Dir, "growth-")
	r.Check(err)
	r.Cleanup(func() { os.RemoveAll(dir) })
	var f figures
	debug.FreeOSMemory() // what the former shape took
	heap, rss := memory(r)
	n := newNode(r, one, dir)
	stop := n.start()
	n.do(len(n.tabs), joiners, n.change)
	if one.allPeople() >= s.Many {
		heapNow, rssNow := memory(r)
		f.Heap, f.RSS = (heapNow-heap-n.tabsKB())/float64(one.allPeople()), (rssNow-rss-n.tabsKB())/float64(one.allPeople())
		debug.FreeOSMemory() // otherwise the runtime returns what joining took meanwhile
		time.Sleep(s.Settle) // until the store has visited again what changed last
		f.Quiet = n.quiet(s.Quiet)
	}
	n.shuffle()
	changes := harness.InTurns(s.Rounds, func() figures {
		return figures{Change: n.cost(f.Quiet, s.Changes, n.change), List: n.cost(f.Quiet, s.Changes, n.changeAndList)}
	})[0]
	stop()

	began := time.Now()
	n.open()
	f.Start = time.Since(began).Seconds()
	heartbeats := harness.InTurns(s.Rounds, func() figures { return figures{Heartbeat: n.cost(0, s.Heartbeats, n.heartbeat)} })[0]
	renewed := min(len(n.tabs), (s.Rounds+1)*s.Heartbeats)
	if micros := n.writeAndClose(); one.allPeople() >= s.Many {
		f.Write = micros / float64(renewed)
	}

	rounds := make([]figures, s.Rounds)
	for i := range rounds {
		rounds[i] = f
		rounds[i].Change, rounds[i].List, rounds[i].Heartbeat = changes[i].Change, changes[i].List, heartbeats[i].Heartbeat
	}
	return rounds
}
