package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

// What Grafana's own code does with JSON that looks right (11.1, compared with
// 11.6, 12.3 and 13.2). No test here can look at pixels; these rules can.

// pixels is the width of a unit of the grid on a screen of 1600.
const pixels = 64

var grafanaLint = []lintRule{
	// By thresholds Grafana colours a timeline before it looks at the words: it
	// is green up to 80.
	{"timeline-colour-fixed", func(b readBoard) []string {
		return eachOf(b, "state-timeline", func(p readPanel) bool { return p.FieldConfig.Defaults.Color.Mode == "fixed" })
	}},
	// A null in an override throws, and the panel says «Loading» for ever.
	{"no-null", func(b readBoard) []string {
		return unless(!strings.Contains(strings.ReplaceAll(b.text, `"value": null`, ""), ": null"), "a null that is no threshold's first value")
	}},
	{"override-has-properties", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			for _, o := range p.FieldConfig.Overrides {
				if o.Properties == nil {
					return false
				}
			}
			return true
		})
	}},
	// Without a word for no data a figure has the colour of its base step.
	{"figure-says-empty", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			return p.Type != "stat" && p.Type != "bargauge" || saysEmpty(p)
		})
	}},
	// An empty table cannot tell «nothing» from «nobody looked».
	{"table-says-empty", func(b readBoard) []string {
		return eachOf(b, "table", func(p readPanel) bool {
			isFindings := strings.Contains(p.Targets[0].Expr, check.FindingFound.Name)
			return p.FieldConfig.Defaults.NoValue != "" && (!isFindings || strings.Contains(p.Targets[0].Expr, "absent("))
		})
	}},
	// What goes on becomes a region over every graph.
	{"annotation-is-a-moment", func(b readBoard) []string {
		var out []string
		for _, a := range b.Annotations.List {
			out = append(out, unless(!a.Enable || strings.Contains(a.Expr, " unless "), a.Expr)...)
		}
		return out
	}},
	// Wrapped text is cut: the cell must be high, and open by a click.
	{"wrapped-text-opens", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			for _, o := range p.FieldConfig.Overrides {
				if wraps := strings.Contains(o.text(), `"wrapText":true`); wraps && (!strings.Contains(o.text(), "custom.inspect=true") || p.Options.CellHeight != "lg") {
					return false
				}
			}
			return true
		})
	}},
	// perPage does nothing in 11: a row for each target bounds the labels instead.
	{"timeline-of-checks-is-high-enough", func(b readBoard) []string {
		var out []string
		repeats := false
		for _, p := range b.Panels {
			repeats = p.Type == "row" && p.Repeat == "target" || p.Type != "row" && repeats
			all := strings.Contains(firstQuery(p), check.Decided.Name) && !strings.Contains(firstQuery(p), `check=~"`)
			if p.Type == "state-timeline" {
				out = append(out, unless(p.Options.PerPage == nil && (!all || repeats && p.GridPos.H >= int(heightOf(len(catalog.Defs())))), "panel "+p.Title)...)
			}
		}
		return out
	}},
	// targetBlank opens a new tab; the range of time goes along only if named; a
	// mailbox may be of two targets.
	{"links-to-dashboards", func(b readBoard) []string {
		return eachLink(b, func(url string, blank bool) bool {
			return !strings.HasPrefix(url, "/d/") ||
				!blank && strings.Contains(url, "${__url_time_range}") && strings.Contains(url, "var-target=")
		})
	}},
	// The alerts about hmad itself have neither check nor reason.
	{"runbook-link-where-there-is-a-reason", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool {
			for _, o := range p.FieldConfig.Overrides {
				if strings.Contains(o.text(), "checks.md#${__data.fields.Check}") && o.Matcher.Options != "Reason" {
					return false
				}
			}
			return true
		})
	}},
	{"legend-is-a-table", func(b readBoard) []string {
		return eachOf(b, "timeseries", func(p readPanel) bool {
			l := p.Options.Legend
			return l.DisplayMode == "table" && slices.Equal(l.Calcs, []string{"lastNotNull", "max"}) && l.SortBy == "Last *"
		})
	}},
	// A caption that is too long shrinks to nothing, a value is cut.
	{"figure-sizes-fixed", func(b readBoard) []string {
		return eachOf(b, "stat", func(p readPanel) bool {
			return p.Options.Text.ValueSize > 0 && p.Options.Text.TitleSize > 0 && !strings.Contains(legends(p), "auth_server")
		})
	}},
	{"title-needs-no-choice", func(b readBoard) []string {
		return eachPanel(b, func(p readPanel) bool { return p.Title != "" && !strings.Contains(p.Title, "$mailbox") })
	}},
	{"curves-of-mailboxes-name-the-target", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool {
			return !strings.Contains(q.Expr, `mailbox="$mailbox"`) && !strings.Contains(q.LegendFormat, "{{mailbox}}") || strings.Contains(q.LegendFormat, "{{target}}")
		})
	}},
	// Counters of every class and check are mostly zero.
	{"no-curves-of-zero", func(b readBoard) []string {
		return eachTarget(b, func(q readTarget) bool {
			return !strings.Contains(q.Expr, "by (check, class) (") || strings.HasSuffix(q.Expr, "> 0")
		})
	}},
	// A list of hosts in bars has two scroll bars.
	{"no-bars-of-hosts", func(b readBoard) []string {
		return eachOf(b, "bargauge", func(p readPanel) bool { return !strings.Contains(legends(p), "host}}") })
	}},
	{"worst-first", func(b readBoard) []string {
		return eachOf(b, "table", func(p readPanel) bool {
			return !strings.Contains(firstQuery(p), "severity") || len(p.Options.SortBy) == 1 && p.Options.SortBy[0].DisplayName == "Severity"
		})
	}},
	{"table-fits", func(b readBoard) []string {
		return eachOf(b, "table", func(p readPanel) bool { return p.minWidth() <= p.GridPos.W*pixels })
	}},
	// A heading needs its own width and that of the sign of the filter.
	{"headings-fit", func(b readBoard) []string {
		return eachOf(b, "table", func(p readPanel) bool {
			for title, width := range p.widths() {
				if width > 0 && width < 8*len(title)+20 {
					return false
				}
			}
			return true
		})
	}},
}

