package admin_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// dashboard is what the tests look at of one.
type dashboard struct {
	Title         string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Query      json.RawMessage
		}
	}
	Panels []struct {
		ID         int
		Type       string
		Datasource struct{ UID string }
		GridPos    struct{ H, W, X, Y int }
		Targets    []struct {
			Datasource struct{ UID string }
			Expr       string
		}
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	// noMetric is what of an expression has names that are no metrics': matchers, ranges, the
	// labels of by, and texts.
	noMetric   = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)|"[^"]*"`)
	ofVariable = regexp.MustCompile(`label_values\((\w+)`)
	metric     = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*\b *\(?`)
)

// metricsOf gives the metrics that an expression asks for.
func metricsOf(expr string) (names []string) {
	for _, name := range metric.FindAllString(noMetric.ReplaceAllString(expr, ""), -1) {
		if !strings.HasSuffix(name, "(") { // a function
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func TestTheDashboardShowsWhatThereIsAndAllOfIt(t *testing.T) {
	w := newWorld(t, true)
	w.use("p", "alice", "s")
	there, shown := w.metrics(), map[string]bool{}
	for _, variable := range readDashboard(t).Templating.List[1:] {
		found := ofVariable.FindSubmatch(variable.Query)
		if found == nil {
			t.Fatalf("%s asks for the labels of no metric: %s", variable.Name, variable.Query)
		}
		if _, ok := there[string(found[1])]; !ok {
			t.Errorf("%s asks for %s, which is not there", variable.Name, found[1])
		}
	}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			names := metricsOf(target.Expr)
			if len(names) == 0 {
				t.Errorf("%s asks for nothing", target.Expr)
			}
			for _, name := range names {
				if _, ok := there[name]; !ok {
					t.Errorf("%s asks for %s, which is not there", target.Expr, name)
				}
				shown[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	for series := range there {
		name, _, labels := strings.Cut(series, " ")
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if !labels && strings.HasPrefix(name, "writer_presence_") && !shown[base] {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

func TestTheDashboardCanBeImportedWhereverPrometheusIs(t *testing.T) {
	d := readDashboard(t)
	if d.Title == "" || d.SchemaVersion < 36 || d.SchemaVersion > 39 { // what Grafana 10.0 to 10.4 write; later ones migrate it
		t.Errorf("it is %q of schema %d", d.Title, d.SchemaVersion)
	}
	if v := d.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" || string(v.Query) != `"prometheus"` {
		t.Errorf("the first variable is %+v; due: the data source", v)
	}
	ids, places := map[int]bool{}, map[[2]int]int{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := places[[2]int{x, y}]; taken || x >= 24 {
					t.Errorf("panel %d is on panel %d, or beyond the edge", p.ID, other)
				}
				places[[2]int{x, y}] = p.ID
			}
		}
		for _, target := range p.Targets {
			if p.Datasource.UID != "${datasource}" || target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %d asks a data source of its own", p.ID)
			}
		}
	}
}
