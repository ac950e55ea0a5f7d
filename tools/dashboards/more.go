package main

import (
	"regexp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/probes"
)

// onNoPanel holds the families that no panel shows, with the reason why.
var onNoPanel = map[*check.Metric]string{
	check.Implied:       "an input of the rules: which alerts another one explains",
	check.FindingAbout:  "names for the texts of alerts and for tables of findings, not a figure",
	check.FindingSince:  "an input of the rules: holds that survive a restart",
	exporter.WebInfo:    "an input of the rules: what alerts link to",
	exporter.TargetInfo: "an input of the rules: which daemons watch the same thing",
	probes.WayOutShared: "an input of the rules: it says whose findings a closed way out explains",
}

// more returns a row for each check that has families on no panel of the boards,
// made of what the families declare: a new check can be seen before somebody
// gives its figures a better place.
func more(defs []*check.Def, boards []board) []row {
	shown := shownOn(boards)
	var rows []row
	for _, d := range defs {
		var panels []panel
		for _, m := range d.Metrics {
			if !shown[m.Name] && onNoPanel[m] == "" {
				shown[m.Name] = true
				panels = append(panels, panel{unsure, 12, 8, picture(m)})
			}
		}
		if n := len(panels); n > 0 {
			panels[n-1].width = uint32(12 * (1 + n%2)) // no hole beside the last of an odd number
			rows = append(rows, row{title: "Check " + d.Name, panels: panels, folded: true})
		}
	}
	return rows
}

// made reports whether the row is one of more's.
func (r row) made() bool { return r.panels[0].shows == unsure }

// selectedFamily is a family that an expression selects; a histogram by its
// buckets.
var selectedFamily = regexp.MustCompile(`(\w+?)(?:_bucket)?\{`)

// shownOn returns the families on the panels of the boards.
func shownOn(boards []board) map[string]bool {
	shown := map[string]bool{}
	for _, b := range boards {
		for _, r := range b.rows {
			for _, p := range r.panels {
				built, err := p.of.Build()
				if err != nil {
					continue // rendering the board says it
				}
				for _, t := range built.Targets {
					for _, m := range selectedFamily.FindAllStringSubmatch(t.(prometheus.Dataquery).Expr, -1) {
						shown[m[1]] = true
					}
				}
			}
		}
	}
	return shown
}

// picture returns a panel of a family by its kind and the unit in its name.
func picture(m *check.Metric) cog.Builder[dashboard.Panel] {
	_, name, _ := strings.Cut(strings.TrimSuffix(m.Name, "_timestamp_seconds"), "_")
	title := strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
	labels := m.Labels
	if !m.NoTarget {
		labels = append([]string{"target"}, labels...)
	}
	by, legend := "("+strings.Join(labels, ", ")+")", "{{"+strings.Join(labels, "}} · {{")+"}}"
	if len(labels) == 0 {
		by, legend = "(instance)", "{{instance}}"
	}
	switch {
	case m.Kind == check.Counter:
		return stacked(title, m.Help, "none", query{"sum by " + by + " (" + increase(of(m)) + ")", legend}).
			DrawStyle(common.GraphDrawStyleBars).FillOpacity(80).Interval(aBar)
	case m.Kind == check.Histogram:
		return lines(title+" (95th percentile)", m.Help, unitOf(m), query{quantile("0.95", strings.Trim(by, "()"), m), legend})
	case strings.HasSuffix(m.Name, "_timestamp_seconds"):
		return lines(title+": age", m.Help, "s", query{age("max by " + by + " (" + of(m) + ")"), legend})
	default:
		return lines(title, m.Help, unitOf(m), query{"max by " + by + " (" + of(m) + ")", legend})
	}
}

// unitOf returns Grafana's unit for the one that a family's name ends with.
func unitOf(m *check.Metric) string {
	for suffix, unit := range map[string]string{"_seconds": "s", "_bytes": "bytes", "_ratio": "percentunit"} {
		if strings.HasSuffix(m.Name, suffix) {
			return unit
		}
	}
	return "none"
}
