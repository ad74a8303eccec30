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
	columns []column
	begun   bool
}

type column struct {
	header, format string
	width          int
}

// NewTable returns a table whose first column has names of up to width characters. The other
// columns are given as "header", or as "header:%.2f" with a format for numbers.
func NewTable(out io.Writer, width int, columns ...string) *Table {
	t := &Table{out: out, columns: []column{{width: -width}}}
	for _, c := range columns {
		header, format, found := strings.Cut(c, ":%")
		if found {
			format = "%" + format
		}
		t.columns = append(t.columns, column{header, format, max(8, utf8.RuneCountInString(header))})
	}
	return t
}

// Row prints a line. A number that is 0 was not measured, and leaves its cell empty; so do
// cells that are missing.
func (t *Table) Row(name string, cells ...any) {
	if !t.begun {
		t.begun = true
		headers := make([]string, 0, len(t.columns))
		for _, c := range t.columns {
			headers = append(headers, c.header)
		}
		t.line(headers)
		fmt.Fprintln(t.out, strings.Repeat("| --- ", len(t.columns))+"|")
	}
	texts := []string{name}
	for i, cell := range cells {
		text := fmt.Sprint(cell)
		if number, ok := cell.(float64); ok {
			text = formatNumber(number, t.columns[i+1].format)
		}
		texts = append(texts, text)
	}
	t.line(texts)
}

// Compare prints a line for each field that has a `row` tag, which names it: ours, the
// yardstick's and their ratio. All three are structs of the same type.
func (t *Table) Compare(prefix string, ours, yardstick, ratio any) {
	fields := reflect.TypeOf(ours)
	for i := range fields.NumField() {
		if name := fields.Field(i).Tag.Get("row"); name != "" {
			t.Row(prefix+name, fieldOf(ours, i), fieldOf(yardstick, i), fieldOf(ratio, i))
		}
	}
}

func (t *Table) line(cells []string) {
	cells = append(cells, make([]string, len(t.columns)-len(cells))...)
	for i, text := range cells {
		fmt.Fprintf(t.out, "| %*s ", t.columns[i].width, text)
	}
	fmt.Fprintln(t.out, "|")
}

func formatNumber(number float64, format string) string {
	switch {
	case number == 0, math.IsNaN(number), math.IsInf(number, 0): // the last two are ratios to 0
		return ""
	case format != "":
		return fmt.Sprintf(format, number)
	case number >= 100:
		return strconv.FormatFloat(number, 'f', 0, 64)
	}
	return strconv.FormatFloat(number, 'f', 2, 64)
}
