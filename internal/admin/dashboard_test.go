package admin_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// dashboard has the parts of a Grafana dashboard that the tests check.
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
	// noMetric matches the parts of an expression whose names are not metrics: matchers, ranges, the labels of by, and texts.
	noMetric   = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)|"[^"]*"`)
	ofVariable = regexp.MustCompile(`label_values\((\w+)`)
	metric     = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*\b *\(?`)
)

// metricsOf returns the metrics in an expression.
func metricsOf(expr string) (names []string) {
	for _, name := range metric.FindAllString(noMetric.ReplaceAllString(expr, ""), -1) {
		if !strings.HasSuffix(name, "(") { // a function
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func TestDashboardShowsAllMetricsAndNoOthers(t *testing.T) {
	f := newFixture(t, true)
	f.use("p", "alice", "s")
	metrics, shown := f.metrics(), map[string]bool{}
	for _, variable := range readDashboard(t).Templating.List[1:] {
		found := ofVariable.FindSubmatch(variable.Query)
		if found == nil {
			t.Fatalf("the variable %s has no label_values: %s", variable.Name, variable.Query)
		}
		if _, ok := metrics[string(found[1])]; !ok {
			t.Errorf("the variable %s reads %s, which does not exist", variable.Name, found[1])
		}
	}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			names := metricsOf(target.Expr)
			if len(names) == 0 {
				t.Errorf("%s has no metric", target.Expr)
			}
			for _, name := range names {
				if _, ok := metrics[name]; !ok {
					t.Errorf("%s reads %s, which does not exist", target.Expr, name)
				}
				shown[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	for series := range metrics {
		name, _, labels := strings.Cut(series, " ")
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if !labels && strings.HasPrefix(name, "writer_presence_") && !shown[base] {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

func TestDashboardCanBeImportedIntoAnyGrafana(t *testing.T) {
	d := readDashboard(t)
	if d.Title == "" || d.SchemaVersion < 36 || d.SchemaVersion > 39 { // written by Grafana 10.0 to 10.4; later versions migrate it
		t.Errorf("the title is %q and the schema version %d; want a title, and 36 to 39", d.Title, d.SchemaVersion)
	}
	if v := d.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" || string(v.Query) != `"prometheus"` {
		t.Errorf("the first variable is %+v; want the data source", v)
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
					t.Errorf("panel %d overlaps panel %d or the edge", p.ID, other)
				}
				places[[2]int{x, y}] = p.ID
			}
		}
		for _, target := range p.Targets {
			if p.Datasource.UID != "${datasource}" || target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %d has a fixed data source", p.ID)
			}
		}
	}
}
