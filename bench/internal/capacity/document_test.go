package capacity

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// document is the page that shows the model.
const document = "../../../docs/explanation/scaling.md"

var update = flag.Bool("update", false, "write the model into "+document)

const (
	beginMark = "<!-- begin of the generated model: go -C bench test ./internal/capacity -update -->\n"
	endMark   = "<!-- end of the generated model -->\n"
)

// text returns what the document shows between its marks.
func text(c Costs) string {
	var b strings.Builder
	fmt.Fprint(&b, "The measured costs:\n\n| cost of | measured | table and line |\n| --- | --- | --- |\n")
	costs := reflect.ValueOf(c)
	for i := range costs.NumField() {
		tag, value := costs.Type().Field(i).Tag, costs.Field(i).Interface()
		text := fmt.Sprintf("%.2f", value)
		if v, ok := value.(Cost); ok {
			text = fmt.Sprintf("%.2f µs, %.0f bytes in, %.0f out", v.Micros, v.In, v.Out)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", tag.Get("of"), text, tag.Get("from"))
	}
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

func TestDocumentShowsTheModel(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(page), beginMark)
	shown, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		t.Fatalf("%s lacks the marks that enclose the model", document)
	}
	want := "\n" + text(Measured) + "\n"
	if *update {
		if err := os.WriteFile(document, []byte(before+beginMark+want+endMark+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if shown != want {
		t.Errorf("%s does not show the current model; run go -C bench test ./internal/capacity -update", document)
	}
}
