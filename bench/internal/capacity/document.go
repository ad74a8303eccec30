package capacity

import (
	"fmt"
	"os"
	"reflect"
	"strings"
)

// Document is the page that shows the model, from the root of the repository.
const Document = "docs/explanation/scaling.md"

const (
	beginMark = "<!-- begin of the generated model: go -C bench run . model write -->\n"
	endMark   = "<!-- end of the generated model -->\n"
)

// Text returns what the document shows between its marks.
func Text(c Costs) string {
	var b strings.Builder
	fmt.Fprint(&b, "The measured costs:\n\n| cost of | measured | table and line |\n| --- | --- | --- |\n")
	c.each(func(field reflect.StructField, value any) {
		text := fmt.Sprintf("%.2f", value)
		if v, ok := value.(Cost); ok {
			text = fmt.Sprintf("%.2f µs, %.0f bytes in, %.0f out", v.Micros, v.In, v.Out)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", field.Tag.Get("of"), text, field.Tag.Get("from"))
	})
	var all []Needs
	for _, routed := range []bool{false, true} {
		for _, people := range []float64{1e6, 10e6, 100e6} {
			all = append(all, c.Needs(people, routed))
		}
	}
	fmt.Fprint(&b, "\nWhat people online need, in rooms of 10:\n\n| | 1 million | 10 million | 100 million | 1 million, routed | 10 million, routed | 100 million, routed |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	row := func(name, format string, of func(Needs) float64) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, n := range all {
			fmt.Fprintf(&b, " "+format+" |", of(n))
		}
		fmt.Fprintln(&b)
	}
	row("updates a second", "%.0f", func(n Needs) float64 { return n.Updates })
	row(fmt.Sprintf("**nodes** (%d cores, %d GB)", nodeCores, nodeGB), "%.0f", func(n Needs) float64 { return n.Nodes })
	row("by CPU", "%.0f", func(n Needs) float64 { return n.ByCPU })
	row("by memory", "%.0f", func(n Needs) float64 { return n.ByMemory })
	row("by connections", "%.0f", func(n Needs) float64 { return n.ByConnections })
	row("nodes that watch a room", "%.2f", func(n Needs) float64 { return n.Watching })
	row("µs of Redis for a person and second", "%.2f", func(n Needs) float64 { return n.RedisMicros })
	row("**cores of Redis**, one for each master", "%.0f", func(n Needs) float64 { return n.Masters })
	row("memory of all masters, GB", "%.1f", func(n Needs) float64 { return n.RedisGB })
	row("nodes to Redis, Gbit/s", "%.2f", func(n Needs) float64 { return n.RedisIn })
	row("Redis to nodes, Gbit/s", "%.2f", func(n Needs) float64 { return n.RedisOut })
	row("changes to people, Gbit/s", "%.2f", func(n Needs) float64 { return n.ToPeople })
	row("connections of each master", "%.0f", func(n Needs) float64 { return n.ConnectionsPerMaster })

	fmt.Fprint(&b, "\nOne large room, in which each person changes section once a minute:\n\n| people | ms of Redis for a snapshot | snapshots a second and node | nodes until its core is half used |\n| --- | --- | --- | --- |\n")
	for people := 100.0; people <= largestRoom; people *= 10 {
		millis, snapshots, nodes := c.LargeRoom(people)
		fmt.Fprintf(&b, "| %.0f | %.2f | %.1f | %.1f |\n", people, millis, snapshots, nodes)
	}
	return b.String()
}

func section(text string) string { return beginMark + "\n" + text + "\n" + endMark }

// WriteDocument replaces the model in the document at path.
func WriteDocument(path string, c Costs) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s lacks the marks that enclose the model", path)
	}
	return os.WriteFile(path, []byte(before+section(Text(c))+after), 0o644)
}