func TestEveryRuleOfGrafanasCanFail(t *testing.T) {
	const bad = `{"annotations": {"list": [{"enable": true, "expr": "ALERTS{}"}]}, "panels": [
		{"type": "state-timeline", "title": "$mailbox", "options": {"perPage": 20}},
		{"type": "stat", "title": "", "targets": [{"legendFormat": "{{auth_server}}", "expr": "a{mailbox=\"$mailbox\"}"}],
			"fieldConfig": {"defaults": {"links": [{"url": "/d/x", "targetBlank": true}]}, "overrides": [{"matcher": {}, "properties": null}]}},
		{"type": "timeseries", "targets": [{"expr": "sum by (check, class) (a)"}]},
		{"type": "bargauge", "targets": [{"legendFormat": "{{host}}"}]},
		{"type": "table", "gridPos": {"w": 1}, "targets": [{"expr": "max by (severity) (hmad_finding)"}], "fieldConfig": {"overrides": [
			{"matcher": {"options": "Alert"}, "properties": [{"id": "custom.width", "value": 30}, {"id": "custom.cellOptions", "value": {"wrapText": true}},
				{"id": "links", "value": [{"url": "/d/checks.md#${__data.fields.Check}"}]}]}]},
			"transformations": [{"id": "organize", "options": {"renameByName": {"a": "Alert", "b": "Beside it"}}}]}]}`
	var wrong readBoard
	require.NoError(t, json.Unmarshal([]byte(bad), &wrong))
	wrong.text = bad
	for _, r := range grafanaLint {
		assert.NotEmpty(t, r.check(wrong), r.name)
	}
}

