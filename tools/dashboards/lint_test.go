package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rules of Grafana's dashboard-linter.

// rateInterval stands for $__rate_interval where a query is parsed.
const rateInterval = 4 * time.Minute

// lintVariables makes PromQL of a query as Grafana has it.
var lintVariables = strings.NewReplacer("$__rate_interval", "4m", "$__range", "24h")

// lintRule returns what is wrong with a board, one line each.
type lintRule struct {
	name  string
	check func(readBoard) []string
}

var lintRules = []lintRule{
	{"template-datasource", func(b readBoard) []string {
		v := variable(b, "datasource")
		return unless(v.Type == "datasource" && v.Query == "prometheus" && v.Label == "Data source", "no variable datasource, labelled Data source")
	}},
	{"template-job", func(b readBoard) []string { return several(b, "job", "Job") }},
	{"template-instance", func(b readBoard) []string { return several(b, "instance", "Instance") }},
	{"template-target", func(b readBoard) []string { return several(b, "target", "Target") }},
	{"template-on-time-change-reload", func(b readBoard) []string {
		return eachVariable(b, func(v readVariable) bool { return v.Type == "datasource" || v.Refresh == 2 })
	}},
	{"template-datasource-of-variables", func(b readBoard) []string {
		return eachVariable(b, func(v readVariable) bool { return v.Type == "datasource" || v.Datasource.UID == "${datasource}" })
	}},
	{"panel-datasource", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool { return p.Datasource.UID == "${datasource}" })
	}},
	{"target-datasource", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool { return q.Datasource.UID == "${datasource}" })
	}},
	{"panel-title-description", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool { return p.Title != "" && strings.HasSuffix(p.Description, ".") })
	}},
	{"panel-units", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			return slices.Contains([]string{"none", "s", "percentunit", "bytes", "reqps"}, p.FieldConfig.Defaults.Unit)
		})
	}},
	{"panel-no-targets", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool { return len(p.Targets) > 0 })
	}},
	{"panel-thresholds", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			return p.Type != "stat" && p.Type != "bargauge" || p.FieldConfig.Defaults.Thresholds != nil
		})
	}},
	{"target-promql", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool {
			_, err := parse(q.Expr)
			return err == nil
		})
	}},
	{"target-rate-interval", func(b readBoard) []string {
		return eachNode(b, func(n parser.Node, path []parser.Node) bool {
			m, ok := n.(*parser.MatrixSelector)
			return !ok || m.Range == rateInterval
		})
	}},
	{"target-job", func(b readBoard) []string { return matched(b, "job") }},
	{"target-instance", func(b readBoard) []string { return matched(b, "instance") }},
	{"target-counter-agg", func(b readBoard) []string {
		return eachNode(b, func(n parser.Node, path []parser.Node) bool {
			v, ok := n.(*parser.VectorSelector)
			return !ok || !strings.HasSuffix(v.Name, "_total") && !strings.HasSuffix(v.Name, "_bucket") ||
				len(path) > 1 && slices.Contains([]string{"rate", "increase"}, called(path[:len(path)-1]))
		})
	}},
	{"target-legend", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool { return q.Format == "table" || q.LegendFormat != "" })
	}},
	{"target-one-kind", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool { return q.Instant != q.Range })
	}},
	{"uneditable-dashboard", func(b readBoard) []string { return unless(!b.Editable, "editable") }},
	{"links", func(b readBoard) []string { return unless(len(b.Links) == 3, "no links to boards and documents") }},
	{"annotations", func(b readBoard) []string {
		return unless(len(b.Annotations.List) == 2 && strings.HasPrefix(b.Annotations.List[0].Expr, "ALERTS{"), "alerts and changes are not marked")
	}},
}

// Why a query may look at another time than $__rate_interval.
const (
	overAll = "one figure for the whole range shown, not a curve of rates"
	isHmad  = "last_over_time, for whether the process is an hmad's: one that is gone was one too"
)

