package harness

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Table prints a Markdown table line by line; the header comes with the first line.
type Table struct {
	out     io.Writer
	width   int // of the first column, which has the names of lines
	headers []string
	begun   bool
}

func NewTable(out io.Writer, width int, headers ...string) *Table {
	for i, header := range headers {
		headers[i] = fmt.Sprintf("%8s", header)
	}
	return &Table{out: out, width: width, headers: headers}
}

// Row prints a line. A number that is 0 was not measured, and leaves its cell empty; so do
// cells that are missing.
func (t *Table) Row(name string, cells ...any) {
	if !t.begun {
		t.begun = true
		fmt.Fprintf(t.out, "| %*s | %s |\n|%s\n", t.width, "", strings.Join(t.headers, " | "), strings.Repeat(" --- |", 1+len(t.headers)))
	}
	fmt.Fprintf(t.out, "| %-*s |", t.width, name)
	for i, header := range t.headers {
		text := ""
		if i < len(cells) {
			text = fmt.Sprint(cells[i])
			if number, ok := cells[i].(float64); ok {
				text = formatNumber(number)
			}
		}
		fmt.Fprintf(t.out, " %*s |", utf8.RuneCountInString(header), text)
	}
	fmt.Fprintln(t.out)
}

// Compare prints a line for each field of F that has a `row` tag, which names it: the medians of
// our rounds and the yardstick's, and their ratio.
func Compare[F any](t *Table, prefix string, ours, yardstick []F) {
	a, b, ratio := Medians(ours), Medians(yardstick), MedianRatios(ours, yardstick)
	fields := reflect.TypeFor[F]()
	for i := range fields.NumField() {
		if name := fields.Field(i).Tag.Get("row"); name != "" {
			t.Row(prefix+name, fieldOf(a, i), fieldOf(b, i), fieldOf(ratio, i))
		}
	}
}

// ComparePeer prints a line for each field as Compare does: the medians of our rounds, of a peer's and of a bare
// server's, and how many times as much the peer takes as we do, and we as the bare server.
func ComparePeer[F any](t *Table, prefix string, ours, peer, bare []F) {
	a, b, c := Medians(ours), Medians(peer), Medians(bare)
	times, overBare := MedianRatios(peer, ours), MedianRatios(ours, bare)
	fields := reflect.TypeFor[F]()
	for i := range fields.NumField() {
		t.Row(prefix+fields.Field(i).Tag.Get("row"), fieldOf(a, i), fieldOf(b, i), fieldOf(c, i), fieldOf(times, i), fieldOf(overBare, i))
	}
}

func formatNumber(number float64) string {
	switch {
	case number == 0, math.IsNaN(number), math.IsInf(number, 0): // the last two are ratios to 0
		return ""
	case math.Abs(number) >= 100:
		return strconv.FormatFloat(number, 'f', 0, 64)
	}
	return strconv.FormatFloat(number, 'f', 2, 64)
}