// The rules that Grafana evaluates itself.
func TestAlertsThatGrafanaEvaluates(t *testing.T) {
	for name, r := range grafanaRules(t) {
		want := "KeepLast"
		if name == "HmadDown" {
			want = "Error"
		}
		assert.Equal(t, want, r.ExecErrState, "%s, when Prometheus is away", name)
	}
	data, err := alerting()
	require.NoError(t, err)
	assert.Contains(t, string(data), "Grafana 12.1.2")
	assert.Contains(t, readDoc(t, "dashboards.md"), "Grafana 12.1.2")
}

// The words and colours of figures without data.
func TestFiguresWithoutData(t *testing.T) {
	for _, b := range readBoards(t) {
		for _, p := range b.graphs() {
			for _, m := range p.FieldConfig.Defaults.Mappings {
				if m.Empty != nil {
					assert.Equal(t, p.FieldConfig.Defaults.NoValue, m.Empty.Text, p.Title)
					assert.NotEqual(t, "green", m.Empty.Color, p.Title)
				}
			}
		}
	}
}

func eachOf(b readBoard, kind string, ok func(readPanel) bool) []string {
	return eachPanel(b, func(p readPanel) bool { return p.Type != kind || ok(p) })
}

func firstQuery(p readPanel) string {
	if len(p.Targets) == 0 {
		return ""
	}
	return p.Targets[0].Expr
}

func legends(p readPanel) string {
	out := ""
	for _, q := range p.Targets {
		out += q.LegendFormat
	}
	return out
}

// saysEmpty reports whether the panel and each override of its words have one for
// no data.
func saysEmpty(p readPanel) bool {
	has := func(m readMapping) bool { return m.Empty != nil && m.Empty.Text != "" && m.Empty.Color != "" }
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			var list []readMapping
			if property.ID == "mappings" && (json.Unmarshal(property.Value, &list) != nil || !slices.ContainsFunc(list, has)) {
				return false
			}
		}
	}
	return slices.ContainsFunc(p.FieldConfig.Defaults.Mappings, has)
}

// text is the override's properties, one a line.
func (o readOverride) text() string {
	out := ""
	for _, p := range o.Properties {
		out += p.ID + "=" + blanks.ReplaceAllString(string(p.Value), "") + "\n"
	}
	return out
}

var blanks = regexp.MustCompile(`\s`)

// widths are those of a table's columns, 0 where it is what is left.
func (p readPanel) widths() map[string]int {
	out := map[string]int{}
	for _, tr := range p.Transformations {
		for _, title := range tr.Options.RenameByName {
			out[title] = 0
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "custom.width" {
				width := 0
				_ = json.Unmarshal(property.Value, &width)
				out[o.Matcher.Options] = width
			}
		}
	}
	return out
}

// minWidth is what a table needs: 140 for a column of no own width, 250 where
// its text is long.
func (p readPanel) minWidth() int {
	sum := 0
	for title, width := range p.widths() {
		switch {
		case width > 0:
			sum += width
		case slices.ContainsFunc(p.FieldConfig.Overrides, func(o readOverride) bool { return o.Matcher.Options == title && strings.Contains(o.text(), "wrapText") }):
			sum += 250
		default:
			sum += 140
		}
	}
	return sum
}

// eachLink visits the links of every panel and cell.
func eachLink(b readBoard, ok func(url string, blank bool) bool) []string {
	type link struct {
		URL         string
		TargetBlank bool
	}
	return eachPanel(b, func(p readPanel) bool {
		var all []link
		for _, l := range p.FieldConfig.Defaults.Links {
			all = append(all, link(l))
		}
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				var list []link
				if property.ID == "links" && json.Unmarshal(property.Value, &list) == nil {
					all = append(all, list...)
				}
			}
		}
		return !slices.ContainsFunc(all, func(l link) bool { return !ok(l.URL, l.TargetBlank) })
	})
}
