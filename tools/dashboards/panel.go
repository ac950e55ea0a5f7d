package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// query is PromQL and the name of each of its series in the picture.
type query struct{ expr, legend string }

// letter names the queries of a panel: A, B, C …
func letter(i int) string { return string(rune('A' + i)) }

// over asks for the whole range of time that the board shows.
func over(i int, q query) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(letter(i)).Datasource(source()).Expr(q.expr).LegendFormat(q.legend).Range()
}

// now asks for the present alone.
func now(i int, q query) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(letter(i)).Datasource(source()).Expr(q.expr).LegendFormat(q.legend).Instant()
}

// stats shows the present value of each series in large figures.
func stats(title, doc, unit string, queries ...query) *stat.PanelBuilder {
	p := stat.NewPanelBuilder().Title(title).Description(doc).Datasource(source()).Unit(unit).
		ColorMode(common.BigValueColorModeBackground).GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValueAndName).JustifyMode(common.BigValueJustifyModeAuto).
		Orientation(common.VizOrientationAuto).ReduceOptions(last()).
		Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(14).ValueSize(26))
	for i, q := range queries {
		p.WithTarget(now(i, q))
	}
	return p
}

// bars shows the present value of each series as a bar, for lists that may be
// long.
func bars(title, doc, unit string, queries ...query) *bargauge.PanelBuilder {
	p := bargauge.NewPanelBuilder().Title(title).Description(doc).Datasource(source()).Unit(unit).
		DisplayMode(common.BarGaugeDisplayModeBasic).Orientation(common.VizOrientationHorizontal).ReduceOptions(last())
	for i, q := range queries {
		p.WithTarget(now(i, q))
	}
	return p
}

// curves shows values over time that are never below 0.
func curves(title, doc, unit string, queries ...query) *timeseries.PanelBuilder {
	return lines(title, doc, unit, queries...).Min(0)
}

// lines shows values over time.
func lines(title, doc, unit string, queries ...query) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().Title(title).Description(doc).Datasource(source()).Unit(unit).
		LineWidth(1).FillOpacity(5).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).ShowLegend(true).
			Calcs([]string{"lastNotNull", "max"}).SortBy("Last *").SortDesc(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	for i, q := range queries {
		p.WithTarget(over(i, q))
	}
	return p
}

// stacked shows values over time one upon the other.
func stacked(title, doc, unit string, queries ...query) *timeseries.PanelBuilder {
	return curves(title, doc, unit, queries...).FillOpacity(40).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// timeline shows states over time, one line for each series.
func timeline(title, doc string, states []dashboard.ValueMapping, queries ...query) *statetimeline.PanelBuilder {
	p := statetimeline.NewPanelBuilder().Title(title).Description(doc).Datasource(source()).Unit("none").
		Mappings(states).ColorScheme(byWord()).MergeValues(true).ShowValue(common.VisibilityModeNever).RowHeight(0.85).
		FillOpacity(80).LineWidth(0).AlignValue(common.TimelineValueAlignmentLeft).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone)).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true))
	for i, q := range queries {
		p.WithTarget(over(i, q))
	}
	return p
}

func last() *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Values(false)
}

// byWord leaves the colours of a timeline to its words: with thresholds Grafana
// looks at these first, and its default ones are green up to 80.
func byWord() *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor("text")
}

// step is a colour from a value on.
type step struct {
	from  float64
	color string
}

// steps colours values: base up to the first step.
func steps(base string, more ...step) *dashboard.ThresholdsConfigBuilder {
	all := []dashboard.Threshold{{Color: base}}
	for _, s := range more {
		all = append(all, dashboard.Threshold{Value: ptr(s.from), Color: s.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(all)
}

// word is what a number or a name stands for.
type word struct{ value, text, color string }

// words maps values to words.
func words(list ...word) []dashboard.ValueMapping {
	options := map[string]dashboard.ValueMappingResult{}
	for i, w := range list {
		r := dashboard.ValueMappingResult{Text: ptr(w.text), Index: ptr(int32(i))}
		if w.color != "" {
			r.Color = ptr(w.color)
		}
		options[w.value] = r
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// outcomes are the words for what outcome gives.
func outcomes() []dashboard.ValueMapping { return words(outcomeWords()...) }

func outcomeWords() []word {
	return []word{
		{strconv.Itoa(failed), "failed", "red"},
		{strconv.Itoa(undecided), "undecided", "purple"},
		{strconv.Itoa(warned), "warned", "orange"},
		{strconv.Itoa(passed), "passed", "green"}}
}

// severities are the words for what standing gives.
func severities() []dashboard.ValueMapping {
	return words(word{"2", "critical", "red"}, word{"1", "warning", "orange"})
}

// yes are the words for a truth that is well and a falsehood that is not.
func yes(good, bad, color string) []dashboard.ValueMapping {
	return words(word{"1", good, "green"}, word{"0", bad, color})
}

// dashed draws a limit beside what is measured.
func dashed() []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 8}}},
		{Id: "custom.fillOpacity", Value: 0}}
}

// ownAxis puts counts on an axis of their own where times stand on the other.
func ownAxis() []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "unit", Value: "none"}, {Id: "custom.axisPlacement", Value: "right"}}
}

// colours sets fixed colours for series of these names.
func colours(of map[string]string) []cog.Builder[dashboard.DashboardFieldConfigSourceOverrides] {
	var out []cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, dashboard.NewDashboardFieldConfigSourceOverridesBuilder().
			Matcher(dashboard.MatcherConfig{Id: "byName", Options: name}).
			Properties([]dashboard.DynamicConfigValue{{Id: "color", Value: map[string]string{"mode": "fixed", "fixedColor": of[name]}}}))
	}
	return out
}
