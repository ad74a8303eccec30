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
	rows := reflect.TypeFor[Needs]()
	for i := range rows.NumField() {
		tag := rows.Field(i).Tag
		fmt.Fprintf(&b, "| %s |", tag.Get("row"))
		for _, n := range all {
			fmt.Fprintf(&b, " "+tag.Get("format")+" |", reflect.ValueOf(n).Field(i).Float())
		}
		fmt.Fprintln(&b)
	}

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
