package main

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

// foreignLabels are the families on dashboards that hmad does not declare,
// with their labels beside job and instance: Prometheus' own, and those of
// client_golang's collectors.
var foreignLabels = map[string][]string{
	"up": nil, "scrape_duration_seconds": nil, "scrape_samples_scraped": nil,
	"ALERTS":                        {"alertname", "alertstate", "severity", "target", "check", "reason"},
	"ALERTS_FOR_STATE":              {"alertname", "severity", "target", "check", "reason"},
	"process_start_time_seconds":    nil,
	"process_resident_memory_bytes": nil,
	"process_cpu_seconds_total":     nil,
	"process_open_fds":              nil,
	"go_memstats_heap_alloc_bytes":  nil,
	"go_goroutines":                 nil,
}

// exposed returns the labels of every series by its name, as Prometheus sees it.
func exposed() map[string][]string {
	out := maps.Clone(foreignLabels)
	for _, m := range families() {
		own := m.Labels
		if !m.NoTarget {
			own = append([]string{"check", "target"}, own...)
		}
		if m.Kind == check.Histogram {
			out[m.Name+"_bucket"] = append([]string{"le"}, own...)
			continue
		}
		out[m.Name] = own
	}
	return out
}

// selected is one selector of a query with what stands around it.
type selected struct {
	where    string // board and panel
	selector *parser.VectorSelector
	path     []parser.Node
}

// selectors lists every selector of every query of every board, annotations
// included.
func selectors(t *testing.T) []selected {
	t.Helper()
	var out []selected
	collect := func(where, expr string) {
		e, err := parse(expr)
		require.NoError(t, err, "%s: %s", where, expr)
		parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				out = append(out, selected{where, v, slices.Clone(path)})
			}
			return nil
		})
	}
	for _, b := range readBoards(t) {
		for _, p := range b.graphs() {
			for _, q := range p.Targets {
				collect(b.Title+" / "+p.Title, q.Expr)
			}
		}
		for _, a := range b.Annotations.List {
			collect(b.Title+" / annotations", a.Expr)
		}
		for _, v := range b.Templating.List {
			if m, ok := v.Query.(map[string]any); ok {
				series := strings.TrimPrefix(m["query"].(string), "label_values(")
				collect(b.Title+" / variable "+v.Name, series[:strings.LastIndex(series, ",")])
			}
		}
	}
	return out
}

// selectedFamilies lists the families that an expression selects.
func selectedFamilies(t *testing.T, expr string) []string {
	t.Helper()
	e, err := parse(expr)
	require.NoError(t, err, expr)
	var out []string
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			out = append(out, v.Name)
		}
		return nil
	})
	return out
}

// Boards name families by their values in the code, so that one that is no
// longer declared does not compile.
func TestBoardsNameFamiliesByTheirValues(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if strings.Contains(l.Value, "hmad_") {
					t.Errorf("tools/dashboards/%s names a family by the text %s, want the value that declares it", name, l.Value)
				}
			}
			return true
		})
	}
}

func TestQueriesNameOnlyWhatIsDeclared(t *testing.T) {
	known := exposed()
	for _, s := range selectors(t) {
		own, ok := known[s.selector.Name]
		if !assert.True(t, ok, "%s: nobody declares the family %s", s.where, s.selector.Name) {
			continue
		}
		for _, m := range s.selector.LabelMatchers {
			switch m.Name {
			case model.MetricNameLabel, "job", "instance":
			default:
				assert.Contains(t, own, m.Name, "%s: %s has no such label", s.where, s.selector.Name)
			}
			vocabulary(t, s.where, m)
		}
	}
}

// vocabulary holds the values of matchers on check and reason to the declared
// ones.
func vocabulary(t *testing.T, where string, m *labels.Matcher) {
	words := map[string][]string{}
	for _, d := range catalog.Defs() {
		words["check"] = append(words["check"], d.Name)
		for _, r := range d.Reasons {
			words["reason"] = append(words["reason"], r.Name)
		}
	}
	if words[m.Name] == nil {
		return
	}
	for value := range strings.SplitSeq(m.Value, "|") {
		assert.Contains(t, words[m.Name], value, "%s: nobody declares the %s %s", where, m.Name, value)
	}
}

// Labels by which queries aggregate, join and name are of their families too.
func TestQueriesGroupAndNameByLabelsThatAreThere(t *testing.T) {
	known := exposed()
	for _, b := range readBoards(t) {
		for _, p := range b.graphs() {
			for _, q := range p.Targets {
				expr, err := parse(q.Expr)
				require.NoError(t, err)
				there := map[string]bool{"job": true, "instance": true}
				parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
					switch n := n.(type) {
					case *parser.VectorSelector:
						for _, l := range known[n.Name] {
							there[l] = true
						}
					case *parser.Call:
						if strings.HasPrefix(n.Func.Name, "label_") {
							there[n.Args[1].(*parser.StringLiteral).Val] = true
						}
					}
					return nil
				})
				where := b.Title + " / " + p.Title
				parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
					if a, ok := n.(*parser.AggregateExpr); ok {
						for _, l := range a.Grouping {
							assert.True(t, there[l], "%s: no family of the query has the label %s", where, l)
						}
					}
					return nil
				})
				for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
					assert.True(t, there[m[1]], "%s: the legend names the label %s", where, m[1])
				}
				if q.Format == "table" {
					columnsThere(t, where, p, there)
				}
			}
		}
	}
}

var legendLabel = regexp.MustCompile(`{{\s*(\w+)\s*}}`)

func columnsThere(t *testing.T, where string, p readPanel, there map[string]bool) {
	for _, tr := range p.Transformations {
		for field := range tr.Options.RenameByName {
			if !strings.HasPrefix(field, "Value") && len(p.Targets) == 1 {
				assert.True(t, there[field], "%s: the column %s is no label", where, field)
			}
		}
	}
}

func TestEveryFamilyIsOnAPanelOrHasAReasonNotToBe(t *testing.T) {
	shown := map[string]bool{}
	for _, s := range selectors(t) {
		if !strings.Contains(s.where, " / variable ") {
			shown[strings.TrimSuffix(s.selector.Name, "_bucket")] = true
		}
	}
	declared := map[string]bool{}
	for _, m := range families() {
		declared[m.Name] = true
		reason := onNoPanel[m]
		if shown[m.Name] == (reason != "") {
			t.Errorf("%s must be on a panel, or stand in onNoPanel (tools/dashboards/more.go) with the reason why not; not both", m.Name)
		}
	}
	for m := range onNoPanel {
		assert.True(t, declared[m.Name], "onNoPanel: nobody declares %s any more", m.Name)
	}
	for name := range foreignLabels {
		assert.True(t, shown[name], "foreignLabels: %s is on no panel any more", name)
	}
}
