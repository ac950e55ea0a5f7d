package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// column is a column of a table: a label, or the value of a query ("Value #A").
type column struct {
	field, title string
	width        int    // in pixels; 0: what is left
	unit         string // of a value
	words        []dashboard.ValueMapping
	color        *dashboard.ThresholdsConfigBuilder
	wrap         bool // long text
	links        []link
}

// link leads from a cell.
type link struct{ title, url string }

// inPlace reports whether a link leads to a dashboard: it opens in the same tab.
func (l link) inPlace() bool { return strings.HasPrefix(l.url, "/d/") }

// rowsOf shows the present as a table: a row for each set of labels, which all
// queries give alike, in the order of the columns; what is no column is left
// out.
func rowsOf(title, doc string, columns []column, queries ...query) *table.PanelBuilder {
	p := table.NewPanelBuilder().Title(title).Description(doc).Datasource(source()).Unit("none").
		Filterable(true).CellHeight(common.TableCellHeightSm).ShowHeader(true)
	for i, q := range queries {
		p.WithTarget(now(i, q).Format(prometheus.PromQueryFormatTable))
	}
	p.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
	p.WithTransformation(organized(columns, len(queries)))
	for _, c := range columns {
		if properties := c.properties(); properties != nil { // Grafana never loads a panel that has null here
			p.OverrideByName(c.title, properties)
		}
		if c.wrap {
			p.CellHeight(common.TableCellHeightLg)
		}
	}
	return p
}

// sortedBy orders a table when it is opened.
func sortedBy(title string, falling bool) []cog.Builder[common.TableSortByFieldState] {
	return []cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName(title).Desc(falling)}
}

// organized orders and names the columns and hides the rest.
func organized(columns []column, queries int) dashboard.DataTransformerConfig {
	index, names, hidden := map[string]int{}, map[string]string{}, map[string]bool{"Time": true, "Value": true}
	for i := range queries {
		hidden["Value #"+letter(i)] = true
	}
	for i, c := range columns {
		index[c.field], names[c.field] = i, c.title
		delete(hidden, c.field)
	}
	return dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
		"excludeByName": hidden, "indexByName": index, "renameByName": names}}
}

func (c column) properties() []dashboard.DynamicConfigValue {
	var out []dashboard.DynamicConfigValue
	add := func(id string, v any) { out = append(out, dashboard.DynamicConfigValue{Id: id, Value: v}) }
	if c.width > 0 {
		add("custom.width", c.width)
	}
	if c.unit != "" {
		add("unit", c.unit)
	}
	if c.words != nil {
		add("mappings", c.words)
	}
	if c.color != nil {
		steps, _ := c.color.Build() // of constants
		add("thresholds", steps)
		add("color", map[string]string{"mode": "thresholds"})
	}
	switch {
	case c.wrap:
		add("custom.cellOptions", map[string]any{"type": "auto", "wrapText": true})
		add("custom.inspect", true) // a click shows what the cell cuts off
	case c.color != nil || len(c.words) > 0:
		add("custom.cellOptions", map[string]any{"type": "color-text"})
	}
	if len(c.links) > 0 {
		var links []map[string]any
		for _, l := range c.links {
			links = append(links, map[string]any{"title": l.title, "url": l.url, "targetBlank": !l.inPlace()})
		}
		add("links", links)
	}
	return out
}