// lintExceptions are what rules find and may find, by panel, with the reason.
var lintExceptions = map[string]string{
	"target-rate-interval: hmad / Overview: panel Good runs in the range shown": overAll,
	"target-rate-interval: hmad / Overview: panel Error budget left":            overAll,
	"target-rate-interval: hmad / hmad itself: panel Left out":                  overAll,
	"target-rate-interval: hmad / hmad itself: panel Daemons":                   isHmad,
	"target-rate-interval: hmad / hmad itself: panel Answers Prometheus":        isHmad,
	"target-rate-interval: hmad / hmad itself: panel Memory":                    isHmad,
	"target-rate-interval: hmad / hmad itself: panel Processor":                 isHmad,
	"target-rate-interval: hmad / hmad itself: panel Goroutines and open files": isHmad,
	"target-rate-interval: hmad / hmad itself: panel Scrape":                    isHmad,
	"target-rate-interval: hmad / hmad itself: panel Series":                    isHmad,
}

func TestDashboardsFollowTheLinter(t *testing.T) {
	used := map[string]bool{}
	for _, b := range readBoards(t) {
		require.NotEmpty(t, b.graphs(), b.Title)
		for _, r := range slices.Concat(lintRules, grafanaLint) {
			for _, found := range r.check(b) {
				panel, _, _ := strings.Cut(found, ", query ")
				name := r.name + ": " + b.Title + ": " + panel
				used[name] = true
				assert.NotEmpty(t, lintExceptions[name], "%s: %s: %s", r.name, b.Title, found)
			}
		}
	}
	for name := range lintExceptions {
		assert.True(t, used[name], "an exception that nothing needs any more: %s", name)
	}
}

// A rule that never finds anything holds nothing: each must object to a board
// of which all is wrong.
func TestEveryLintRuleCanFail(t *testing.T) {
	wrong := readBoard{Editable: true, Panels: []readPanel{
		{Type: "stat", Targets: []readTarget{{Expr: "rate("}, {Expr: "rate(a_total[1m]) + b_total", Instant: true, Range: true}}}, {Type: "stat"}}}
	wrong.Templating.List = []readVariable{{Name: "job", Type: "query"}}
	for _, r := range lintRules {
		assert.NotEmpty(t, r.check(wrong), r.name)
	}
}

func unless(ok bool, problem string) []string {
	if ok {
		return nil
	}
	return []string{problem}
}

func variable(b readBoard, name string) readVariable {
	for _, v := range b.Templating.List {
		if v.Name == name {
			return v
		}
	}
	return readVariable{}
}

func several(b readBoard, name, label string) []string {
	v := variable(b, name)
	return unless(v.Type == "query" && v.Label == label && v.Multi && v.IncludeAll && v.AllValue == ".+" && v.Datasource.UID == "${datasource}",
		"no variable "+name+" of several values, all of them .+")
}

func eachVariable(b readBoard, ok func(readVariable) bool) []string {
	var out []string
	for _, v := range b.Templating.List {
		out = append(out, unless(ok(v), "variable "+v.Name)...)
	}
	return out
}

func eachPanel(b readBoard, ok func(readPanel) bool) []string {
	var out []string
	for _, p := range b.graphs() {
		out = append(out, unless(ok(p), "panel "+p.Title)...)
	}
	return out
}

func eachTarget(b readBoard, ok func(readTarget) bool) []string {
	var out []string
	for _, p := range b.graphs() {
		for _, q := range p.Targets {
			out = append(out, unless(ok(q), "panel "+p.Title+", query "+q.RefID)...)
		}
	}
	return out
}

func parse(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(lintVariables.Replace(expr))
}

// eachNode visits the syntax of every query that parses.
func eachNode(b readBoard, ok func(parser.Node, []parser.Node) bool) []string {
	return eachTarget(b, func(q readTarget) bool {
		expr, err := parse(q.Expr)
		if err != nil {
			return true // another rule's matter
		}
		good := true
		parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
			good = good && (n == nil || ok(n, path))
			return nil
		})
		return good
	})
}

// called returns the name of the function that the node at the path's end is
// directly given to.
func called(path []parser.Node) string {
	for _, n := range slices.Backward(path) {
		if c, ok := n.(*parser.Call); ok {
			return c.Func.Name
		}
	}
	return ""
}

// matched demands that every selector has the choice of the variable. What
// alerts lose of their labels may be empty.
func matched(b readBoard, name string) []string {
	return eachNode(b, func(n parser.Node, _ []parser.Node) bool {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return true
		}
		want := "$" + name
		if strings.HasPrefix(v.Name, "ALERTS") {
			want += "|"
		}
		for _, m := range v.LabelMatchers {
			if m.Name == name && fmt.Sprint(m.Type) == "=~" && m.Value == want {
				return true
			}
		}
		return false
	})
}
